package hearth;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import com.amazonaws.services.lambda.runtime.RequestStreamHandler;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.List;

/**
 * The method that handles events, found by the handler's name as Lambda finds it.
 * https://docs.aws.amazon.com/lambda/latest/dg/java-handler.html
 */
final class Handler {
    /** A handler that is one of the interfaces, or calls a method. */
    private interface Call {
        void run(Invocation in, Context context, OutputStream out) throws Throwable;
    }

    private final Contexts contexts;
    private final Call call;

    private Handler(Contexts contexts, Call call) {
        this.contexts = contexts;
        this.call = call;
    }

    static Handler find(String name, ClassLoader loader, Contexts contexts, Json json) throws Throwable {
        int colons = name.lastIndexOf("::");
        String className = colons < 0 ? name : name.substring(0, colons);
        if (className.isEmpty() || colons >= 0 && colons + 2 == name.length()) {
            throw new Fault(null, "Invalid handler: `" + name + "'", null);
        }
        Class<?> type;
        try {
            type = Class.forName(className, true, loader);
        } catch (ClassNotFoundException e) {
            throw new Fault(e, "Class not found: " + className);
        } catch (Throwable e) {
            throw new Fault(e, "Error loading class " + className + (e.getMessage() == null ? "" : ": " + e.getMessage()));
        }
        return new Handler(contexts, colons < 0 ? byInterface(type, json) : byMethod(type, name.substring(colons + 2), json));
    }

    @SuppressWarnings("unchecked")
    private static Call byInterface(Class<?> type, Json json) throws Throwable {
        if (RequestStreamHandler.class.isAssignableFrom(type)) {
            RequestStreamHandler handler = (RequestStreamHandler) make(type);
            return (in, context, out) -> handler.handleRequest(in.stream(), out, context);
        }
        if (!RequestHandler.class.isAssignableFrom(type)) {
            throw new Fault(null, "Class does not implement an appropriate handler interface: " + type.getName(), null);
        }
        Json.Reader input = json.reader(json.argument(type, RequestHandler.class, 0));
        Json.Writer output = json.writer(json.argument(type, RequestHandler.class, 1));
        RequestHandler<Object, Object> handler = (RequestHandler<Object, Object>) make(type);
        return (in, context, out) -> output.write(handler.handleRequest(input.read(in), context), out);
    }

    private static Call byMethod(Class<?> type, String name, Json json) throws Throwable {
        Method method = best(type, name);
        method.setAccessible(true); // of a class that is not public
        Class<?>[] parameters = method.getParameterTypes();
        boolean takesContext = takesContext(parameters);
        int others = parameters.length - (takesContext ? 1 : 0);
        boolean takesStream = others > 0 && parameters[0] == InputStream.class;
        boolean givesStream = others > 0 && parameters[others - 1] == OutputStream.class;
        boolean streams = takesStream || givesStream;
        Json.Reader input = others == 1 && !streams ? json.reader(json.in(type, method, method.getGenericParameterTypes()[0])) : null;
        Json.Writer output = streams ? null : json.writer(json.in(type, method, method.getGenericReturnType()));
        Object target = Modifier.isStatic(method.getModifiers()) ? null : make(type);
        return (in, context, out) -> {
            Object[] arguments = new Object[parameters.length];
            if (takesStream) {
                arguments[0] = in.stream();
            } else if (input != null) {
                arguments[0] = input.read(in);
            }
            if (givesStream) {
                arguments[others - 1] = out;
            }
            if (takesContext) {
                arguments[others] = context;
            }
            Object result;
            try {
                result = method.invoke(target, arguments);
            } catch (InvocationTargetException e) {
                throw e.getCause();
            }
            if (output != null) {
                output.write(result, out);
            }
        };
    }

    private static boolean takesContext(Class<?>[] parameters) {
        return parameters.length > 0 && parameters[parameters.length - 1] == Context.class;
    }

    /** Of methods of one name, that with the most parameters; a context counts twice. */
    private static Method best(Class<?> type, String name) throws Fault {
        List<Method> candidates = new ArrayList<>();
        for (Method m : type.getMethods()) {
            if (m.getName().equals(name) && !m.isBridge() && !m.isSynthetic() && !Modifier.isAbstract(m.getModifiers()) && isHandler(m.getParameterTypes())) {
                candidates.add(m);
            }
        }
        Method best = null;
        for (Method m : candidates) {
            if (best == null || rank(m) > rank(best)) {
                best = m;
            }
        }
        if (best == null) {
            throw new Fault(null, "No public method named " + name + " with appropriate method signature found on class " + type.getName(), null);
        }
        return best;
    }

    private static boolean isHandler(Class<?>[] p) {
        int others = p.length - (takesContext(p) ? 1 : 0);
        return others <= 1 || others == 2 && p[0] == InputStream.class && p[1] == OutputStream.class;
    }

    private static int rank(Method m) {
        return m.getParameterCount() + (takesContext(m.getParameterTypes()) ? 1 : 0);
    }

    private static Object make(Class<?> type) throws Throwable {
        Constructor<?> constructor;
        try {
            constructor = type.getConstructor();
        } catch (NoSuchMethodException e) {
            if (type.getEnclosingClass() != null && !Modifier.isStatic(type.getModifiers())) {
                throw new Fault("java.lang.Exception", "Class " + type.getName() + " cannot be instantiated because it is a non-static inner class", null);
            }
            throw new Fault("java.lang.Exception", "Class " + type.getName() + " has no public zero-argument constructor", null);
        }
        constructor.setAccessible(true); // of a class that is not public
        try {
            return constructor.newInstance();
        } catch (InvocationTargetException e) {
            throw new Fault(e.getCause(), e.getCause().getLocalizedMessage() == null ? e.getCause().getClass().getName() : e.getCause().getLocalizedMessage());
        } catch (InstantiationException e) {
            throw new Fault(e, "Class " + type.getName() + " cannot be instantiated because it is abstract");
        }
    }

    /** Runs the function and returns its result as JSON, or the bytes that it wrote. */
    ByteArrayOutputStream invoke(Invocation in) throws Throwable {
        ByteArrayOutputStream out = new ByteArrayOutputStream(1024);
        call.run(in, contexts.make(in), out);
        return out;
    }
}
