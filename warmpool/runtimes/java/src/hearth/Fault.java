package hearth;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** An error of the function's own, as the caller is told it. */
final class Fault extends Exception {
    private static final long serialVersionUID = 1;

    private final String type;

    Fault(String type, String message, Throwable cause) {
        super(message, cause);
        this.type = type;
    }

    /** The error object that Lambda makes of an exception. */
    static Map<String, Object> describe(Throwable error) {
        Map<String, Object> body = new LinkedHashMap<>();
        body.put("errorMessage", error.getMessage());
        if (error instanceof Fault) {
            body.put("errorType", ((Fault) error).type);
            if (error.getCause() != null) {
                body.put("cause", describe(error.getCause()));
            }
            return body;
        }
        body.put("errorType", error.getClass().getName());
        List<String> trace = new ArrayList<>();
        for (StackTraceElement e : trimmed(error)) {
            trace.add(e.getClassName() + "." + e.getMethodName() + "("
                    + (e.isNativeMethod() ? "Native Method" : e.getFileName() == null ? "Unknown Source"
                            : e.getLineNumber() >= 0 ? e.getFileName() + ":" + e.getLineNumber() : e.getFileName()) + ")");
        }
        body.put("stackTrace", trace);
        if (error.getCause() != null && error.getCause() != error) {
            body.put("cause", describe(error.getCause()));
        }
        return body;
    }

    /** The trace without the frames of the runtime below the function. */
    private static List<StackTraceElement> trimmed(Throwable error) {
        List<StackTraceElement> all = new ArrayList<>();
        for (StackTraceElement e : error.getStackTrace()) {
            if (e.getClassName().startsWith("hearth.")) {
                break;
            }
            all.add(e);
        }
        while (!all.isEmpty() && isReflection(all.get(all.size() - 1).getClassName())) {
            all.remove(all.size() - 1);
        }
        return all;
    }

    private static boolean isReflection(String name) {
        return name.startsWith("java.lang.reflect.") || name.startsWith("jdk.internal.reflect.")
                || name.startsWith("java.lang.invoke.") || name.startsWith("sun.reflect.");
    }

    /** The text that Lambda logs. */
    static String text(Throwable error) {
        StringBuilder b = new StringBuilder();
        for (Throwable e = error; e != null; e = e.getCause() == e ? null : e.getCause()) {
            if (e != error) {
                b.append("\nCaused by: ");
            }
            if (e instanceof Fault) {
                b.append(e.getMessage()).append(": ").append(((Fault) e).type);
                continue;
            }
            b.append(e);
            for (StackTraceElement frame : trimmed(e)) {
                b.append("\n\tat ").append(frame);
            }
        }
        return b.toString();
    }
}
