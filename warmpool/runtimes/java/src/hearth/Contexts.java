package hearth;

import com.amazonaws.services.lambda.runtime.ClientContext;
import com.amazonaws.services.lambda.runtime.CognitoIdentity;
import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.LambdaLogger;
import com.amazonaws.services.lambda.runtime.api.client.api.LambdaClientContext;
import com.amazonaws.services.lambda.runtime.api.client.api.LambdaClientContextClient;
import com.amazonaws.services.lambda.runtime.api.client.api.LambdaCognitoIdentity;
import com.amazonaws.services.lambda.runtime.api.client.api.LambdaContext;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.util.HashMap;
import java.util.Map;

/** Makes the contexts of invocations. */
final class Contexts {
    private final JsonNode init;
    private final LambdaLogger logger;

    Contexts(JsonNode init, LambdaLogger logger) {
        this.init = init;
        this.logger = logger;
    }

    Context make(Invocation in) throws IOException {
        return new LambdaContext(init.path("memory_mb").asInt(), (long) in.deadlineMillis, in.requestId, text("log_group"), text("log_stream"),
                text("function_name"), identity(in.identity), text("function_version"), in.arn.isEmpty() ? text("invoked_function_arn") : in.arn,
                null, in.trace.isEmpty() ? null : in.trace, client(in.client), logger);
    }

    private String text(String member) {
        return init.path(member).asText();
    }

    // The shapes of both are those of the mobile SDKs, which send them.
    private static CognitoIdentity identity(String json) throws IOException {
        JsonNode o = Json.tree(json);
        return new LambdaCognitoIdentity(member(o, "cognitoIdentityId"), member(o, "cognitoIdentityPoolId"));
    }

    private static ClientContext client(String json) throws IOException {
        if (json.isEmpty()) {
            return null;
        }
        JsonNode o = Json.tree(json);
        JsonNode c = o.path("client");
        LambdaClientContextClient client = !c.isObject() ? null : new LambdaClientContextClient(member(c, "installation_id"),
                member(c, "app_title"), member(c, "app_version_name"), member(c, "app_version_code"), member(c, "app_package_name"));
        return new LambdaClientContext(client, map(o.path("custom")), map(o.path("env")));
    }

    private static String member(JsonNode o, String name) {
        return o.path(name).asText(null);
    }

    private static Map<String, String> map(JsonNode o) {
        if (!o.isObject()) {
            return null;
        }
        Map<String, String> map = new HashMap<>();
        o.fields().forEachRemaining(e -> map.put(e.getKey(), e.getValue().isValueNode() ? e.getValue().asText() : e.getValue().toString()));
        return map;
    }
}
