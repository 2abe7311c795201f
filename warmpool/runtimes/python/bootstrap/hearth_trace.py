"""The trace header of the running call, in the environment variable _X_AMZN_TRACE_ID.

Every call has another header, and the C library never frees a value that a variable
had: set there, the header would cost each call a microsecond and 160 bytes that stay.
So it is put where os.environ reads it, and into the environment itself only when a
program that inherits it is about to start.
"""

import os
import sys

NAME = "_X_AMZN_TRACE_ID"

_STARTS = frozenset(("subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.spawn"))


_set_header = None


def install():
    """Returns the function that sets the header, to "" for none. Hooks stay for ever, so there is
    one."""
    global _set_header
    if _set_header:
        return _set_header
    os.environ.pop(NAME, None)
    values, name = os.environ._data, os.environ.encodekey(NAME)
    header = None

    def set_header(value):
        nonlocal header
        header = value
        if value:
            values[name] = value.encode()
        else:
            values.pop(name, None)

    def before_start(event, _):
        nonlocal header
        if event in _STARTS and header is not None:
            header = None  # once for each call
            if name in values:
                os.putenv(name, values[name])
            else:
                os.unsetenv(name)

    sys.addaudithook(before_start)
    _set_header = set_header
    return set_header
