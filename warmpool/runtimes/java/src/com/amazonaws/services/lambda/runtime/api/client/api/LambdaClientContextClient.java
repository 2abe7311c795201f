package com.amazonaws.services.lambda.runtime.api.client.api;

import com.amazonaws.services.lambda.runtime.Client;

public class LambdaClientContextClient implements Client {
    private final String installation_id;
    private final String app_title;
    private final String app_version_name;
    private final String app_version_code;
    private final String app_package_name;

    public LambdaClientContextClient(String installationId, String title, String versionName, String versionCode, String packageName) {
        this.installation_id = installationId;
        this.app_title = title;
        this.app_version_name = versionName;
        this.app_version_code = versionCode;
        this.app_package_name = packageName;
    }

    @Override
    public String getInstallationId() {
        return installation_id;
    }

    @Override
    public String getAppTitle() {
        return app_title;
    }

    @Override
    public String getAppVersionName() {
        return app_version_name;
    }

    @Override
    public String getAppVersionCode() {
        return app_version_code;
    }

    @Override
    public String getAppPackageName() {
        return app_package_name;
    }
}
