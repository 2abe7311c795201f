package hearth;

import com.amazonaws.services.lambda.runtime.CustomPojoSerializer;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.core.json.JsonWriteFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JavaType;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.ObjectWriter;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.reflect.Method;
import java.lang.reflect.Type;
import java.util.Iterator;
import java.util.Map;
import java.util.ServiceLoader;

/**
 * Events and results as objects of the function's types, by Jackson with the settings
 * that Lambda's runtime gives it (aws-lambda-java-serialization), so that the same
 * members are read and written.
 */
final class Json {
    /** Reads an event. */
    interface Reader {
        Object read(Invocation in) throws Exception;
    }

    /** Writes a result. */
    interface Writer {
        void write(Object value, OutputStream out) throws Exception;
    }

    private static final ObjectMapper PLAIN = mapper();

    private final ClassLoader functions;
    private final CustomPojoSerializer custom; // null unless the function brings one

    Json(ClassLoader functions) throws Fault {
        this.functions = functions;
        custom = functions.getResource("META-INF/services/" + CustomPojoSerializer.class.getName()) == null ? null : custom(functions);
    }

    private static CustomPojoSerializer custom(ClassLoader functions) throws Fault {
        Iterator<CustomPojoSerializer> all = ServiceLoader.load(CustomPojoSerializer.class, functions).iterator();
        CustomPojoSerializer first = all.hasNext() ? all.next() : null;
        if (all.hasNext()) {
            throw new Fault("com.amazonaws.services.lambda.runtime.api.client.TooManyServiceProvidersFoundException",
                    "Too many serializers provided inside the META-INF/services folder, only one is allowed", null);
        }
        return first;
    }

    private static ObjectMapper mapper() {
        JsonFactory factory = JsonFactory.builder()
                .enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS, JsonReadFeature.ALLOW_LEADING_ZEROS_FOR_NUMBERS,
                        JsonReadFeature.ALLOW_SINGLE_QUOTES, JsonReadFeature.ALLOW_BACKSLASH_ESCAPING_ANY_CHARACTER,
                        JsonReadFeature.ALLOW_UNESCAPED_CONTROL_CHARS, JsonReadFeature.ALLOW_UNQUOTED_FIELD_NAMES)
                .enable(JsonWriteFeature.WRITE_NAN_AS_STRINGS)
                .build();
        factory.disable(JsonParser.Feature.AUTO_CLOSE_SOURCE);
        factory.enable(JsonGenerator.Feature.IGNORE_UNKNOWN);
        factory.disable(JsonGenerator.Feature.AUTO_CLOSE_JSON_CONTENT);
        factory.disable(JsonGenerator.Feature.AUTO_CLOSE_TARGET);
        return JsonMapper.builder(factory)
                .enable(MapperFeature.USE_STD_BEAN_NAMING)
                .disable(MapperFeature.AUTO_DETECT_CREATORS, MapperFeature.INFER_PROPERTY_MUTATORS, MapperFeature.USE_GETTERS_AS_SETTERS)
                .disable(SerializationFeature.EAGER_SERIALIZER_FETCH, SerializationFeature.FAIL_ON_EMPTY_BEANS,
                        SerializationFeature.FLUSH_AFTER_WRITE_VALUE)
                .enable(DeserializationFeature.ACCEPT_EMPTY_ARRAY_AS_NULL_OBJECT, DeserializationFeature.ACCEPT_EMPTY_STRING_AS_NULL_OBJECT,
                        DeserializationFeature.ACCEPT_SINGLE_VALUE_AS_ARRAY, DeserializationFeature.READ_UNKNOWN_ENUM_VALUES_AS_NULL,
                        DeserializationFeature.UNWRAP_SINGLE_VALUE_ARRAYS)
                .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
                .serializationInclusion(JsonInclude.Include.NON_NULL)
                .addModule(new Times())
                .addModule(new Optionals())
                .build();
    }

    /** JSON of the gateway's. */
    static JsonNode tree(String json) throws IOException {
        return PLAIN.readTree(json);
    }

    static byte[] bytes(Object value) throws IOException {
        return PLAIN.writeValueAsBytes(value);
    }

    /** What the type variable of an interface stands for in a class. */
    Type argument(Class<?> type, Class<?> api, int index) {
        JavaType[] arguments = PLAIN.getTypeFactory().findTypeParameters(PLAIN.constructType(type), api);
        return arguments.length > index ? plain(arguments[index]) : Object.class;
    }

    /** The type of a method's, which may be a variable of the class that has it. */
    Type in(Class<?> type, Method method, Type of) {
        JavaType owner = PLAIN.getTypeFactory().constructType(type).findSuperType(method.getDeclaringClass());
        return plain(PLAIN.getTypeFactory().resolveMemberType(of, owner.getBindings()));
    }

    private static Type plain(JavaType type) {
        return type.containedTypeCount() == 0 && !type.isArrayType() ? type.getRawClass() : type;
    }

    Reader reader(Type type) {
        if (custom != null) {
            return in -> parsing(() -> custom.fromJson(in.stream(), type));
        }
        ObjectMapper mapper = mapper(type);
        ObjectReader reader = mapper.readerFor(mapper.constructType(type));
        return in -> parsing(() -> reader.readValue(in.frame, in.eventStart, in.eventEnd - in.eventStart));
    }

    Writer writer(Type type) {
        if (type == void.class || type == Void.class) {
            return (value, out) -> out.write("null".getBytes(java.nio.charset.StandardCharsets.US_ASCII));
        }
        if (custom != null) {
            return (value, out) -> writing(() -> custom.toJson(value, out, type));
        }
        ObjectMapper mapper = mapper(type);
        ObjectWriter writer = mapper.writerFor(mapper.constructType(type));
        return (value, out) -> writing(() -> writer.writeValue(out, value));
    }

    private interface Parse {
        Object run() throws Exception;
    }

    private interface Write {
        void run() throws Exception;
    }

    private static Object parsing(Parse parse) {
        try {
            return parse.run();
        } catch (Exception e) {
            throw new RuntimeException("An error occurred during JSON parsing", e);
        }
    }

    private static void writing(Write write) {
        try {
            write.run();
        } catch (Exception e) {
            throw new RuntimeException("An error occurred during JSON serialization of response", e);
        }
    }

    private ObjectMapper mapper(Type type) {
        Class<?> raw = type instanceof JavaType ? ((JavaType) type).getRawClass() : type instanceof Class ? (Class<?>) type : Object.class;
        return Events.areOf(raw) ? Events.mapper(PLAIN, raw, functions) : PLAIN;
    }
}
