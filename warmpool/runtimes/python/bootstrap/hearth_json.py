"""JSON as Lambda's Python runtimes read and write it.

AWS's client uses simplejson, which goes beyond the json module: Decimal becomes
a number, bytes a string, a named tuple an object. This is that over json.
https://github.com/aws/aws-lambda-python-runtime-interface-client/blob/main/awslambdaric/lambda_runtime_marshaller.py
"""

import json
import os
import sys

from hearth_errors import Fault

_loads = json.loads
_scan = json.JSONDecoder().scan_once

# What neither is nor holds a named tuple.
_ATOMS = frozenset((str, int, float, bool, type(None)))


def decode(data):
    """The event in data, the bytes of a JSON text."""
    try:
        text = str(data, "utf-8")
        try:
            # What json.loads does, less its two searches for white space.
            value, end = _scan(text, 0)
            if end == len(text):
                return value
        except StopIteration:
            pass
        return _loads(text)
    except Exception as e:
        raise Fault("Runtime.UnmarshalError", "Unable to unmarshal input: %s" % e) from None


class Encoder:
    """Encodes results, for one thread. With ascii, all else is escaped, as in
    Lambda's runtimes before Python 3.12."""

    def __init__(self, ascii):
        self._ascii = ascii
        self._encode = _encoder(ascii)

    def encode(self, value):
        """The result value as the bytes of a JSON text; bytes go as they are."""
        if isinstance(value, bytes):
            return value
        try:
            if type(value) not in _ATOMS and _has_named_tuple(value):
                value = _as_objects(value)
            try:
                text = self._encode(value)
            except _DecimalMet:
                text = self._encode_decimals(value)
            # An unpaired surrogate becomes the escape that JSON has for it.
            return text.encode("utf-8", "backslashreplace")
        except Exception as e:
            raise Fault("Runtime.MarshalError", "Unable to marshal response: %s" % e) from None

    def _encode_decimals(self, value):
        """Encodes with all digits of Decimals, which json cannot: it is given a mark
        for each, that no function can guess, and the digits go in its place."""
        mark = "decimal:" + os.urandom(16).hex()
        numbers = []

        def default(value):
            try:
                return _default(value)
            except _DecimalMet:
                numbers.append(str(value))
                return mark

        encode = json.JSONEncoder(ensure_ascii=self._ascii, default=default).encode
        first, *rest = encode(value).split('"%s"' % mark)
        return first + "".join(number + text for number, text in zip(numbers, rest))


def _encoder(ascii):
    """json.JSONEncoder(ensure_ascii=ascii, default=_default).encode, less the making
    of its encoder for each value, which is a third of the time for a small one."""
    whole = json.JSONEncoder(ensure_ascii=ascii, default=_default).encode
    escape = json.encoder.encode_basestring_ascii if ascii else json.encoder.encode_basestring
    path = {}  # of the containers that are being encoded, to find circles
    try:
        chunks = json.encoder.c_make_encoder(path, _default, escape, None, ": ", ", ", False, False, True)
        if "".join(chunks({"a": [1]}, 0)) != '{"a": [1]}':
            return whole
    except Exception:
        return whole  # a Python whose json is made in another way

    def encode(value):
        try:
            return "".join(chunks(value, 0))
        except BaseException:
            path.clear()
            raise

    return encode


class _DecimalMet(Exception):
    pass


def _default(value):
    """What to encode in place of value, which json does not know."""
    if isinstance(value, bytes):
        return str(value, "utf-8")
    decimal = sys.modules.get("decimal")
    if decimal is not None and isinstance(value, decimal.Decimal):
        if value.is_nan():
            return float("nan")
        raise _DecimalMet
    if _is_named(value):
        return value._asdict()
    raise TypeError("Object of type %s is not JSON serializable" % type(value).__name__)


def _is_named(value):
    return callable(getattr(value, "_asdict", None))


def _has_named_tuple(value):
    if isinstance(value, dict):
        values = value.values()
    elif isinstance(value, (list, tuple)):
        if type(value) is not list and _is_named(value):
            return True
        values = value
    else:
        return False
    if not _ATOMS.issuperset(map(type, values)):
        for v in values:
            if type(v) not in _ATOMS and _has_named_tuple(v):
                return True
    return False


def _as_objects(value):
    """A copy of value whose named tuples are dicts."""
    if isinstance(value, dict):
        return {k: _as_objects(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        if _is_named(value):
            return _as_objects(value._asdict())
        return [_as_objects(v) for v in value]
    return value
