// The levels of a log event, as AWS documents them:
// https://docs.aws.amazon.com/lambda/latest/dg/java-logging.html
package com.amazonaws.services.lambda.runtime.logging;

public enum LogLevel {
    UNDEFINED,
    TRACE,
    DEBUG,
    INFO,
    WARN,
    ERROR,
    FATAL
}
