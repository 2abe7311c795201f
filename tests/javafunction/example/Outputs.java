package example;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.locks.LockSupport;

/** Writes by every way out that Java has. */
public class Outputs {
    static {
        raw(FileDescriptor.out, "init raw out\n");
        raw(FileDescriptor.err, "init raw err");
        System.out.println("init console");
        System.out.print("init stream");
    }

    static void raw(FileDescriptor descriptor, String text) {
        try {
            new FileOutputStream(descriptor).write(text.getBytes(StandardCharsets.UTF_8));
        } catch (java.io.IOException e) {
            throw new RuntimeException(e);
        }
    }

    public Map<String, Object> trace(Map<String, Object> event, com.amazonaws.services.lambda.runtime.Context context) {
        String header = "";
        if (event.get("headers") instanceof Map) {
            for (Map.Entry<?, ?> e : ((Map<?, ?>) event.get("headers")).entrySet()) {
                header = e.getKey().toString().equalsIgnoreCase("x-amzn-trace-id") ? e.getValue().toString() : header;
            }
        }
        String text = "[" + System.getProperty("com.amazonaws.xray.traceHeader") + "] [" + header + "] [" + context.getInvokedFunctionArn() + "]";
        System.out.println("seen " + text);
        return Functions.answer(text);
    }

    public String handle(Map<String, Object> event) throws InterruptedException {
        Object say = event.get("say");
        Object then = event.get("then");
        if (say != null) {
            String text = say.equals("long") ? "x".repeat(300 << 10) : (String) say;
            raw(FileDescriptor.out, text + " raw out\n");
            raw(FileDescriptor.err, text + " raw err\n");
            raw(FileDescriptor.out, text + " raw open");
            System.out.println(text + " console out");
            System.err.println(text + " console err");
            System.out.print(text + " stream out\n");
            System.err.print(text + " stream open");
        }
        if ("exit".equals(then)) {
            Thread main = Thread.currentThread();
            CountDownLatch runs = new CountDownLatch(1);
            new Thread(() -> {
                System.err.print(""); // what it needs is loaded
                while (!main.getStackTrace()[0].getClassName().equals("java.io.FileInputStream")) {
                    runs.countDown();
                    LockSupport.parkNanos(1_000_000);
                }
                System.err.println("late words");
                Runtime.getRuntime().halt(3);
            }).start();
            runs.await();
        }
        if ("die".equals(then)) {
            raw(FileDescriptor.out, "last words");
            Runtime.getRuntime().halt(4);
        }
        return "ok";
    }
}
