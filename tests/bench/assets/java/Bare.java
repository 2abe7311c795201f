/** The bare JVM beside a cold start: it says that it is there. */
public class Bare {
    public static void main(String[] arguments) {
        System.out.println("x");
    }
}
