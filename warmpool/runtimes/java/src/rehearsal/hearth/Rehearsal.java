package hearth;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import java.time.Instant;
import java.util.Date;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The function that a stem is warmed by. */
public final class Rehearsal implements RequestHandler<Map<String, Object>, Map<String, Object>> {
    /** What Jackson is shown of classes. */
    public static final class Event {
        private String version;
        private int n;
        private Map<String, String> headers;
        private List<Object> list;
        public Instant instant = Instant.EPOCH;
        public Optional<Date> date = Optional.of(new Date());

        public String getVersion() {
            return version;
        }

        public void setVersion(String version) {
            this.version = version;
        }

        public int getN() {
            return n;
        }

        public void setN(int n) {
            this.n = n;
        }

        public Map<String, String> getHeaders() {
            return headers;
        }

        public void setHeaders(Map<String, String> headers) {
            this.headers = headers;
        }

        public List<Object> getList() {
            return list;
        }

        public void setList(List<Object> list) {
            this.list = list;
        }
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
