package hearth;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The function that a stem is warmed by. */
public final class Rehearsal implements RequestHandler<Map<String, Object>, Map<String, Object>> {
    /** What Gson is shown of classes. */
    public static final class Event {
        String version;
        int n;
        Map<String, String> headers;
        List<Object> list;
    }

    public Event handle(Event event, Context context) {
        context.getAwsRequestId();
        return event;
    }

    @Override
    public Map<String, Object> handleRequest(Map<String, Object> event, Context context) {
        Map<String, Object> answer = new HashMap<>();
        answer.put("statusCode", 200);
        answer.put("body", event.get("version"));
        context.getRemainingTimeInMillis();
        return answer;
    }
}
