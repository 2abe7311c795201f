package com.amazonaws.services.lambda.runtime.api.client.api;

import com.amazonaws.services.lambda.runtime.ClientContext;
import com.amazonaws.services.lambda.runtime.CognitoIdentity;
import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.LambdaLogger;

/** A plain object, which every JSON library can write: functions log their context. */
public class LambdaContext implements Context {
    private final int memoryLimit;
    private final String awsRequestId;
    private final String logGroupName;
    private final String logStreamName;
    private final String functionName;
    private final String functionVersion;
    private final String invokedFunctionArn;
    private final long deadlineTimeInMs;
    private final CognitoIdentity cognitoIdentity;
    private final ClientContext clientContext;
    private final String tenantId;
    private final String xrayTraceId;
    private final LambdaLogger logger;

    public LambdaContext(int memoryLimit, long deadlineTimeInMs, String requestId, String logGroupName, String logStreamName,
            String functionName, CognitoIdentity identity, String functionVersion, String invokedFunctionArn, String tenantId,
            String xrayTraceId, ClientContext clientContext, LambdaLogger logger) {
        this.memoryLimit = memoryLimit;
        this.awsRequestId = requestId;
        this.logGroupName = logGroupName;
        this.logStreamName = logStreamName;
        this.functionName = functionName;
        this.functionVersion = functionVersion;
        this.invokedFunctionArn = invokedFunctionArn;
        this.deadlineTimeInMs = deadlineTimeInMs;
        this.cognitoIdentity = identity;
        this.clientContext = clientContext;
        this.tenantId = tenantId;
        this.xrayTraceId = xrayTraceId;
        this.logger = logger;
    }

    @Override
    public int getMemoryLimitInMB() {
        return memoryLimit;
    }

    @Override
    public String getAwsRequestId() {
        return awsRequestId;
    }

    @Override
    public String getLogGroupName() {
        return logGroupName;
    }

    @Override
    public String getLogStreamName() {
        return logStreamName;
    }

    @Override
    public String getFunctionName() {
        return functionName;
    }

    @Override
    public String getFunctionVersion() {
        return functionVersion;
    }

    @Override
    public String getInvokedFunctionArn() {
        return invokedFunctionArn;
    }

    @Override
    public CognitoIdentity getIdentity() {
        return cognitoIdentity;
    }

    @Override
    public ClientContext getClientContext() {
        return clientContext;
    }

    @Override
    public int getRemainingTimeInMillis() {
        return (int) Math.max(0, deadlineTimeInMs - System.currentTimeMillis());
    }

    @Override
    public String getTenantId() {
        return tenantId;
    }

    @Override
    public String getXrayTraceId() {
        return xrayTraceId;
    }

    @Override
    public LambdaLogger getLogger() {
        return logger;
    }
}
