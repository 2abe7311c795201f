package com.amazonaws.services.lambda.runtime.api.client.api;

import com.amazonaws.services.lambda.runtime.Client;
import com.amazonaws.services.lambda.runtime.ClientContext;
import java.util.Map;

public class LambdaClientContext implements ClientContext {
    private final LambdaClientContextClient client;
    private final Map<String, String> custom;
    private final Map<String, String> env;

    public LambdaClientContext(LambdaClientContextClient client, Map<String, String> custom, Map<String, String> env) {
        this.client = client;
        this.custom = custom;
        this.env = env;
    }

    @Override
    public Client getClient() {
        return client;
    }

    @Override
    public Map<String, String> getCustom() {
        return custom;
    }

    @Override
    public Map<String, String> getEnvironment() {
        return env;
    }
}
