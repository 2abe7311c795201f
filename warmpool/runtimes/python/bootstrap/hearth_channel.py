"""Frames between gateway and runtime, as laid out in frame.go of package runtimes."""

import os
from struct import Struct
from threading import RLock

INVOKE = 2
READY, INIT_ERROR, RESULT, ERROR, LOG = 16, 17, 18, 19, 20
BOOTED = 24

HEAD = Struct("<BBHIII")
HEAD_SIZE = HEAD.size
MAGIC = 0xFE

# Head and fixed meta part of an invoke frame: magic, kind, length of meta, length
# of payload, sequence number, value, deadline, lengths of the five strings.
INVOCATION = Struct("<BBHIIIdHHHHH")

PACKET_SIZE = 4096

# The gateway takes a frame of up to 6 MB; a longer log text goes in pieces.
MAX_LOG = 1 << 20

# Functions may patch these modules (freezegun, gevent, moto), never our calls.
_read, _write, _close, _pack = os.read, os.write, os.close, HEAD.pack


class Channel:
    """The two pipes to the gateway."""

    __slots__ = ("_in", "_out", "_lock", "_rest")

    def __init__(self, requests=3, replies=4):
        self._in, self._out = requests, replies
        # A function's threads and signal handlers print while a reply is being
        # written. Reentrant, or a signal handler would wait for its own thread.
        self._lock = RLock()
        self._rest = b""
        for fd in requests, replies:
            os.set_inheritable(fd, False)
        os.register_at_fork(after_in_child=self._leave)

    def _leave(self):
        """A forked child is not the runtime: it neither claims frames nor replies."""
        fds = self._in, self._out
        self._in = self._out = -1
        for fd in fds:
            if fd >= 0:  # a child's child has nothing to give up
                _close(fd)

    @property
    def left(self):
        """Whether this process is a fork of the runtime."""
        return self._out < 0

    def receive(self):
        """The next whole frame; empty at the end of the channel."""
        frame = self._rest or _read(self._in, PACKET_SIZE)
        end = HEAD_SIZE + int.from_bytes(frame[4:8], "little")
        if len(frame) == end:
            self._rest = b""
            return frame
        if not frame:
            return frame
        if len(frame) > end and frame[end] != MAGIC:  # a packet that was filled up
            self._rest = b""
            return frame[:end]
        frame, size = bytearray(frame), HEAD_SIZE
        while True:
            if len(frame) >= HEAD_SIZE:
                size = HEAD_SIZE + int.from_bytes(frame[4:8], "little")
            if len(frame) >= size:
                break
            part = _read(self._in, size - len(frame))
            if not part:
                return part
            frame += part
        # The pipe joins a packet to the end of a long frame that went before it.
        self._rest = bytes(frame[size:])
        del frame[size:]
        return frame

    def send(self, kind, seq, value, payload):
        """Writes one frame, whole."""
        self._write(_pack(MAGIC, kind, 0, len(payload), seq, value) + payload)

    def log(self, seq, stream, texts):
        """Writes one log frame for each of texts, together. stream is 1 or 2."""
        frames = []
        for text in texts:
            while len(text) > MAX_LOG:
                end = MAX_LOG
                while end > MAX_LOG - 4 and text[end] & 0xC0 == 0x80:
                    end -= 1  # not within a character
                frames += (_pack(MAGIC, LOG, 0, end, seq, stream), text[:end])
                text = text[end:]
            frames += (_pack(MAGIC, LOG, 0, len(text), seq, stream), text)
        self._write(b"".join(frames))

    def _write(self, data):
        try:
            with self._lock:
                n = _write(self._out, data)
                if n < len(data):
                    data = memoryview(data)
                    while n < len(data):
                        n += _write(self._out, data[n:])
        except OSError:
            if self.left:
                os._exit(0)  # a function that forks, and returns in the child too
            raise
