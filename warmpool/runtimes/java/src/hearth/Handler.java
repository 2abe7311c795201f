package hearth;

import com.google.gson.JsonParseException;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Type;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * The method that handles events, found by the handler's name as Lambda finds it.
 * https://docs.aws.amazon.com/lambda/latest/dg/java-handler.html
 */
final class Handler {
    private static final String API = "com.amazonaws.services.lambda.runtime.";

    private final Contexts contexts;
    private final Json json;
    private final Method method;
    private final Object target;
    private final Type input; // null: the method takes no event
    private final boolean streams;
    private final boolean takesContext;

    private Handler(Contexts contexts, Json json, Method method, Object target, Type input, boolean streams, boolean takesContext) {
        this.contexts = contexts;
        this.json = json;
        this.method = method;
        this.target = target;
        this.input = input;
        this.streams = streams;
        this.takesContext = takesContext;
    }

    static Handler find(String name, ClassLoader loader, Contexts contexts, Json json) throws Throwable {
        int colons = name.indexOf("::");
        String className = colons < 0 ? name : name.substring(0, colons);
        Class<?> type;
        try {
            type = loader.loadClass(className);
        } catch (ClassNotFoundException e) {
            throw new Fault("java.lang.ClassNotFoundException", "Class not found: " + className, null);
        } catch (NoClassDefFoundError e) {
            throw new Fault("java.lang.NoClassDefFoundError", "Class " + className + " could not be loaded: " + e.getMessage(), null);
        }
        String methodName = colons < 0 ? "handleRequest" : name.substring(colons + 2);
        if (colons < 0 && !loader.loadClass(API + "RequestHandler").isAssignableFrom(type)
                && !loader.loadClass(API + "RequestStreamHandler").isAssignableFrom(type)) {
            throw new Fault("java.lang.ClassCastException", "Class " + className + " does not implement an appropriate handler interface", null);
        }
        if (colons < 0 && Modifier.isAbstract(type.getModifiers())) {
            throw new Fault("java.lang.InstantiationException", "Class " + className + " cannot be instantiated: it is abstract", null);
        }
        Types types = new Types(type);
        Method method = best(type, methodName, contexts);
        if (method == null) {
            throw new Fault("java.lang.NoSuchMethodException",
                    "No public method named " + methodName + " with appropriate method signature found on class " + className, null);
        }
        Class<?>[] parameters = method.getParameterTypes();
        boolean takesContext = parameters.length > 0 && parameters[parameters.length - 1] == contexts.type;
        int others = parameters.length - (takesContext ? 1 : 0);
        boolean streams = others == 2;
        Type input = others == 1 ? types.resolve(method.getGenericParameterTypes()[0]) : null;
        method.setAccessible(true);
        Object target = Modifier.isStatic(method.getModifiers()) ? null : make(type);
        return new Handler(contexts, json, method, target, input, streams, takesContext);
    }

    /** Of methods of one name, that with the context and the most parameters. */
    private static Method best(Class<?> type, String name, Contexts contexts) {
        List<Method> candidates = new ArrayList<>();
        for (Method m : type.getMethods()) {
            if (!m.getName().equals(name) || m.isBridge() || m.isSynthetic() || Modifier.isAbstract(m.getModifiers())) {
                continue;
            }
            Class<?>[] p = m.getParameterTypes();
            int others = p.length - (p.length > 0 && p[p.length - 1] == contexts.type ? 1 : 0);
            if (others <= 1 || others == 2 && p[0] == InputStream.class && p[1] == OutputStream.class) {
                candidates.add(m);
            }
        }
        Method best = null;
        for (Method m : candidates) {
            if (best == null || rank(m, contexts) > rank(best, contexts)) {
                best = m;
            }
        }
        return best;
    }

    private static int rank(Method m, Contexts contexts) {
        Class<?>[] p = m.getParameterTypes();
        return 2 * p.length + (p.length > 0 && p[p.length - 1] == contexts.type ? 1 : 0);
    }

    private static Object make(Class<?> type) throws Throwable {
        if (Modifier.isAbstract(type.getModifiers())) {
            throw new Fault("java.lang.InstantiationException", "Class " + type.getName() + " cannot be instantiated: it is abstract", null);
        }
        Constructor<?> constructor;
        try {
            constructor = type.getConstructor();
        } catch (NoSuchMethodException e) {
            throw new Fault("java.lang.NoSuchMethodException", "Class " + type.getName() + " has no public zero-argument constructor", null);
        }
        constructor.setAccessible(true); // of a class that is not public
        try {
            return constructor.newInstance();
        } catch (InvocationTargetException e) {
            throw e.getCause();
        }
    }

    /** Runs the function and returns its result as JSON, or the bytes that it wrote. */
    byte[] invoke(Invocation in) throws Throwable {
        Object context = takesContext ? contexts.make(in) : null;
        ByteArrayOutputStream output = streams ? new ByteArrayOutputStream() : null;
        Object[] arguments = new Object[method.getParameterCount()];
        if (streams) {
            arguments[0] = new ByteArrayInputStream(in.frame, in.eventStart, in.eventEnd - in.eventStart);
            arguments[1] = output;
        } else if (input == InputStream.class) {
            arguments[0] = new ByteArrayInputStream(in.frame, in.eventStart, in.eventEnd - in.eventStart);
        } else if (input != null) {
            try {
                arguments[0] = json.read(in.event(), input);
            } catch (JsonParseException | NumberFormatException e) {
                throw new Fault("java.lang.RuntimeException", "An error occurred during JSON parsing", e);
            }
        }
        if (takesContext) {
            arguments[arguments.length - 1] = context;
        }
        Object result;
        try {
            result = method.invoke(target, arguments);
        } catch (InvocationTargetException e) {
            throw e.getCause();
        }
        if (streams) {
            return output.toByteArray();
        }
        try {
            return json.write(method.getReturnType() == void.class ? null : result).getBytes(StandardCharsets.UTF_8);
        } catch (RuntimeException e) {
            throw new Fault("java.lang.RuntimeException", "An error occurred during JSON serialization of response", e);
        }
    }
}
