package example;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import com.amazonaws.services.lambda.runtime.RequestStreamHandler;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** Handlers of every kind, for the tests. */
public class Functions implements RequestHandler<Map<String, Object>, Map<String, Object>> {
    static Map<String, Object> answer(Object body) {
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("statusCode", 200);
        answer.put("body", String.valueOf(body));
        return answer;
    }

    @Override
    public Map<String, Object> handleRequest(Map<String, Object> event, Context context) {
        String path = (String) event.get("rawPath");
        switch (path.substring(path.lastIndexOf('/') + 1)) {
            case "context":
                return answer(context.getFunctionName() + " " + context.getFunctionVersion() + " " + context.getMemoryLimitInMB() + " "
                        + context.getInvokedFunctionArn() + " " + (context.getAwsRequestId().length() == 36) + " "
                        + (context.getRemainingTimeInMillis() > 1000) + " " + context.getLogGroupName() + " " + (context.getIdentity().getIdentityId() == null)
                        + " " + (context.getClientContext() == null));
            case "env":
                return answer(System.getenv("OWN") + " " + System.getenv().get("AWS_LAMBDA_FUNCTION_NAME") + " " + System.getenv("_HANDLER"));
            case "variables":
                return answer(String.join(" ", new java.util.TreeSet<>(System.getenv().keySet())));
            case "print":
                System.out.println("printed to stdout");
                System.err.print("printed to stderr");
                context.getLogger().log("logged\nin two lines");
                return answer("printed");
            case "fail":
                throw new IllegalStateException("asked to fail", new RuntimeException("the cause"));
            case "exit":
                System.exit(3);
                return null;
            case "large":
                return answer("x".repeat(7 << 20));
            case "sleep":
                try {
                    Thread.sleep(60_000);
                } catch (InterruptedException e) {
                    throw new RuntimeException(e);
                }
                return null;
            case "memory":
                byte[][] all = new byte[4096][];
                for (int i = 0; i < all.length; i++) {
                    all[i] = new byte[1 << 20];
                }
                return answer(all.length);
            case "file":
                try {
                    return answer(new String(Files.readAllBytes(Paths.get("data.txt"))) + new String(Files.readAllBytes(Paths.get("/var/task/data.txt"))));
                } catch (IOException e) {
                    return answer(e);
                }
            case "cache":
                try {
                    Package own = Functions.class.getPackage();
                    return answer(new String(Files.readAllBytes(Paths.get("/proc/self/maps")), StandardCharsets.UTF_8).contains("/var/cache/classes") + " "
                            + Functions.class.getProtectionDomain().getCodeSource().getLocation() + " " + own.getImplementationVersion()
                            + " " + own.getSpecificationTitle() + " " + Functions.class.getResource("Functions.class"));
                } catch (IOException e) {
                    return answer(e);
                }
            case "loader":
                return answer(Arrays.stream(new String[] {"com.google.gson.Gson", "hearth.Bootstrap"}).map(name -> {
                    try {
                        return Class.forName(name).getSimpleName();
                    } catch (ClassNotFoundException e) {
                        return "none";
                    }
                }).collect(Collectors.joining(" ")));
            default:
                return answer("hello from Java " + (event.get("version") instanceof String));
        }
    }

    public static class Request {
        private String rawPath;
        private Map<String, String> headers;
        public Http requestContext;

        public String getRawPath() {
            return rawPath;
        }

        public void setRawPath(String path) {
            rawPath = path;
        }

        public void setHeaders(Map<String, String> headers) {
            this.headers = headers;
        }

        public static class Http {
            public Inner http;
            public long timeEpoch;
        }

        public static class Inner {
            public String method;
        }
    }

    public static class Response {
        public int statusCode = 200;
        public String body;
    }

    public Response pojo(Request request, Context context) {
        Response r = new Response();
        r.body = request.getRawPath() + " " + request.headers.containsKey("user-agent") + " " + request.requestContext.http.method + " " + (request.requestContext.timeEpoch > 0);
        return r;
    }

    public static Map<String, Object> onlyEvent(Map<String, Object> event) {
        return answer("only event");
    }

    public Map<String, Object> nothing() {
        return answer("nothing taken");
    }

    public String text(Map<String, Object> event) {
        return "plain text";
    }

    public void none(Map<String, Object> event, Context context) {}

    public void streams(InputStream in, OutputStream out, Context context) throws IOException {
        byte[] event = in.readAllBytes();
        out.write(("{\"statusCode\":200,\"body\":\"streamed " + (event.length > 100) + "\"}").getBytes(StandardCharsets.UTF_8));
    }

    public Map<String, Object> wrong(String text, Context context) {
        return answer(text);
    }

    public Map<String, Object> list(List<Integer> numbers) {
        return answer(numbers);
    }

    public abstract static class Base<I, O> implements RequestHandler<I, O> {}

    public static class Generic extends Base<Request, Response> {
        @Override
        public Response handleRequest(Request request, Context context) {
            Response r = new Response();
            r.body = "generic " + request.getRawPath();
            return r;
        }
    }

    public static class Stream implements RequestStreamHandler {
        @Override
        public void handleRequest(InputStream in, OutputStream out, Context context) throws IOException {
            out.write("{\"statusCode\":200,\"body\":\"by interface\"}".getBytes(StandardCharsets.UTF_8));
        }
    }

    public abstract static class Abstract implements RequestStreamHandler {}

    public static class Private implements RequestStreamHandler {
        private Private() {}

        @Override
        public void handleRequest(InputStream in, OutputStream out, Context context) {}
    }

    public static class Throws implements RequestStreamHandler {
        public Throws() {
            throw new IllegalArgumentException("from the constructor");
        }

        @Override
        public void handleRequest(InputStream in, OutputStream out, Context context) {}
    }
}
