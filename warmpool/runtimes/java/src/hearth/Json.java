package hearth;

import com.google.gson.FieldNamingPolicy;
import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonDeserializer;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonPrimitive;
import com.google.gson.JsonSerializer;
import com.google.gson.ToNumberPolicy;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Collection;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;

/** Events and results as objects of the function's types. */
final class Json {
    // The classes of AWS's events, which spell members as the events do only nearly.
    private static final String EVENTS = "com.amazonaws.services.lambda.runtime.events.";

    private final Gson gson;

    Json(ClassLoader functions) {
        GsonBuilder builder = new GsonBuilder()
                .setFieldNamingPolicy(FieldNamingPolicy.IDENTITY)
                .setObjectToNumberStrategy(ToNumberPolicy.LONG_OR_DOUBLE)
                .disableHtmlEscaping()
                .serializeSpecialFloatingPointValues()
                .registerTypeHierarchyAdapter(ByteBuffer.class, (JsonDeserializer<ByteBuffer>) (json, type, context) ->
                        ByteBuffer.wrap(Base64.getDecoder().decode(json.getAsString())))
                .registerTypeHierarchyAdapter(ByteBuffer.class, (JsonSerializer<ByteBuffer>) (buffer, type, context) ->
                        new JsonPrimitive(new String(Base64.getEncoder().encode(buffer.duplicate()).array(), StandardCharsets.US_ASCII)));
        try {
            addJoda(builder, Class.forName("org.joda.time.DateTime", false, functions));
        } catch (ClassNotFoundException e) {
            // Then no event class needs it.
        }
        gson = builder.create();
    }

    // Joda's DateTime is the time of S3 and other events. It is the function's own.
    private static void addJoda(GsonBuilder builder, Class<?> time) {
        builder.registerTypeAdapter(time, (JsonDeserializer<Object>) (json, type, context) -> {
            try {
                if (json.getAsJsonPrimitive().isNumber()) {
                    return time.getConstructor(long.class).newInstance(json.getAsLong());
                }
                return time.getConstructor(Object.class).newInstance(json.getAsString());
            } catch (ReflectiveOperationException e) {
                throw new JsonParseException(e);
            }
        });
        builder.registerTypeAdapter(time, (JsonSerializer<Object>) (value, type, context) -> new JsonPrimitive(value.toString()));
    }

    Object read(String text, Type type) {
        if (type == String.class) {
            JsonElement element = gson.fromJson(text, JsonElement.class);
            if (element == null || element.isJsonNull()) {
                return null;
            }
            if (!element.isJsonPrimitive()) {
                throw new JsonParseException("the event is no String: " + (element.isJsonArray() ? "an array" : "an object"));
            }
            return element.getAsString();
        }
        if (raw(type).getName().startsWith(EVENTS)) {
            return gson.fromJson(respell(gson.fromJson(text, JsonElement.class), type), type);
        }
        return gson.fromJson(text, type);
    }

    String write(Object value) {
        return gson.toJson(value);
    }

    private static Class<?> raw(Type type) {
        if (type instanceof Class) {
            return (Class<?>) type;
        }
        if (type instanceof ParameterizedType) {
            return (Class<?>) ((ParameterizedType) type).getRawType();
        }
        return Object.class;
    }

    /** Gives members the names of the fields that they are for, whatever the case. */
    private static JsonElement respell(JsonElement element, Type type) {
        if (element == null || element.isJsonNull() || element.isJsonPrimitive()) {
            return element;
        }
        Class<?> raw = raw(type);
        if (element.isJsonArray()) {
            Type of = Collection.class.isAssignableFrom(raw) ? argument(type, 0) : raw.isArray() ? raw.getComponentType() : Object.class;
            JsonArray array = new JsonArray();
            for (JsonElement e : element.getAsJsonArray()) {
                array.add(respell(e, of));
            }
            return array;
        }
        JsonObject object = new JsonObject();
        if (Map.class.isAssignableFrom(raw)) {
            for (Map.Entry<String, JsonElement> e : element.getAsJsonObject().entrySet()) {
                object.add(e.getKey(), respell(e.getValue(), argument(type, 1)));
            }
            return object;
        }
        Map<String, Field> fields = new HashMap<>();
        for (Class<?> c = raw; c != null && c != Object.class; c = c.getSuperclass()) {
            for (Field f : c.getDeclaredFields()) {
                if (!Modifier.isStatic(f.getModifiers())) {
                    fields.putIfAbsent(f.getName().toLowerCase(Locale.ROOT), f);
                }
            }
        }
        for (Map.Entry<String, JsonElement> e : element.getAsJsonObject().entrySet()) {
            Field f = fields.get(e.getKey().toLowerCase(Locale.ROOT).replace("-", ""));
            if (f == null) {
                object.add(e.getKey(), e.getValue());
            } else {
                object.add(f.getName(), respell(e.getValue(), f.getGenericType()));
            }
        }
        return object;
    }

    private static Type argument(Type type, int index) {
        if (type instanceof ParameterizedType) {
            Type[] arguments = ((ParameterizedType) type).getActualTypeArguments();
            if (index < arguments.length) {
                return arguments[index];
            }
        }
        return Object.class;
    }
}
