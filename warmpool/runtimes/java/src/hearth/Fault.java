package hearth;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.Arrays;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/** A function that cannot be run as it is, which its caller is told as Lambda tells it. */
final class Fault extends Exception {
    private static final long serialVersionUID = 1;

    private final String type; // null: Lambda names none
    private final Throwable shown; // in the log

    Fault(String type, String message, Throwable shown) {
        super(message, shown);
        this.type = type;
        this.shown = shown;
    }

    Fault(Throwable error, String message) {
        this(error.getClass().getName(), message, error);
    }

    /** The error object that Lambda makes of an exception. */
    static Map<String, Object> describe(Throwable error) {
        Map<String, Object> body = new LinkedHashMap<>();
        body.put("errorMessage", message(error));
        if (error instanceof Fault) {
            if (((Fault) error).type != null) {
                body.put("errorType", ((Fault) error).type);
            }
            return body;
        }
        body.put("errorType", error.getClass().getName());
        trim(error, Collections.newSetFromMap(new IdentityHashMap<>()));
        body.put("stackTrace", Arrays.stream(error.getStackTrace()).map(StackTraceElement::toString).collect(Collectors.toList()));
        return body;
    }

    /** The text that Lambda logs. */
    static String text(Throwable error) {
        String type = error instanceof Fault ? ((Fault) error).type : error.getClass().getName();
        Throwable shown = error instanceof Fault ? ((Fault) error).shown : error;
        if (type == null) {
            return message(error);
        }
        StringWriter text = new StringWriter();
        text.append(message(error)).append(": ").append(type);
        if (shown != null) {
            trim(shown, Collections.newSetFromMap(new IdentityHashMap<>()));
            text.append('\n');
            shown.printStackTrace(new PrintWriter(text, true));
        }
        return text.toString();
    }

    private static String message(Throwable error) {
        return error.getLocalizedMessage() == null ? error.getClass().getName() : error.getLocalizedMessage();
    }

    /** Takes the frames of the runtime below the function off the traces. */
    private static void trim(Throwable error, Set<Throwable> seen) {
        if (error == null || !seen.add(error)) {
            return;
        }
        StackTraceElement[] trace = error.getStackTrace();
        for (int i = 0; i < trace.length; i++) {
            if (trace[i].getClassName().startsWith("hearth.")) {
                error.setStackTrace(Arrays.copyOf(trace, i));
                break;
            }
        }
        trim(error.getCause(), seen);
        for (Throwable suppressed : error.getSuppressed()) {
            trim(suppressed, seen);
        }
    }
}
