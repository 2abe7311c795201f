package com.amazonaws.services.lambda.runtime.api.client.logging;

import com.amazonaws.services.lambda.runtime.LambdaLogger;
import com.amazonaws.services.lambda.runtime.logging.LogFormat;
import com.amazonaws.services.lambda.runtime.logging.LogLevel;
import java.nio.charset.StandardCharsets;
import java.util.function.Consumer;

/** The logger of a context. Where its lines go is not a part of it when it is written as JSON. */
public class LambdaContextLogger implements LambdaLogger {
    private final transient Consumer<String> sink;

    public LambdaContextLogger(Consumer<String> sink) {
        this.sink = sink;
    }

    @Override
    public void log(String message) {
        sink.accept(String.valueOf(message));
    }

    @Override
    public void log(byte[] message) {
        sink.accept(message == null ? "null" : new String(message, StandardCharsets.UTF_8));
    }

    @Override
    public void log(String message, LogLevel level) {
        log(level == LogLevel.UNDEFINED ? message : "[" + level + "] " + message);
    }

    public LogFormat getLogFormat() {
        return LogFormat.TEXT;
    }
}
