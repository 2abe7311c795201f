package hearth;

/**
 * What a function sees of the runtime: the interfaces that it is written against, and
 * nothing else. They are the runtime's, also where a function brings its own copy of
 * them, as on Lambda.
 */
final class Gate extends ClassLoader {
    static final String API = "com.amazonaws.services.lambda.runtime.";
    private static final String EVENTS = API + "events."; // always the function's own

    Gate() {
        super(ClassLoader.getPlatformClassLoader());
    }

    @Override
    protected Class<?> findClass(String name) throws ClassNotFoundException {
        if (name.startsWith(API) && !name.startsWith(EVENTS)) {
            return Gate.class.getClassLoader().loadClass(name);
        }
        throw new ClassNotFoundException(name);
    }
}
