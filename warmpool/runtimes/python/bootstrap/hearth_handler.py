"""Finds and loads the handler of a function."""

import importlib
import os
import site
import sys

from hearth_errors import HERE, Fault

# Modules that a zygote has imported and an interpreter that starts has not.
preloaded = frozenset()


def prepare_path(task_root, layer_root="/opt", sdk_root=None):
    """Sets sys.path in Lambda's order: code, layers, Python's own, and last boto3,
    of a folder of its own or among what is installed on the machine.

    https://docs.aws.amazon.com/lambda/latest/dg/python-package.html#python-package-searchpath
    """
    first = [task_root]
    python_path = os.environ.get("PYTHONPATH")
    if python_path and python_path != HERE:
        # As on Lambda, a function's PYTHONPATH takes the place of its layers.
        first += [entry for entry in python_path.split(os.pathsep) if entry and entry != HERE]
    else:
        version = "python%d.%d" % sys.version_info[:2]
        first += ["%s/python/lib/%s/site-packages" % (layer_root, version), layer_root + "/python"]
    theirs = list(sys.path)
    sys.path[:] = first + [entry for entry in sys.path if entry not in first]
    known = set(sys.path)
    for directory in first:
        if os.path.isdir(directory):
            site.addsitedir(directory, known)  # follows .pth files
    _give_up_covered([entry for entry in sys.path if entry not in theirs])
    packages = _machine_packages()
    if sdk_root:
        sys.path[:] = [entry for entry in sys.path if entry not in packages] + [sdk_root]
    sys.path += [p for p in packages if os.path.isdir(p) and p not in sys.path]


def _give_up_covered(entries):
    """Forgets what was preloaded if code or layers have a module of a name in it, which is
    the one to be found."""
    if not preloaded:
        return
    names = {name.partition(".")[0] for name in preloaded}
    for entry in entries:
        try:
            covered = any(found.partition(".")[0] in names for found in os.listdir(entry))
        except OSError:
            continue
        if covered:
            for name in preloaded:
                module = sys.modules.get(name)
                if getattr(getattr(module, "__spec__", None), "cached", None):  # of source
                    del sys.modules[name]
            return


def _machine_packages():
    """The site-packages of the interpreter, which was started without them. Their
    .pth files are left alone: those are the machine's, and run code at each start."""
    environment = os.path.dirname(os.path.dirname(sys.executable))
    if os.path.exists(os.path.join(environment, "pyvenv.cfg")):
        return site.getsitepackages([environment])
    return site.getsitepackages()


def load(name):
    """The function that the handler name stands for, e.g. "pkg/sub.module.handler".

    It raises Fault, or what the module raises.
    """
    try:
        module_name, attribute = name.rsplit(".", 1)
    except ValueError as e:
        raise Fault("Runtime.MalformedHandlerName", "Bad handler '%s': %s" % (name, e)) from None
    if module_name.split(".")[0] in sys.builtin_module_names:
        raise Fault(
            "Runtime.BuiltInModuleConflict", "Cannot use built-in module %s as a handler module" % module_name
        )
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as e:
        raise Fault("Runtime.ImportModuleError", "Unable to import module '%s': %s" % (module_name, e)) from e
    except SyntaxError as e:
        raise Fault(
            "Runtime.UserCodeSyntaxError",
            "Syntax error in module '%s': %s" % (module_name, e),
            ['  File "%s" Line %s\n    %s' % (e.filename, e.lineno, e.text)],
        ) from e
    try:
        return getattr(module, attribute)
    except AttributeError:
        raise Fault("Runtime.HandlerNotFound", "Handler '%s' missing on module '%s'" % (attribute, module_name)) from None
