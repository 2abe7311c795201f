package hearth;

import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.lang.reflect.Field;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** Frames over the descriptors 3 and 4; layouts are in package runtimes, frame.go. */
final class Channel {
    static final int INIT = 1;
    static final int READY = 16;
    static final int INIT_ERROR = 17;
    static final int RESULT = 18;
    static final int ERROR = 19;
    static final int LOG = 20;
    static final int BOOTED = 24;

    static final int HEAD = 16;
    private static final int PAGE = 4096;
    private static final byte MAGIC = (byte) 0xfe;
    private static final int USUAL = 64 << 10;

    private final FileInputStream in;
    private final FileOutputStream out;
    private final byte[] page = new byte[PAGE];

    private byte[] buffer = new byte[USUAL]; // guarded by this

    /** The last frame that was read: bytes [0, length) of frame. */
    byte[] frame = page;
    int length;

    Channel() throws ReflectiveOperationException {
        in = new FileInputStream(descriptor(3));
        out = new FileOutputStream(descriptor(4));
    }

    // The descriptors cannot be opened by name: they are another user's.
    static FileDescriptor descriptor(int number) throws ReflectiveOperationException {
        FileDescriptor descriptor = new FileDescriptor();
        Field field = FileDescriptor.class.getDeclaredField("fd");
        field.setAccessible(true);
        field.setInt(descriptor, number);
        return descriptor;
    }

    /** Waits for a frame, which is the claim on it; false when there are no more. */
    boolean next() throws IOException {
        int n = in.read(page, 0, PAGE);
        if (n < HEAD) {
            return false;
        }
        length = HEAD + ByteBuffer.wrap(page).order(ByteOrder.LITTLE_ENDIAN).getInt(4);
        frame = page;
        if (n < length) {
            // Never more than is missing: the next frame may be in the pipe already.
            frame = new byte[length];
            System.arraycopy(page, 0, frame, 0, n);
            while (n < length) {
                int got = in.read(frame, n, length - n);
                if (got <= 0) {
                    return false;
                }
                n += got;
            }
        }
        return true;
    }

    void send(int kind, int seq, int value, byte[] payload, int offset, int size) throws IOException {
        synchronized (this) {
            if (buffer.length < HEAD + size) {
                buffer = new byte[HEAD + size];
            }
            ByteBuffer head = ByteBuffer.wrap(buffer).order(ByteOrder.LITTLE_ENDIAN);
            head.put(MAGIC).put((byte) kind).putShort((short) 0).putInt(size).putInt(seq).putInt(value);
            System.arraycopy(payload, offset, buffer, HEAD, size);
            out.write(buffer, 0, HEAD + size); // one write for a whole frame
            if (buffer.length > 4 << 20) {
                buffer = new byte[USUAL]; // one large frame is no reason to keep so much
            }
        }
    }

    void send(int kind, int seq, int value, byte[] payload) throws IOException {
        send(kind, seq, value, payload, 0, payload.length);
    }

    void send(int kind, int seq, int value, String text) throws IOException {
        send(kind, seq, value, text.getBytes(StandardCharsets.UTF_8));
    }
}
