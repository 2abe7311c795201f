"""Which invocation runs: what log lines are attributed to."""

from threading import local


class Current:
    """Of the one invocation at a time that Lambda has; a function's own threads
    belong to it."""

    seq = 0
    request_id = ""
    stdout = stderr = b""  # the beginnings of lines


class LocalCurrent(local):
    """Of each thread, when several invocations run at once."""

    seq = 0
    request_id = ""
    stdout = stderr = b""
