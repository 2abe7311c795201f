package hearth;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Proxy;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;

/**
 * Contexts of the function's own interface, which is the one of its jar where it
 * brings one: so they are proxies, and know methods by their names.
 */
final class Contexts {
    private static final String API = "com.amazonaws.services.lambda.runtime.";

    final Class<?> type;

    private final ClassLoader loader;
    private final Bootstrap bootstrap;
    private final JsonObject init;
    private final Object logger;

    Contexts(ClassLoader loader, Bootstrap bootstrap, JsonObject init) throws ClassNotFoundException {
        this.loader = loader;
        this.bootstrap = bootstrap;
        this.init = init;
        type = loader.loadClass(API + "Context");
        logger = proxy("LambdaLogger", (self, method, arguments) -> {
            if (method.getName().equals("log")) {
                Object message = arguments[0];
                bootstrap.log(message instanceof byte[] ? new String((byte[]) message, StandardCharsets.UTF_8) : String.valueOf(message));
                return null;
            }
            return plain(self, method.getName(), arguments);
        });
    }

    private Object proxy(String name, InvocationHandler handler) throws ClassNotFoundException {
        return Proxy.newProxyInstance(loader, new Class<?>[] {loader.loadClass(API + name)}, handler);
    }

    /** What every object has; null for a method that this runtime does not know. */
    private static Object plain(Object self, String name, Object[] arguments) {
        switch (name) {
            case "hashCode":
                return System.identityHashCode(self);
            case "equals":
                return self == arguments[0];
            case "toString":
                return self.getClass().getInterfaces()[0].getSimpleName() + "@" + Integer.toHexString(System.identityHashCode(self));
            default:
                return null;
        }
    }

    Object make(Invocation in) throws ClassNotFoundException {
        return Proxy.newProxyInstance(loader, new Class<?>[] {type}, (self, method, arguments) -> {
            switch (method.getName()) {
                case "getAwsRequestId":
                    return in.requestId;
                case "getLogGroupName":
                    return text("log_group");
                case "getLogStreamName":
                    return text("log_stream");
                case "getFunctionName":
                    return text("function_name");
                case "getFunctionVersion":
                    return text("function_version");
                case "getInvokedFunctionArn":
                    return in.arn.isEmpty() ? text("invoked_function_arn") : in.arn;
                case "getIdentity":
                    return identity(in.identity);
                case "getClientContext":
                    return client(in.client);
                case "getRemainingTimeInMillis":
                    return in.remainingMillis();
                case "getMemoryLimitInMB":
                    return init.get("memory_mb").getAsInt();
                case "getLogger":
                    return logger;
                case "getXrayTraceId":
                    return in.trace.isEmpty() ? null : in.trace;
                default:
                    return plain(self, method.getName(), arguments);
            }
        });
    }

    private String text(String member) {
        return init.get(member).getAsString();
    }

    // The shapes of both are those of the mobile SDKs, which send them.
    private Object identity(String json) throws ClassNotFoundException {
        JsonObject o = parse(json);
        return proxy("CognitoIdentity", (self, method, arguments) -> {
            switch (method.getName()) {
                case "getIdentityId":
                    return member(o, "cognitoIdentityId");
                case "getIdentityPoolId":
                    return member(o, "cognitoIdentityPoolId");
                default:
                    return plain(self, method.getName(), arguments);
            }
        });
    }

    private Object client(String json) throws ClassNotFoundException {
        JsonObject o = parse(json);
        if (o == null) {
            return null;
        }
        Object client = o.has("client") ? proxy("Client", (self, method, arguments) -> {
            String name = method.getName();
            if (!name.startsWith("get") || method.getParameterCount() > 0) {
                return plain(self, name, arguments);
            }
            // getInstallationId is installation_id.
            return member(o.getAsJsonObject("client"), name.substring(3).replaceAll("(?<!^)([A-Z])", "_$1").toLowerCase(java.util.Locale.ROOT));
        }) : null;
        return proxy("ClientContext", (self, method, arguments) -> {
            switch (method.getName()) {
                case "getClient":
                    return client;
                case "getCustom":
                    return map(o, "custom");
                case "getEnvironment":
                    return map(o, "env");
                default:
                    return plain(self, method.getName(), arguments);
            }
        });
    }

    private static JsonObject parse(String json) {
        return json.isEmpty() ? null : JsonParser.parseString(json).getAsJsonObject();
    }

    private static String member(JsonObject o, String name) {
        return o == null || !o.has(name) || o.get(name).isJsonNull() ? null : o.get(name).getAsString();
    }

    private static Map<String, String> map(JsonObject o, String name) {
        if (!o.has(name) || !o.get(name).isJsonObject()) {
            return null;
        }
        Map<String, String> map = new HashMap<>();
        o.getAsJsonObject(name).entrySet().forEach(e -> map.put(e.getKey(), e.getValue().isJsonPrimitive() ? e.getValue().getAsString() : e.getValue().toString()));
        return map;
    }
}
