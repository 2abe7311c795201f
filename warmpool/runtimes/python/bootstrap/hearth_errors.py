"""Function errors, with AWS's types and wording.

From https://github.com/aws/aws-lambda-python-runtime-interface-client
"""

import os
import sys
import traceback
from json import dumps

HERE = os.path.dirname(os.path.abspath(__file__))


class Fault(Exception):
    """An error that AWS names, not the function."""

    def __init__(self, kind, message, trace=()):
        super().__init__(message)
        self.kind, self.message, self.trace = kind, message, list(trace)


def describe(request_id=""):
    """The exception being handled, as the error that Lambda answers with; without a
    request id for None."""
    kind, value, tb = sys.exc_info()
    if isinstance(value, Fault):
        return _error(value.kind, value.message, request_id, value.trace)
    try:
        message = str(value)
    except Exception:
        message = "<exception without text>"
    return _error(kind.__name__, message, request_id, _stack(tb))


def _error(kind, message, request_id, trace):
    error = {"errorMessage": message, "errorType": kind, "requestId": request_id, "stackTrace": trace}
    if request_id is None:
        del error["requestId"]
    return error


def _stack(tb):
    frames = traceback.extract_tb(tb)
    theirs = 0
    while theirs < len(frames) and os.path.dirname(frames[theirs].filename) == HERE:
        theirs += 1
    if theirs < len(frames):
        frames = frames[theirs:]
    # From tuples, as AWS does: without the markers under the line.
    return traceback.format_list([(f.filename, f.lineno, f.name, f.line) for f in frames])


def log_text(error):
    """The log event of error; indented with no-break spaces, which a log viewer
    does not swallow, as AWS does."""
    lines = ["[ERROR] %s: %s" % (error["errorType"], error["errorMessage"]), "Traceback (most recent call last):"]
    if not error["errorMessage"]:
        lines[0] = "[ERROR] %s" % error["errorType"]
    for element in error["stackTrace"]:
        for line in element.splitlines() or [""]:
            text = line.lstrip(" ")
            lines.append("\u00a0" * (len(line) - len(text)) + text)
    return "\n".join(lines) + "\n"


def encode(error):
    """error as the bytes of a JSON text, whatever its message is made of."""
    return dumps(error, ensure_ascii=False).encode("utf-8", "backslashreplace")
