package hearth;

import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** What an invoke frame says. The event stays in the frame, to be read in place. */
final class Invocation {
    final int seq;
    final double deadlineMillis;
    final String requestId;
    final String trace;
    final String arn;
    final String client;
    final String identity;
    final byte[] frame;
    final int eventStart;
    final int eventEnd;
    final long began = System.nanoTime();

    Invocation(byte[] frame, int length) {
        ByteBuffer b = ByteBuffer.wrap(frame).order(ByteOrder.LITTLE_ENDIAN);
        int meta = b.getShort(2) & 0xffff;
        seq = b.getInt(8);
        deadlineMillis = b.getDouble(Channel.HEAD);
        int lengths = Channel.HEAD + 8;
        int at = lengths + 10;
        String[] texts = new String[5];
        for (int i = 0; i < texts.length; i++) {
            int size = b.getShort(lengths + 2 * i) & 0xffff;
            texts[i] = new String(frame, at, size, StandardCharsets.UTF_8);
            at += size;
        }
        requestId = texts[0];
        trace = texts[1];
        arn = texts[2];
        client = texts[3];
        identity = texts[4];
        this.frame = frame;
        eventStart = Channel.HEAD + meta;
        eventEnd = length;
    }

    int micros() {
        return (int) ((System.nanoTime() - began) / 1000);
    }

    InputStream stream() {
        return new ByteArrayInputStream(frame, eventStart, eventEnd - eventStart);
    }
}
