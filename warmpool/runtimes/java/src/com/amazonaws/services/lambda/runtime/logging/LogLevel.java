// The levels of a log event, as AWS documents them:
// https://docs.aws.amazon.com/lambda/latest/dg/java-logging.html
package com.amazonaws.services.lambda.runtime.logging;

import java.util.Locale;

public enum LogLevel {
    UNDEFINED,
    TRACE,
    DEBUG,
    INFO,
    WARN,
    ERROR,
    FATAL;

    public static LogLevel fromString(String level) {
        for (LogLevel l : values()) {
            if (level != null && l.name().equals(level.toUpperCase(Locale.ROOT))) {
                return l;
            }
        }
        throw new IllegalArgumentException("Invalid log level: '" + level + "' expected one of [TRACE, DEBUG, INFO, WARN, ERROR, FATAL]");
    }
}
