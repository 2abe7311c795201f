package hearth;

import com.amazonaws.services.lambda.runtime.LambdaRuntimeInternal;
import com.amazonaws.services.lambda.runtime.api.client.logging.LambdaContextLogger;
import com.amazonaws.services.lambda.runtime.logging.LogFormat;
import com.amazonaws.services.lambda.runtime.logging.LogLevel;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.File;
import java.io.FileOutputStream;
import java.io.IOError;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.lang.reflect.Field;
import java.net.MalformedURLException;
import java.net.URL;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The Java runtime: loads a handler and invokes it, as Lambda's does. It speaks
 * frames (package runtimes) over descriptors 3 and 4.
 *
 * <p>Everything of the function comes with the init frame. What can be loaded before
 * is, so that a process that waits for its function has that behind it. Classes of
 * this runtime, and the library it reads JSON with, are not the function's to see.
 */
public final class Bootstrap {
    /** Lambda's limit for a synchronous response in bytes. */
    private static final int MAX_RESPONSE = 6291556;

    private static final DateTimeFormatter TIMESTAMP = DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'").withZone(ZoneOffset.UTC);

    private final Channel channel;
    private volatile int seq;
    private String requestId; // of seq, and written before it
    private LambdaContextLogger logger = new LambdaContextLogger(this::print); // until the format is known

    private Bootstrap(Channel channel) {
        this.channel = channel;
    }

    public static void main(String[] arguments) throws Throwable {
        String home = arguments[0]; // of the interfaces that functions may lack
        if (arguments.length > 1 && arguments[1].equals("rehearse")) {
            rehearse(home); // to be archived
            return;
        }
        if (arguments.length > 1 && arguments[1].equals("precompile")) {
            precompile(arguments[2], arguments[3], arguments[4]);
            return;
        }
        if (arguments.length > 1 && arguments[1].equals("stem")) {
            rehearse(home);
        }
        Channel channel = new Channel();
        channel.send(Channel.BOOTED, 0, 0, "");
        if (!channel.next()) {
            Runtime.getRuntime().halt(0);
        }
        new Bootstrap(channel).run(Json.tree(new String(channel.frame, Channel.HEAD, channel.length - Channel.HEAD, StandardCharsets.UTF_8)));
    }

    int seq() {
        return seq;
    }

    void log(String message) throws IOException {
        channel.send(Channel.LOG, seq, 1, message);
    }

    private void print(String message) {
        try {
            log(message);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Logs an error that ends the init phase or an invocation. */
    private void complain(Throwable error) {
        logger.log(Fault.text(error), logger.getLogFormat() == LogFormat.JSON ? LogLevel.ERROR : LogLevel.UNDEFINED);
    }

    /** The logger that a function gets, in the format and of the level that its environment tells. */
    private LambdaContextLogger logger(Map<String, String> env) {
        LogLevel least = LogLevel.UNDEFINED;
        for (LogLevel level : LogLevel.values()) {
            if (level.name().equalsIgnoreCase(env.get("AWS_LAMBDA_LOG_LEVEL"))) {
                least = level;
            }
        }
        boolean json = LogFormat.JSON.name().equalsIgnoreCase(env.get("AWS_LAMBDA_LOG_FORMAT"));
        return new LambdaContextLogger(this::print, json ? this::line : null, least);
    }

    /** A log event as Lambda's runtime has it in JSON. */
    private String line(String message, LogLevel level) {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("timestamp", TIMESTAMP.format(Instant.now()));
        line.put("message", message);
        line.put("level", level.name());
        if (seq != 0) {
            line.put("AWSRequestId", requestId);
        }
        try {
            return new String(Json.bytes(line), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void run(JsonNode init) throws IOException {
        Output out = new Output(channel, this, 1);
        Output err = new Output(channel, this, 2);
        System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(err, true, StandardCharsets.UTF_8));
        Handler handler;
        boolean traced; // the trace header is in the environment, too
        try {
            String name = init.path("handler").asText();
            if (init.has("wrapped")) {
                name = System.getenv().getOrDefault("_HANDLER", ""); // as a wrapper has left it
            } else {
                adopt(init.path("env"));
            }
            String runtime = System.getenv().getOrDefault("AWS_EXECUTION_ENV", "");
            traced = runtime.startsWith("AWS_Lambda_java8") || runtime.startsWith("AWS_Lambda_java11");
            URL[] path = path(init.path("task_root").asText(), init.path("layer_root").asText());
            ClassLoader loader = new Classes(path, new Gate(), init.path("start_cache").asText());
            Thread.currentThread().setContextClassLoader(loader);
            logger = logger(System.getenv());
            LambdaRuntimeInternal.setLogger(logger);
            handler = Handler.find(name, loader, new Contexts(init, logger), new Json(loader));
        } catch (Throwable e) {
            out.end();
            err.end();
            complain(e);
            channel.send(Channel.INIT_ERROR, 0, 0, Json.bytes(Fault.describe(e)));
            Runtime.getRuntime().halt(1);
            return;
        }
        out.end();
        err.end();
        channel.send(Channel.READY, 0, 0, "");
        String trace = "";
        while (channel.next()) {
            Invocation in = new Invocation(channel.frame, channel.length);
            if (!in.trace.equals(trace)) {
                trace = in.trace;
                if (traced) {
                    trace(trace);
                }
                if (trace.isEmpty()) {
                    System.clearProperty("com.amazonaws.xray.traceHeader");
                } else {
                    System.setProperty("com.amazonaws.xray.traceHeader", trace);
                }
            }
            requestId = in.requestId;
            seq = in.seq;
            ByteArrayOutputStream result = null;
            Throwable error = null;
            try {
                result = handler.invoke(in);
                if (result.size() > MAX_RESPONSE) {
                    error = new Fault("Function.ResponseSizeTooLarge",
                            "Response payload size exceeded maximum allowed payload size (" + MAX_RESPONSE + " bytes).", null);
                }
            } catch (Throwable e) {
                error = e;
            }
            System.out.flush();
            System.err.flush();
            out.end();
            err.end();
            int micros = in.micros();
            if (error == null) {
                channel.send(Channel.RESULT, in.seq, micros, result.toByteArray());
            } else {
                complain(error);
                channel.send(Channel.ERROR, in.seq, micros, Json.bytes(Fault.describe(error)));
                if (error instanceof VirtualMachineError || error instanceof IOError) {
                    System.exit(1); // as Lambda's: nobody knows what state it is in
                }
            }
            seq = 0;
        }
        System.exit(0); // with the function's shutdown hooks
    }

    /**
     * Takes on the function's variables, in place of what the shell has set that started
     * this process: Lambda's Java is started without one.
     */
    private static void adopt(JsonNode env) throws ReflectiveOperationException {
        Map<String, String> variables = variables();
        for (String name : new String[] {"PWD", "OLDPWD", "SHLVL", "_"}) {
            variables.remove(name);
        }
        env.fields().forEachRemaining(e -> variables.put(e.getKey(), e.getValue().asText()));
    }

    /** Puts a call's trace header where the older runtimes have it, beside the property. */
    private static void trace(String header) {
        try {
            if (header.isEmpty()) {
                variables().remove("_X_AMZN_TRACE_ID");
            } else {
                variables().put("_X_AMZN_TRACE_ID", header);
            }
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e); // adopt has done the same
        }
    }

    /**
     * The environment, to change it. Java has read it at its start and offers no way to do
     * so; a process that waited for its function needs one.
     */
    @SuppressWarnings("unchecked")
    private static Map<String, String> variables() throws ReflectiveOperationException {
        Map<String, String> now = System.getenv();
        Field inner = now.getClass().getDeclaredField("m");
        inner.setAccessible(true);
        return (Map<String, String>) inner.get(now);
    }

    /**
     * The class path of a function: its classes, its jars and those of its layers, after
     * the interfaces.
     */
    private static URL[] path(String taskRoot, String layerRoot) throws MalformedURLException {
        List<URL> path = new ArrayList<>();
        path.add(new File(taskRoot + "/").toURI().toURL());
        jars(path, new File(taskRoot, "lib"));
        jars(path, new File(taskRoot));
        jars(path, new File(layerRoot, "java/lib"));
        return path.toArray(new URL[0]);
    }

    private static void jars(List<URL> path, File folder) throws MalformedURLException {
        File[] jars = folder.listFiles((dir, name) -> name.endsWith(".jar"));
        if (jars == null) {
            return;
        }
        Arrays.sort(jars);
        for (File jar : jars) {
            path.add(jar.toURI().toURL());
        }
    }

    /** Does once all that an init phase and an invocation do, so that it is loaded. */
    private static void rehearse(String home) throws Throwable {
        JsonNode init = Json.tree("{\"memory_mb\":128,\"log_group\":\"\",\"log_stream\":\"\",\"function_name\":\"\",\"function_version\":\"\","
                + "\"invoked_function_arn\":\"\",\"env\":{}}");
        ClassLoader loader = new Classes(new URL[] {new File(home, "rehearsal.jar").toURI().toURL()}, new Gate(), "");
        adopt(init.path("env"));
        Json json = new Json(loader);
        Contexts contexts = new Contexts(init, new LambdaContextLogger(message -> {}));
        for (String handler : new String[] {"hearth.Rehearsal::handle", "hearth.Rehearsal"}) {
            Handler found = Handler.find(handler, loader, contexts, json);
            for (int i = 0; i < 3; i++) {
                byte[] frame = frame("{\"version\":\"2.0\",\"n\":1,\"headers\":{\"host\":\"localhost\"},\"list\":[1,2.5,true,null]}");
                found.invoke(new Invocation(frame, frame.length));
            }
        }
        Json.bytes(Fault.describe(new IllegalStateException("x")));
        Fault.text(new Fault("x", "y", null));
        new PrintStream(new ByteArrayOutputStream(), true, StandardCharsets.UTF_8).println("x");
    }

    /**
     * Loads a handler as an init phase does, and writes the start cache to descriptor 3. If the
     * handler cannot be loaded without the function's variables, the start cache has what was loaded
     * until then.
     */
    private static void precompile(String taskRoot, String layerRoot, String name) throws Throwable {
        JsonNode init = Json.tree("{}");
        Classes loader = new Classes(path(taskRoot, layerRoot), new Gate());
        Thread.currentThread().setContextClassLoader(loader);
        LambdaContextLogger logger = new LambdaContextLogger(message -> {});
        LambdaRuntimeInternal.setLogger(logger);
        DataOutputStream out = new DataOutputStream(new FileOutputStream(Channel.descriptor(3)));
        try {
            Handler.find(name, loader, new Contexts(init, logger), new Json(loader));
        } catch (Throwable e) {
            System.err.println(e);
        }
        Classes.send(out, Classes.FILE, loader.cache());
        Runtime.getRuntime().halt(0); // whatever the function has started
    }

    private static byte[] frame(String event) {
        byte[] text = event.getBytes(StandardCharsets.UTF_8);
        ByteBuffer b = ByteBuffer.allocate(Channel.HEAD + 18 + text.length).order(ByteOrder.LITTLE_ENDIAN);
        b.putShort(2, (short) 18).putInt(4, 18 + text.length);
        b.position(Channel.HEAD + 18);
        b.put(text);
        return b.array();
    }
}
