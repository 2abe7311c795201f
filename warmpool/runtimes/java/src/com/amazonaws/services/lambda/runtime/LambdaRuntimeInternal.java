// What the runtime and AWS's own libraries tell each other.
package com.amazonaws.services.lambda.runtime;

public final class LambdaRuntimeInternal {
    private static boolean useLog4jAppender;

    private LambdaRuntimeInternal() {}

    public static boolean getUseLog4jAppender() {
        return useLog4jAppender;
    }

    public static void setUseLog4jAppender(boolean use) {
        useLog4jAppender = use;
    }

    public static void setLogger(LambdaLogger logger) {
        LambdaRuntime.setLogger(logger);
    }
}
