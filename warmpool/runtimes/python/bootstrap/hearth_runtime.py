"""The runtime of one function: init, then one invocation after the other."""

import os
import site
import sys
import threading
import time
from json import loads

import hearth_errors
import hearth_logging
import hearth_sdk
import hearth_trace
from hearth_channel import (
    BOOTED,
    ERROR,
    HEAD_SIZE,
    INIT_ERROR,
    INVOCATION,
    INVOKE,
    MAGIC,
    READY,
    RESULT,
    Channel,
)
from hearth_context import LambdaContext
from hearth_current import Current, LocalCurrent
from hearth_errors import Fault
from hearth_handler import load, prepare_path
from hearth_json import Encoder, decode
from hearth_output import LogBuffer, text

# Lambda's limit for a synchronous response in bytes.
MAX_RESPONSE = 6291556
RESPONSE_TOO_LARGE = "Function.ResponseSizeTooLarge"
TOO_LARGE = "Response payload size exceeded maximum allowed payload size (%d bytes)." % MAX_RESPONSE

# These escape every result in ASCII.
_ASCII_RUNTIMES = ("AWS_Lambda_python3.8", "AWS_Lambda_python3.9", "AWS_Lambda_python3.10", "AWS_Lambda_python3.11")

# A function that freezes time, as a test may, must not freeze our durations.
_clock = time.perf_counter_ns


def main(complaint):
    channel = Channel()
    _behave_as_if_started_with_site()
    # From here on this is a stem: it waits to be told which function it is.
    channel.send(BOOTED, 0, 0, complaint.encode())
    frame = channel.receive()
    if not frame:
        os._exit(0)
    function = Function(channel, loads(frame[HEAD_SIZE:]))
    if not function.init():
        os._exit(1)
    try:
        function.serve()
    finally:
        # A handler's sys.exit ends the process with its status, as on Lambda.
        function.finish_output()
    os._exit(0)


def rehearse():
    """Does what an init and a first call do, and returns what went wrong, "" for nothing. A
    rehearsal that fails says nothing about functions: they start without."""
    try:
        import hearth_rehearsal

        hearth_rehearsal.rehearse(Function)
    except Exception as e:
        return "%s: %s" % (type(e).__name__, e)
    finally:
        sys.modules.pop("hearth_rehearsal", None)
    return ""


def _behave_as_if_started_with_site():
    """The interpreter is started without site (-S), which takes a third of its
    start; these are what a function would miss of it."""
    site.setquit()
    site.setcopyright()
    site.sethelper()


class Function:
    """The function that this process runs, and what its contexts are made of."""

    def __init__(self, channel, init):
        self._channel = channel
        self._init = init
        self._concurrency = init.get("concurrency") or 1
        self._current = Current() if self._concurrency == 1 else LocalCurrent()
        self._receiving = threading.Lock()

        self.function_name = init["function_name"]
        self.function_version = init["function_version"]
        self.invoked_function_arn = init["invoked_function_arn"]
        self.memory_limit_in_mb = str(init["memory_mb"])
        self.log_group_name = init["log_group"]
        self.log_stream_name = init["log_stream"]

    def init(self):
        """Loads the handler; reports whether that went well."""
        # What is there are the paths that the process was started with, or all that a
        # wrapper has left of the variables and made of them.
        handler = self._init["handler"]
        if self._init.get("wrapped"):
            handler = os.environ.get("_HANDLER", "")
        else:
            os.environ.update(self._init["env"])
        self._stdout = LogBuffer(self._channel, self._current, 1)
        self._stderr = LogBuffer(self._channel, self._current, 2)
        sys.stdout = sys.__stdout__ = text(self._stdout)
        sys.stderr = sys.__stderr__ = text(self._stderr)
        hearth_logging.install(self.log, self._current, os.environ)
        self._json_logs = hearth_logging.is_json(os.environ)
        runtime = os.environ.get("AWS_EXECUTION_ENV")
        self._ascii = runtime in _ASCII_RUNTIMES
        self._tells_request = runtime != "AWS_Lambda_python3.8"  # in errors, as recorded
        # Process-wide: with several invocations at once it would be another's.
        self._set_trace = hearth_trace.install() if self._concurrency == 1 else None

        if self._init.get("waits") and not self._channel.receive():  # a go frame: the code is there
            os._exit(0)
        time.tzset()
        os.chdir(self._init["task_root"])
        prepare_path(self._init["task_root"], self._init.get("layer_root") or "/opt", self._init.get("sdk_root"))
        start = _clock()
        try:
            self._handler = load(handler)
        except Exception:
            self._fail(INIT_ERROR, 0, start)
            return False
        finally:
            self.finish_output()
        sdk_root = self._init.get("sdk_root")
        self._channel.send(READY, 0, 0, "\n".join(hearth_sdk.entries(sdk_root)).encode() if sdk_root else b"")
        return True

    def log(self, message):
        """Logs message as one event."""
        if self._channel.left:
            sys.stdout.write(message)
            return
        self._channel.log(self._current.seq, 1, [message.encode("utf-8", "backslashreplace")])

    def finish_output(self):
        current = self._current
        if current.stdout:
            self._stdout.finish()
        if current.stderr:
            self._stderr.finish()

    def serve(self):
        """Runs invocations until the end of the channel."""
        if self._concurrency == 1:
            self._serve(self._channel.receive)
            return
        threads = [threading.Thread(target=self._serve_thread, daemon=True) for _ in range(self._concurrency - 1)]
        for thread in threads:
            thread.start()
        self._serve(self._receive_alone)
        for thread in threads:
            thread.join()

    def _receive_alone(self):
        with self._receiving:
            return self._channel.receive()

    def _serve_thread(self):
        try:
            self._serve(self._receive_alone)
        except BaseException as e:
            # The whole process ends, as it does when the main thread's handler exits.
            status = 1
            if isinstance(e, SystemExit):
                status = e.code if isinstance(e.code, int) else int(e.code is not None)
            else:
                sys.excepthook(*sys.exc_info())
            self.finish_output()
            os._exit(status & 0xFF)

    def _serve(self, receive):
        channel, current, unpack = self._channel, self._current, INVOCATION.unpack_from
        handler, encode = self._handler, Encoder(self._ascii).encode
        set_trace = self._set_trace
        while True:
            frame = receive()
            if not frame:
                return
            start = _clock()
            magic, kind, meta, _, seq, _, deadline, *lengths = unpack(frame)
            if magic != MAGIC or kind != INVOKE:
                raise OSError("request pipe out of step")
            request_id, trace_id, arn, client_context, identity = _strings(frame, lengths)
            current.seq, current.request_id = seq, request_id
            if set_trace:
                set_trace(trace_id)
            try:
                context = LambdaContext(
                    self,
                    request_id,
                    deadline,
                    arn,
                    _parse(client_context, "Client Context") if client_context else None,
                    _parse(identity, "Cognito Identity") if identity else None,
                )
                result = encode(handler(decode(frame[HEAD_SIZE + meta :]), context))
                if len(result) > MAX_RESPONSE:
                    raise Fault(RESPONSE_TOO_LARGE, TOO_LARGE)
            except Exception:
                self._fail(ERROR, seq, start)
                continue
            if current.stdout or current.stderr:
                self.finish_output()
            channel.send(RESULT, seq, (_clock() - start) // 1000, result)

    def _fail(self, kind, seq, start):
        """Logs the exception being handled and replies with it."""
        error = hearth_errors.describe(self._current.request_id if self._tells_request else None)
        self.finish_output()
        self.log(hearth_logging.error_text(error) if self._json_logs else hearth_errors.log_text(error))
        payload = hearth_errors.encode(error)
        if len(payload) > MAX_RESPONSE or error["errorType"] == RESPONSE_TOO_LARGE:
            payload = hearth_errors.encode({"errorMessage": TOO_LARGE, "errorType": RESPONSE_TOO_LARGE})
        self._channel.send(kind, seq, (_clock() - start) // 1000, payload)


def _strings(frame, lengths):
    """The strings of the meta part of an invoke frame."""
    strings, at = [], INVOCATION.size
    for n in lengths:
        strings.append(str(frame[at : at + n], "utf-8") if n else "")
        at += n
    return strings


def _parse(text, name):
    try:
        return loads(text)
    except Exception as e:
        raise Fault("Runtime.LambdaContextUnmarshalError", "Unable to parse %s JSON: %s" % (name, e)) from None
