package hearth;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;

/** System.out and System.err as log frames, a line each, tied to their invocation. */
final class Output extends OutputStream {
    // What a log frame holds at most; a longer line becomes several.
    private static final int MOST = 1 << 20;

    private final Channel channel;
    private final Bootstrap current;
    private final int descriptor;
    private final ByteArrayOutputStream line = new ByteArrayOutputStream(256); // guarded by this

    Output(Channel channel, Bootstrap current, int descriptor) {
        this.channel = channel;
        this.current = current;
        this.descriptor = descriptor;
    }

    @Override
    public synchronized void write(int b) throws IOException {
        if (b == '\n') {
            emit();
            return;
        }
        line.write(b);
        if (line.size() == MOST) {
            emit();
        }
    }

    @Override
    public synchronized void write(byte[] bytes, int offset, int size) throws IOException {
        for (int i = offset; i < offset + size; i++) {
            write(bytes[i]);
        }
    }

    /** Sends what has no line feed yet, at the end of an invocation. */
    synchronized void end() throws IOException {
        if (line.size() > 0) {
            emit();
        }
    }

    private void emit() throws IOException {
        byte[] text = line.toByteArray();
        line.reset();
        channel.send(Channel.LOG, current.seq(), descriptor, text, 0, text.length);
    }
}
