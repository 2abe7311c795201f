// The formats of a function's log, as AWS documents them:
// https://docs.aws.amazon.com/lambda/latest/dg/java-logging.html
package com.amazonaws.services.lambda.runtime.logging;

import java.util.Locale;

public enum LogFormat {
    JSON,
    TEXT;

    public static LogFormat fromString(String format) {
        for (LogFormat f : values()) {
            if (format != null && f.name().equals(format.toUpperCase(Locale.ROOT))) {
                return f;
            }
        }
        throw new IllegalArgumentException("Invalid log format: '" + format + "' expected one of [JSON, TEXT]");
    }
}
