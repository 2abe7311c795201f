"""What a process does once before it has a function, because the first time of a thing takes
longest: pages come from the disk, and caches of the interpreter fill. A handler is found and
loaded, and called for one event."""

import json
import logging
import os
import sys

import hearth_handler
from hearth_channel import HEAD_SIZE, INVOCATION, INVOKE, MAGIC

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
    """Has a function of the type be loaded and serve an event. Nothing of it stays."""
    path, folder, streams = list(sys.path), os.getcwd(), (sys.stdout, sys.__stdout__, sys.stderr, sys.__stderr__)
    stage = Stage()
    init = dict.fromkeys(("function_name", "function_version", "invoked_function_arn", "memory_mb", "log_group", "log_stream"), "")
    function = function_type(stage, {**init, "handler": __name__ + ".handler", "task_root": hearth_handler.HERE, "env": dict(os.environ)})
    root = logging.getLogger()
    kept, converter = root.handlers[:], logging.Formatter.converter
    # The first compilation of a process takes a millisecond. The bootstrap has been compiled before.
    compile("def handler(event, context):\n    return {'statusCode': 200}\n", "rehearsal", "exec")
    try:
        if function.init():
            print("x")
            root.warning("x")
            function.serve()
    finally:
        os.chdir(folder)
        sys.path[:] = path
        sys.stdout, sys.__stdout__, sys.stderr, sys.__stderr__ = streams
        root.handlers[:] = kept
        logging.Formatter.converter = converter
