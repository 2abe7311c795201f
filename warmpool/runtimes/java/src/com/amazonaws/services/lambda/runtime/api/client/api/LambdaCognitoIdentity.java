package com.amazonaws.services.lambda.runtime.api.client.api;

import com.amazonaws.services.lambda.runtime.CognitoIdentity;

public class LambdaCognitoIdentity implements CognitoIdentity {
    private final String cognitoIdentityId;
    private final String cognitoIdentityPoolId;

    public LambdaCognitoIdentity(String identityId, String poolId) {
        this.cognitoIdentityId = identityId;
        this.cognitoIdentityPoolId = poolId;
    }

    @Override
    public String getIdentityId() {
        return cognitoIdentityId;
    }

    @Override
    public String getIdentityPoolId() {
        return cognitoIdentityPoolId;
    }
}
