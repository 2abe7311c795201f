// The interface that functions are written against, as AWS documents it:
// https://docs.aws.amazon.com/lambda/latest/dg/java-handler.html
package com.amazonaws.services.lambda.runtime;

public interface CognitoIdentity {
    String getIdentityId();

    String getIdentityPoolId();
}
