// Where code without a context, such as an appender for Log4j, finds the logger.
package com.amazonaws.services.lambda.runtime;

import java.nio.charset.StandardCharsets;

public final class LambdaRuntime {
    private static volatile LambdaLogger logger = new LambdaLogger() {
        @Override
        public void log(String message) {
            System.out.print(message);
        }

        @Override
        public void log(byte[] message) {
            System.out.print(new String(message, StandardCharsets.UTF_8));
        }
    };

    private LambdaRuntime() {}

    public static LambdaLogger getLogger() {
        return logger;
    }

    static void setLogger(LambdaLogger l) {
        logger = l;
    }
}
