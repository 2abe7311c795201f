"""sys.stdout and sys.stderr of a function: each line becomes a log frame."""

import io
import os


class LogBuffer(io.BufferedIOBase):
    """The binary half of sys.stdout or sys.stderr.

    A line goes out when it is whole, as its own frame: what a function printed
    before it hung or was killed is what its author most wants to see.
    """

    def __init__(self, channel, current, fd):
        self._channel, self._current, self._fd = channel, current, fd
        self._tail = "stdout" if fd == 1 else "stderr"

    @property
    def name(self):
        return "<%s>" % self._tail

    @property
    def mode(self):
        return "wb"

    def writable(self):
        return True

    def fileno(self):
        # For subprocess.run(stdout=sys.stdout) and the like: the gateway reads the
        # real descriptors as well.
        return self._fd

    def write(self, data):
        if self.closed:
            raise ValueError("write to closed file")
        data = bytes(data)
        if self._channel.left:
            view = memoryview(data)
            while view:
                view = view[os.write(self._fd, view):]
            return len(data)
        lines = data.split(b"\n")
        if len(lines) == 1:
            setattr(self._current, self._tail, getattr(self._current, self._tail) + data)
            return len(data)
        lines[0] = getattr(self._current, self._tail) + lines[0]
        setattr(self._current, self._tail, lines.pop())
        self._channel.log(self._current.seq, self._fd, lines)
        return len(data)

    def finish(self):
        """Sends a line that has no line feed: its invocation is over."""
        tail = getattr(self._current, self._tail)
        if tail and not self._channel.left:
            setattr(self._current, self._tail, b"")
            self._channel.log(self._current.seq, self._fd, [tail])


def text(buffer):
    """The text stream over a LogBuffer."""
    return io.TextIOWrapper(buffer, encoding="utf-8", errors="backslashreplace", newline="\n", write_through=True)
