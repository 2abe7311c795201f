"""The handler that Lambda gives the root logger.

Formats from https://github.com/aws/aws-lambda-python-runtime-interface-client
"""

import logging
import time
import traceback
from json import dumps

TEXT_FORMAT = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n"


def install(log, current, environ):
    """Sets the root logger up. log is called with the text of an event."""
    logging.Formatter.converter = time.gmtime
    root = logging.getLogger()
    handler = LambdaLoggerHandler(log)
    if is_json(environ):
        handler.setFormatter(JsonFormatter())
    else:
        handler.setFormatter(logging.Formatter(TEXT_FORMAT, "%Y-%m-%dT%H:%M:%S"))
    handler.addFilter(LambdaLoggerFilter(current))
    root.addHandler(handler)
    level = environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper()
    level = getattr(logging, "DEBUG" if level == "TRACE" else level, None)
    if isinstance(level, int):
        root.setLevel(level)


def is_json(environ):
    return environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"


class LambdaLoggerHandler(logging.Handler):
    def __init__(self, log):
        super().__init__()
        self._log = log

    def emit(self, record):
        self._log(self.format(record))


class LambdaLoggerFilter(logging.Filter):
    def __init__(self, current):
        super().__init__()
        self._current = current

    def filter(self, record):
        record.aws_request_id = self._current.request_id
        return True


# What a record has of its own; all else came with extra={...} and is logged.
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "aws_request_id", "taskName"}


class JsonFormatter(logging.Formatter):
    """One JSON object for each record, with the keys that Lambda has."""

    def __init__(self):
        super().__init__(datefmt="%Y-%m-%dT%H:%M:%S")

    def formatTime(self, record, datefmt=None):
        return "%s.%03dZ" % (super().formatTime(record, datefmt), record.msecs)

    def format(self, record):
        # Lambda knows its five levels only.
        level = min(50, max(0, record.levelno)) // 10 * 10
        fields = {
            "timestamp": self.formatTime(record, self.datefmt),
            "level": logging.getLevelName(level),
            "message": record.getMessage(),
            "logger": record.name,
            "requestId": record.aws_request_id or None,
        }
        if record.exc_info:
            kind, value, tb = record.exc_info
            fields["stackTrace"] = traceback.format_tb(tb)
            fields["errorType"] = kind.__name__ if kind else None
            fields["errorMessage"] = str(value)
            fields["location"] = "%s:%s:%s" % (record.pathname, record.funcName, record.lineno)
        for key, value in vars(record).items():
            if key not in _OWN and key not in fields:
                fields[key] = value
        return dumps({k: v for k, v in fields.items() if v is not None}, ensure_ascii=False) + "\n"


def error_text(error):
    """The log event of a function error in the JSON format."""
    now = time.time()
    timestamp = "%s.%03dZ" % (time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)), now % 1 * 1000)
    fields = {"timestamp": timestamp, "log_level": "ERROR", **error}
    return dumps(fields, ensure_ascii=False) + "\n"
