import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import java.util.HashMap;
import java.util.Map;

/** What lib/function.jar holds, compiled for Java 11. */
public class Function implements RequestHandler<Map<String, Object>, Map<String, Object>> {
    @Override
    public Map<String, Object> handleRequest(Map<String, Object> event, Context context) {
        Map<String, Object> answer = new HashMap<>();
        answer.put("statusCode", 200);
        answer.put("headers", Map.of("content-type", "application/json"));
        answer.put("body", "{\"message\":\"Hello, world!\"}");
        return answer;
    }
}
