package hearth;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.DeserializationContext;
import com.fasterxml.jackson.databind.JsonDeserializer;
import com.fasterxml.jackson.databind.JsonSerializer;
import com.fasterxml.jackson.databind.KeyDeserializer;
import com.fasterxml.jackson.databind.SerializerProvider;
import com.fasterxml.jackson.databind.module.SimpleModule;
import java.io.IOException;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.MonthDay;
import java.time.OffsetDateTime;
import java.time.OffsetTime;
import java.time.Period;
import java.time.Year;
import java.time.YearMonth;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.util.function.Function;

/**
 * java.time as jackson-datatype-jsr310 has it with the settings of Lambda's runtime: an
 * instant goes out as seconds with nine digits, a date as an array of its parts; both,
 * and ISO 8601, are read.
 */
final class Times extends SimpleModule {
    private static final long serialVersionUID = 1;
    private static final BigDecimal SECOND = BigDecimal.valueOf(1_000_000_000L);

    /** Writes the parts of a value. */
    private interface Write<T> {
        void write(T value, JsonGenerator out) throws IOException;
    }

    Times() {
        super("hearth-times");
        seconds(Instant.class, Times::instant, i -> i, i -> i);
        seconds(OffsetDateTime.class, s -> OffsetDateTime.parse(s).withOffsetSameInstant(ZoneOffset.UTC), OffsetDateTime::toInstant, i -> i.atOffset(ZoneOffset.UTC));
        seconds(ZonedDateTime.class, s -> ZonedDateTime.parse(s).withZoneSameInstant(ZoneId.of("UTC")), ZonedDateTime::toInstant, i -> i.atZone(ZoneId.of("UTC")));
        seconds(Duration.class, Duration::parse, d -> Instant.ofEpochSecond(d.getSeconds(), d.getNano()), i -> Duration.ofSeconds(i.getEpochSecond(), i.getNano()));
        parts(LocalDate.class, s -> LocalDate.parse(s.length() > 10 && s.charAt(10) == 'T' ? s.substring(0, 10) : s),
                p -> LocalDate.of(p[0], p[1], p[2]), (d, out) -> numbers(out, d.getYear(), d.getMonthValue(), d.getDayOfMonth()));
        parts(LocalDateTime.class, s -> LocalDateTime.parse(s.endsWith("Z") ? s.substring(0, s.length() - 1) : s),
                p -> LocalDateTime.of(p[0], p[1], p[2], p[3], p[4], at(p, 5), at(p, 6)), (d, out) -> {
                    numbers(out, d.getYear(), d.getMonthValue(), d.getDayOfMonth());
                    time(out, d.toLocalTime());
                });
        parts(LocalTime.class, LocalTime::parse, p -> LocalTime.of(p[0], p[1], at(p, 2), at(p, 3)), (t, out) -> time(out, t));
        parts(YearMonth.class, YearMonth::parse, p -> YearMonth.of(p[0], p[1]), (m, out) -> numbers(out, m.getYear(), m.getMonthValue()));
        parts(OffsetTime.class, OffsetTime::parse, null, (t, out) -> {
            time(out, t.toLocalTime());
            out.writeString(t.getOffset().toString());
        });
        addSerializer(Year.class, serializer((y, out) -> out.writeNumber(y.getValue())));
        reads(Year.class, Year::parse, n -> Year.of(n.intValueExact()), null);
        text(MonthDay.class, MonthDay::parse);
        text(Period.class, Period::parse);
        text(ZoneId.class, ZoneId::of);
        text(ZoneOffset.class, ZoneOffset::of);
    }

    private static Instant instant(String text) {
        return OffsetDateTime.parse(text).toInstant();
    }

    private <T> void seconds(Class<T> type, Function<String, T> parse, Function<T, Instant> to, Function<Instant, T> from) {
        addSerializer(type, serializer((value, out) -> {
            Instant i = to.apply(value);
            BigDecimal seconds = BigDecimal.valueOf(i.getEpochSecond()).add(BigDecimal.valueOf(i.getNano(), 9));
            out.writeNumber(seconds.signum() == 0 ? seconds.setScale(1) : seconds.setScale(9));
        }));
        reads(type, parse, n -> {
            BigDecimal whole = n.setScale(0, RoundingMode.FLOOR);
            return from.apply(Instant.ofEpochSecond(whole.longValueExact(), n.subtract(whole).multiply(SECOND).longValue()));
        }, null);
    }

    private <T> void parts(Class<T> type, Function<String, T> parse, Function<int[], T> of, Write<T> write) {
        addSerializer(type, serializer((value, out) -> {
            out.writeStartArray();
            write.write(value, out);
            out.writeEndArray();
        }));
        reads(type, parse, type == LocalDate.class ? n -> type.cast(LocalDate.ofEpochDay(n.longValueExact())) : null, of);
    }

    private <T> void text(Class<T> type, Function<String, T> parse) {
        addSerializer(type, serializer((value, out) -> out.writeString(value.toString())));
        reads(type, parse, null, null);
    }

    private static void numbers(JsonGenerator out, int... all) throws IOException {
        for (int n : all) {
            out.writeNumber(n);
        }
    }

    private static void time(JsonGenerator out, LocalTime t) throws IOException {
        numbers(out, t.getHour(), t.getMinute());
        if (t.getSecond() > 0 || t.getNano() > 0) {
            out.writeNumber(t.getSecond());
        }
        if (t.getNano() > 0) {
            out.writeNumber(t.getNano());
        }
    }

    private static int at(int[] parts, int index) {
        return index < parts.length ? parts[index] : 0;
    }

    private static <T> JsonSerializer<T> serializer(Write<T> write) {
        return new JsonSerializer<>() {
            @Override
            public void serialize(T value, JsonGenerator out, SerializerProvider provider) throws IOException {
                write.write(value, out);
            }
        };
    }

    /** Reads a type from text, a number where it can be one, and its parts likewise. */
    private <T> void reads(Class<T> type, Function<String, T> parse, Function<BigDecimal, T> number, Function<int[], T> parts) {
        addDeserializer(type, new JsonDeserializer<>() {
            @Override
            public T deserialize(JsonParser in, DeserializationContext context) throws IOException {
                try {
                    JsonToken token = in.currentToken();
                    if (token == JsonToken.VALUE_STRING) {
                        String text = in.getText().trim();
                        if (text.isEmpty()) {
                            return null;
                        }
                        return number != null && text.matches("-?[0-9]+(\\.[0-9]*)?") ? number.apply(new BigDecimal(text)) : parse.apply(text);
                    }
                    if (token.isNumeric() && number != null) {
                        return number.apply(in.getDecimalValue());
                    }
                    if (token == JsonToken.START_ARRAY && parts != null) {
                        return parts.apply(context.readValue(in, int[].class));
                    }
                } catch (DateTimeException | ArithmeticException | IndexOutOfBoundsException e) {
                    throw context.weirdStringException(in.getText(), type, e.getMessage());
                }
                return type.cast(context.handleUnexpectedToken(type, in));
            }
        });
        addKeyDeserializer(type, new KeyDeserializer() {
            @Override
            public Object deserializeKey(String key, DeserializationContext context) throws IOException {
                try {
                    return parse.apply(key);
                } catch (DateTimeException e) {
                    return context.handleWeirdKey(type, key, e.getMessage());
                }
            }
        });
    }
}
