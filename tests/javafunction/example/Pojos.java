package example;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import com.amazonaws.services.lambda.runtime.events.KinesisEvent;
import com.amazonaws.services.lambda.runtime.events.S3Event;
import com.amazonaws.services.lambda.runtime.events.SNSEvent;
import com.amazonaws.services.lambda.runtime.events.SQSEvent;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.OffsetDateTime;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/** Handlers of the function's own types, for the tests. */
public class Pojos {
    public static class Bean {
        private boolean isActive;
        private String name;
        private int calls; // setters are called, fields are not written
        private String hidden = "not shown";
        public List<String> tags;
        public Color color;
        public byte[] bytes;
        public ByteBuffer buffer;
        public Integer none;

        public boolean isActive() {
            return isActive;
        }

        public void setActive(boolean active) {
            isActive = active;
        }

        public String getName() {
            return name;
        }

        public void setName(String name) {
            this.name = name.toUpperCase(java.util.Locale.ROOT);
            calls++;
        }

        public String getGreeting() {
            return "hello " + name + " " + calls;
        }

        public String getURL() {
            return "url";
        }
    }

    public enum Color { RED, GREEN }

    public Bean bean(Bean bean) {
        return bean;
    }

    public static class Times {
        public Date date;
        public Instant instant;
        public LocalDate day;
        public LocalDateTime at;
        public OffsetDateTime offset;
        public Duration duration;
        public Optional<String> some = Optional.of("default");
        public Optional<Instant> nothing;
        public OptionalInt number;
        public Map<LocalDate, Integer> days;
    }

    public Times times(Times times, Context context) {
        return times;
    }

    public record Point(int x, int y, Optional<String> label) {}

    public Point record(Point point) {
        return new Point(point.y(), point.x(), point.label());
    }

    public List<Point> points(List<Point> points) {
        return points;
    }

    public int[] numbers(int[] numbers) {
        return numbers;
    }

    public Color color(Color color) {
        return color;
    }

    public Double number(long number) {
        return number / 2.0;
    }

    public byte[] bytes(byte[] bytes) {
        return bytes;
    }

    public Object anything(Object anything) {
        return anything.getClass().getSimpleName();
    }

    public String input(InputStream in) throws Exception {
        return "not read: a method with a stream gives what it writes";
    }

    public void output(OutputStream out, Context context) throws Exception {
        out.write("\"only out\"".getBytes(StandardCharsets.UTF_8));
    }

    public static class Super {
        public String base = "base";
    }

    public static class Sub extends Super {
        public String more = "more";
    }

    public abstract static class Typed<I, O> implements RequestHandler<List<I>, Map<String, O>> {
        public O last(List<I> all) {
            return null;
        }
    }

    public static class Generic extends Typed<Point, Point> {
        @Override
        public Map<String, Point> handleRequest(List<Point> points, Context context) {
            return Map.of("first", points.get(0));
        }
    }

    public Map<String, Object> sqs(SQSEvent event) {
        SQSEvent.SQSMessage m = event.getRecords().get(0);
        return Map.of("body", m.getBody(), "arn", m.getEventSourceArn(), "attribute", m.getMessageAttributes().get("a").getStringValue());
    }

    public SNSEvent sns(SNSEvent event) {
        return event;
    }

    public Map<String, Object> kinesis(KinesisEvent event) {
        KinesisEvent.Record r = event.getRecords().get(0).getKinesis();
        return Map.of("data", StandardCharsets.UTF_8.decode(r.getData()).toString(), "at", r.getApproximateArrivalTimestamp().getTime());
    }

    public Map<String, Object> s3(S3Event event) {
        var r = event.getRecords().get(0);
        return Map.of("key", r.getS3().getObject().getKey(), "size", r.getS3().getObject().getSizeAsLong(), "bucket", r.getS3().getBucket().getName(),
                "id", r.getResponseElements().getxAmzRequestId(), "version", r.getS3().getObject().getVersionId());
    }

    public void nomessage() {
        throw new IllegalStateException();
    }
}
