"""What functions use of the AWS SDK of the runtime, and how a zygote has it ready.

Of a function that is ready, entries tells the modules and the service descriptions that it
has loaded. A zygote loads what it is told of these before it forks.
"""

import json
import os
import re
import sys

# Methods of botocore's Loader that keep what they have read, and names of their parameters.
_METHODS = {
    "determine_latest_version",
    "list_api_versions",
    "list_available_services",
    "load_data",
    "load_data_with_path",
    "load_service_model",
}
_PARAMETERS = {"api_version", "name", "service_name", "type_name"}
# What parameters may be. The names come from functions and lead to files, which the zygote
# reads as root: none may lead out of the SDK.
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*")
_CALL = "botocore.loaders:"  # begins an entry that is a call of a Loader

# The Loader that the zygote has filled, for the first session of this process.
_filled = None


def entries(root):
    """What was loaded from root, the folder of the SDK: names of modules, and calls of the
    Loader of boto3's default session, or of the one that the zygote has filled."""
    top = root + os.sep
    found = []
    for name, module in list(sys.modules.items()):
        origin = getattr(getattr(module, "__spec__", None), "origin", None)
        if isinstance(origin, str) and origin.startswith(top) and origin.endswith(".py"):
            found.append(name)
    if "botocore.loaders" in found:
        try:
            loader = _filled or sys.modules["boto3"].DEFAULT_SESSION._session._components._components["data_loader"]
            found += [_CALL + json.dumps(key) for key in loader._cache if key[0] in _METHODS]
        except (AttributeError, KeyError, TypeError):
            pass  # no session, or another botocore than those we know
    return found


def preload(names, root):
    """Imports and loads names, as of entries, from root. What does not work is left to the
    function, which gets the error."""
    import importlib

    sys.path.append(root)
    tops = {}
    for name in names:
        if name.startswith(_CALL):
            continue
        top = name.partition(".")[0]
        if top not in tops:
            tops[top] = _is_of(top, root)
        if tops[top]:
            try:
                importlib.import_module(name)
            except Exception:
                pass
    calls = [name[len(_CALL) :] for name in names if name.startswith(_CALL)]
    if calls and "botocore.session" in sys.modules:
        try:
            _fill(calls)
        except Exception:
            pass
    sys.path.remove(root)


def _is_of(top, root):
    import importlib.util

    try:
        origin = importlib.util.find_spec(top).origin
    except (AttributeError, ImportError, ValueError):
        return False
    return isinstance(origin, str) and origin.startswith(root + os.sep)


def _read(call):
    method, *values = json.loads(call)
    if method not in _METHODS:
        raise ValueError(method)
    for value in values:
        if value is not None and not _NAME.fullmatch(value):
            raise ValueError(value)
    args, named = [], {}
    values = iter(values)
    for value in values:
        if value in _PARAMETERS:
            named[value] = next(values)
        else:
            args.append(value)
    return method, args, named


def _fill(calls):
    """Has the first Loader that a session of this process asks for know the results of calls.

    Reading the descriptions of services is a third of what a client takes to be made. Only
    one session gets the results: it may change them.
    """
    global _filled
    loaders, session = sys.modules["botocore.loaders"], sys.modules["botocore.session"]
    original = loaders.create_loader
    if session.create_loader is not original:
        return
    loader = original()
    for call in calls:
        try:
            method, args, named = _read(call)
            getattr(loader, method)(*args, **named)
        except Exception:
            pass  # the session reads it by itself

    def create_loader(search_path_string=None):
        loaders.create_loader = session.create_loader = original
        if search_path_string is None and not os.path.isdir(loader.CUSTOMER_DATA_PATH):
            return loader
        return original(search_path_string)

    loaders.create_loader = session.create_loader = create_loader
    _filled = loader
