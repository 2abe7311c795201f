"""What a process does once before it has a function, because the first time of a thing takes
longest: pages come from the disk, and caches of the interpreter fill. A handler is found and
loaded, and called for one event."""

import json
import logging
import sys

import hearth_handler
import hearth_logging
from hearth_channel import HEAD_SIZE, INVOCATION, INVOKE, MAGIC
from hearth_output import LogBuffer, text

EVENT = {"version": "2.0", "headers": {"host": "localhost"}, "rawPath": "/", "isBase64Encoded": False}
STRINGS = (b"00000000-0000-0000-0000-000000000000", b"", b"arn:aws:lambda", b"", b"")


class Stage:
    """A channel that leads nowhere."""

    left = False

    def __init__(self):
        meta = INVOCATION.size - HEAD_SIZE + sum(map(len, STRINGS))
        payload = b"".join(STRINGS) + json.dumps(EVENT).encode()
        head = INVOCATION.pack(MAGIC, INVOKE, meta, INVOCATION.size - HEAD_SIZE + len(payload), 1, 0, 0.0, *map(len, STRINGS))
        self._frames = [head + payload] * 2

    def receive(self):
        return self._frames.pop() if self._frames else b""

    def send(self, kind, seq, value, payload):
        pass

    def log(self, seq, stream, texts):
        pass


def handler(event, context):
    context.get_remaining_time_in_millis()
    return {"statusCode": 200, "headers": {"content-type": "text/plain"}, "body": event["version"]}


def rehearse(function_type):
    """Has a function of the type serve an event. Nothing of it stays."""
    path = list(sys.path)
    stage = Stage()
    function = function_type(stage, dict.fromkeys(
        ("function_name", "function_version", "invoked_function_arn", "memory_mb", "log_group", "log_stream"), ""))
    try:
        hearth_handler.prepare_path(hearth_handler.HERE)
    finally:
        sys.path[:] = path
    out = text(LogBuffer(stage, function._current, 1))
    out.write("x\n")
    formatter = logging.Formatter(hearth_logging.TEXT_FORMAT, "%Y-%m-%dT%H:%M:%S")
    record = logging.makeLogRecord({"msg": "x", "aws_request_id": ""})
    formatter.format(record)
    function._handler, function._set_trace, function._ascii = handler, None, False
    function.serve()
