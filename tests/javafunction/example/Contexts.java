package example;

import com.amazonaws.services.lambda.runtime.Context;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.google.gson.Gson;
import java.util.Map;

/** A function with JSON libraries of its own, which writes its context with them. */
public class Contexts {
    public Map<String, Object> handle(Map<String, Object> event, Context context) throws Exception {
        context.getLogger().log("with a level", com.amazonaws.services.lambda.runtime.logging.LogLevel.WARN);
        com.amazonaws.services.lambda.runtime.LambdaRuntime.getLogger().log("without a context");
        return Map.of("gson", new Gson().toJson(context), "jackson", new ObjectMapper().writeValueAsString(context),
                "loader", String.valueOf(ObjectMapper.class.getClassLoader() == Contexts.class.getClassLoader()), "type", context.getClass().getName());
    }
}
