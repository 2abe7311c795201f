package example;

import java.io.BufferedReader;
import java.io.File;
import java.io.FileReader;
import java.io.FileWriter;
import java.io.InputStreamReader;
import java.util.Arrays;
import java.util.Map;

/** What depends on the locale of the process. */
public class Encodings {
    public Map<String, Object> handle(Map<String, Object> event) throws Exception {
        String umlaut = "\u00e9\u65e5";
        File file = new File("/tmp/" + umlaut);
        try (FileWriter w = new FileWriter(file)) {
            w.write(umlaut + "\n");
        }
        String read;
        try (BufferedReader r = new BufferedReader(new FileReader(file))) {
            read = r.readLine();
        }
        Process child = new ProcessBuilder("bash", "-c", "printf '%s ' ${#1} \"$1\"; cat /tmp/\"$1\"", "x", umlaut).start();
        String said;
        try (BufferedReader r = new BufferedReader(new InputStreamReader(child.getInputStream()))) {
            said = r.readLine();
        }
        boolean[] all = {
            new String(umlaut.getBytes()).equals(umlaut), umlaut.equals(read), said.equals("2 " + umlaut + " " + umlaut),
            new File("/tmp").list()[0].equals(umlaut), java.util.Locale.getDefault().toString().equals("en_US"),
        };
        System.out.println(umlaut + " printed");
        return Functions.answer(Arrays.toString(all));
    }

    public Map<String, Object> home(Map<String, Object> event) {
        return Functions.answer(System.getProperty("java.home") + " " + ProcessHandle.current().info().command().orElse("unknown"));
    }

    public Map<String, Object> load(Map<String, Object> event) throws Exception {
        System.loadLibrary("answer");
        Process child = new ProcessBuilder("tool").start();
        return Functions.answer("loaded" + new String(child.getInputStream().readAllBytes()));
    }
}
