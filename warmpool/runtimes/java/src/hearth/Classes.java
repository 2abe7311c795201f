package hearth;

import java.io.DataOutputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.net.JarURLConnection;
import java.net.URL;
import java.net.URLClassLoader;
import java.net.URLConnection;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.CodeSource;
import java.security.cert.Certificate;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.jar.JarFile;

/**
 * The class loader of a function: a URLClassLoader that takes the bytes of many classes from its
 * start cache. A URLClassLoader needs most of its time to find a class in a jar, to decompress it,
 * and to read manifests for it.
 *
 * <p>The start cache has what this loader has found at the same class path before, in a process that
 * loaded the same handler. Classes of signed jars and of sealed packages are not in it, and no
 * resources are. The JVM verifies classes from the start cache like all others.
 *
 * <p>The file, all numbers of 4 bytes and little-endian: a magic number, the number of slots (a
 * power of 2), the offset of each slot's record or 0. A class is in the first slot from the hash
 * of its name on, or in one of those after it. Its record: the length and the text of its name; of the
 * URL it came from; the number of attributes of its package, 0 or 6, and each (length -1 is null);
 * and the length of its bytes, and they.
 */
final class Classes extends URLClassLoader {
    static {
        registerAsParallelCapable();
    }

    static final String FILE = "classes";
    private static final int MAGIC = 0x31534c43;
    /** Bounds a start cache in bytes, which is made in a heap of 400 MiB. */
    private static final int MOST = 48 << 20;

    private final ByteBuffer cache; // null: there is none
    private final Map<String, CodeSource> sources = new ConcurrentHashMap<>();
    private final Set<String> found; // names of classes, for a start cache; null: it is not to be made

    /** A loader with the start cache in a folder; "" for none. */
    Classes(URL[] path, ClassLoader parent, String folder) {
        super(path, parent);
        cache = folder.isEmpty() ? null : open(Path.of(folder, FILE));
        found = null;
    }

    /** A loader that can write a start cache. */
    Classes(URL[] path, ClassLoader parent) {
        super(path, parent);
        cache = null;
        found = Collections.synchronizedSet(new TreeSet<>());
    }

    private static ByteBuffer open(Path file) {
        try (FileChannel channel = FileChannel.open(file)) {
            ByteBuffer all = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size()).order(ByteOrder.LITTLE_ENDIAN);
            return all.limit() > 8 && all.getInt(0) == MAGIC ? all : null;
        } catch (IOException e) {
            return null; // classes come from where they always do
        }
    }

    @Override
    protected Class<?> findClass(String name) throws ClassNotFoundException {
        if (cache != null) {
            try {
                Class<?> c = cached(name);
                if (c != null) {
                    return c;
                }
            } catch (BufferUnderflowException | IndexOutOfBoundsException | IllegalArgumentException | NegativeArraySizeException
                    | ClassFormatError | IOException e) {
                // The start cache is damaged.
            }
        }
        Class<?> c = super.findClass(name);
        if (found != null) {
            found.add(name);
        }
        return c;
    }

    /** A class from the start cache; null if it is not there. */
    private Class<?> cached(String name) throws IOException {
        ByteBuffer record = record(name);
        if (record == null) {
            return null;
        }
        String place = text(record);
        CodeSource source = sources.get(place);
        if (source == null) {
            source = new CodeSource(new URL(place), (Certificate[]) null);
            sources.putIfAbsent(place, source);
        }
        String[] attributes = new String[record.getInt()];
        int dot = name.lastIndexOf('.');
        String inside = dot < 0 ? null : name.substring(0, dot);
        if (inside != null && getDefinedPackage(inside) == null) {
            for (int i = 0; i < attributes.length; i++) {
                attributes[i] = text(record);
            }
            definePackage(inside, attributes);
        } else {
            for (int i = 0; i < attributes.length; i++) {
                int length = Math.max(0, record.getInt());
                record.position(record.position() + length);
            }
        }
        int length = record.getInt();
        record.limit(record.position() + length);
        return defineClass(name, record, source);
    }

    private void definePackage(String name, String[] a) {
        try {
            if (a.length == 6) {
                definePackage(name, a[0], a[1], a[2], a[3], a[4], a[5], null);
            } else {
                definePackage(name, null, null, null, null, null, null, null);
            }
        } catch (IllegalArgumentException e) {
            // Another thread has defined it.
        }
    }

    /** The record of a class, behind its name; null if it is not in the start cache. */
    private ByteBuffer record(String name) {
        ByteBuffer b = cache.duplicate().order(ByteOrder.LITTLE_ENDIAN);
        int mask = b.getInt(4) - 1;
        for (int slot = name.hashCode() & mask; ; slot = slot + 1 & mask) {
            int at = b.getInt(8 + 4 * slot);
            if (at == 0) {
                return null;
            }
            b.position(at);
            if (name.equals(text(b))) {
                return b;
            }
        }
    }

    private static String text(ByteBuffer b) {
        int length = b.getInt();
        if (length < 0) {
            return null;
        }
        byte[] text = new byte[length];
        b.get(text);
        return new String(text, StandardCharsets.UTF_8);
    }

    /** The start cache of the classes that have been found, and of those beside them. */
    byte[] cache() throws IOException {
        Map<String, byte[]> records = new LinkedHashMap<>();
        Map<String, URL> jars = new LinkedHashMap<>();
        int size = 0;
        for (String name : new ArrayList<>(found)) {
            size += add(records, name, jars, size);
        }
        Set<String> packages = new TreeSet<>();
        for (String name : records.keySet()) {
            packages.add(name.substring(0, name.lastIndexOf('.') + 1));
        }
        for (URL jar : jars.values()) {
            for (String name : namesIn(jar)) {
                if (!records.containsKey(name) && packages.contains(name.substring(0, name.lastIndexOf('.') + 1))) {
                    size += add(records, name, jars, size);
                }
            }
        }
        return file(records);
    }

    /** The names of the classes in a jar. */
    private static List<String> namesIn(URL jar) throws IOException {
        List<String> names = new ArrayList<>();
        try (JarFile file = new JarFile(new File(jar.getPath()))) {
            file.stream().map(e -> e.getName()).filter(n -> n.endsWith(".class") && !n.startsWith("META-INF/"))
                    .forEach(n -> names.add(n.substring(0, n.length() - ".class".length()).replace('/', '.')));
        }
        return names;
    }

    /** Adds the record of a class, if it can have one, and returns its size. */
    private int add(Map<String, byte[]> records, String name, Map<String, URL> jars, int size) throws IOException {
        URL url = findResource(name.replace('.', '/') + ".class");
        if (url == null) {
            return 0;
        }
        URLConnection connection = url.openConnection();
        URL source;
        String[] attributes = {};
        int dot = name.lastIndexOf('.');
        byte[] code;
        try (InputStream in = connection.getInputStream()) {
            code = in.readAllBytes();
            if (connection instanceof JarURLConnection) {
                JarURLConnection jar = (JarURLConnection) connection;
                if (jar.getCertificates() != null) {
                    return 0;
                }
                source = jar.getJarFileURL();
            } else {
                String place = url.toString();
                source = new URL(place.substring(0, place.length() - name.length() - ".class".length()));
            }
        }
        if (dot >= 0) {
            Package inside = getDefinedPackage(name.substring(0, dot));
            if (inside == null || inside.isSealed()) {
                return 0; // no class of it is loaded, or only those of one jar may be in it
            }
            attributes = new String[] {
                inside.getSpecificationTitle(), inside.getSpecificationVersion(), inside.getSpecificationVendor(),
                inside.getImplementationTitle(), inside.getImplementationVersion(), inside.getImplementationVendor(),
            };
        }
        ByteBuffer record = ByteBuffer.allocate(code.length + 8192 + 3 * name.length() + 3 * source.toString().length() + lengths(attributes)).order(ByteOrder.LITTLE_ENDIAN);
        put(record, name);
        put(record, source.toString());
        record.putInt(attributes.length);
        for (String attribute : attributes) {
            put(record, attribute);
        }
        record.putInt(code.length).put(code);
        if (size + record.position() > MOST) {
            return 0;
        }
        if (connection instanceof JarURLConnection) {
            jars.putIfAbsent(source.toString(), source);
        }
        byte[] bytes = new byte[record.position()];
        record.rewind().get(bytes);
        records.put(name, bytes);
        return bytes.length;
    }

    private static int lengths(String[] all) {
        int sum = 0;
        for (String s : all) {
            sum += s == null ? 0 : 3 * s.length();
        }
        return sum;
    }

    private static void put(ByteBuffer b, String s) {
        if (s == null) {
            b.putInt(-1);
            return;
        }
        byte[] text = s.getBytes(StandardCharsets.UTF_8);
        b.putInt(text.length).put(text);
    }

    private static byte[] file(Map<String, byte[]> records) {
        int slots = Math.max(2, Integer.highestOneBit(Math.max(1, records.size())) << 2);
        int size = 8 + 4 * slots;
        for (byte[] record : records.values()) {
            size += record.length;
        }
        ByteBuffer all = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
        all.putInt(MAGIC).putInt(slots).position(8 + 4 * slots);
        for (Map.Entry<String, byte[]> e : records.entrySet()) {
            int slot = e.getKey().hashCode() & slots - 1;
            while (all.getInt(8 + 4 * slot) != 0) {
                slot = slot + 1 & slots - 1;
            }
            all.putInt(8 + 4 * slot, all.position());
            all.put(e.getValue());
        }
        return all.array();
    }

    /** Writes a file as the gateway reads it (package runtimes, ReadFiles). */
    static void send(DataOutputStream out, String name, byte[] content) throws IOException {
        byte[] text = name.getBytes(StandardCharsets.UTF_8);
        out.write(ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putInt(text.length).putInt(content.length).array());
        out.write(text);
        out.write(content);
        out.flush();
    }
}
