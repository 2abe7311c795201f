package com.amazonaws.services.lambda.runtime.api.client.logging;

import com.amazonaws.services.lambda.runtime.LambdaLogger;
import com.amazonaws.services.lambda.runtime.logging.LogFormat;
import com.amazonaws.services.lambda.runtime.logging.LogLevel;
import java.nio.charset.StandardCharsets;
import java.util.function.BiFunction;
import java.util.function.Consumer;

/** The logger of a context. How and where it writes is not a part of it when it is written as JSON. */
public class LambdaContextLogger implements LambdaLogger {
    private final transient Consumer<String> sink;
    private final transient BiFunction<String, LogLevel, String> json; // null: the format is text
    private final transient LogLevel least; // what is below is not written

    public LambdaContextLogger(Consumer<String> sink) {
        this(sink, null, LogLevel.UNDEFINED);
    }

    public LambdaContextLogger(Consumer<String> sink, BiFunction<String, LogLevel, String> json, LogLevel least) {
        this.sink = sink;
        this.json = json;
        this.least = least;
    }

    @Override
    public void log(String message) {
        log(message, LogLevel.UNDEFINED);
    }

    @Override
    public void log(String message, LogLevel level) {
        if (!takes(level)) {
            return;
        }
        if (json != null) {
            sink.accept(json.apply(message, level));
        } else {
            sink.accept(level == LogLevel.UNDEFINED ? String.valueOf(message) : "[" + level + "] " + message);
        }
    }

    /** Bytes are written as they are. */
    @Override
    public void log(byte[] message) {
        log(message, LogLevel.UNDEFINED);
    }

    @Override
    public void log(byte[] message, LogLevel level) {
        if (takes(level)) {
            sink.accept(message == null ? "null" : new String(message, StandardCharsets.UTF_8));
        }
    }

    private boolean takes(LogLevel level) {
        return level == LogLevel.UNDEFINED || level.compareTo(least) >= 0;
    }

    public LogFormat getLogFormat() {
        return json == null ? LogFormat.TEXT : LogFormat.JSON;
    }
}
