package hearth;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.databind.BeanProperty;
import com.fasterxml.jackson.databind.DeserializationContext;
import com.fasterxml.jackson.databind.JavaType;
import com.fasterxml.jackson.databind.JsonDeserializer;
import com.fasterxml.jackson.databind.JsonSerializer;
import com.fasterxml.jackson.databind.SerializerProvider;
import com.fasterxml.jackson.databind.deser.ContextualDeserializer;
import com.fasterxml.jackson.databind.module.SimpleModule;
import com.fasterxml.jackson.databind.ser.std.StdSerializer;
import java.io.IOException;
import java.util.Iterator;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.function.Function;
import java.util.stream.BaseStream;

/** Optionals as the value or null, and streams as arrays, as jackson-datatype-jdk8 has them. */
final class Optionals extends SimpleModule {
    private static final long serialVersionUID = 1;

    Optionals() {
        super("hearth-optionals");
        add(Optional.class, o -> ((Optional<?>) o).orElse(null));
        add(OptionalInt.class, o -> o.isPresent() ? o.getAsInt() : null);
        add(OptionalLong.class, o -> o.isPresent() ? o.getAsLong() : null);
        add(OptionalDouble.class, o -> o.isPresent() ? o.getAsDouble() : null);
        addDeserializer(Optional.class, new Read(null));
        addDeserializer(OptionalInt.class, new ReadNumber<>(OptionalInt.empty(), n -> OptionalInt.of(n.intValue())));
        addDeserializer(OptionalLong.class, new ReadNumber<>(OptionalLong.empty(), n -> OptionalLong.of(n.longValue())));
        addDeserializer(OptionalDouble.class, new ReadNumber<>(OptionalDouble.empty(), n -> OptionalDouble.of(n.doubleValue())));
        addSerializer(new StdSerializer<BaseStream<?, ?>>(BaseStream.class, false) {
            private static final long serialVersionUID = 1;

            @Override
            public void serialize(BaseStream<?, ?> stream, JsonGenerator out, SerializerProvider provider) throws IOException {
                out.writeStartArray();
                for (Iterator<?> i = stream.iterator(); i.hasNext();) {
                    provider.defaultSerializeValue(i.next(), out);
                }
                out.writeEndArray();
            }
        });
    }

    private <T> void add(Class<T> type, Function<T, Object> value) {
        addSerializer(type, new JsonSerializer<>() {
            @Override
            public void serialize(T o, JsonGenerator out, SerializerProvider provider) throws IOException {
                provider.defaultSerializeValue(value.apply(o), out);
            }
        });
    }

    private static final class Read extends JsonDeserializer<Optional<?>> implements ContextualDeserializer {
        private final JavaType type; // of the value; null before the member is known

        Read(JavaType type) {
            this.type = type;
        }

        @Override
        public JsonDeserializer<?> createContextual(DeserializationContext context, BeanProperty property) {
            return new Read(context.getContextualType().containedTypeOrUnknown(0));
        }

        @Override
        public Optional<?> deserialize(JsonParser in, DeserializationContext context) throws IOException {
            return Optional.ofNullable(context.readValue(in, type));
        }

        @Override
        public Optional<?> getNullValue(DeserializationContext context) {
            return Optional.empty();
        }
    }

    private static final class ReadNumber<T> extends JsonDeserializer<T> {
        private final T empty;
        private final Function<Number, T> of;

        ReadNumber(T empty, Function<Number, T> of) {
            this.empty = empty;
            this.of = of;
        }

        @Override
        public T deserialize(JsonParser in, DeserializationContext context) throws IOException {
            Number n = context.readValue(in, Number.class);
            return n == null ? empty : of.apply(n);
        }

        @Override
        public T getNullValue(DeserializationContext context) {
            return empty;
        }
    }
}
