"""Compiles what is below a folder, and writes the bytecode to descriptor 3.

No code of the folder runs. Each file is written as the lengths of its path and its
content (little-endian, 4 bytes each), the path below the folder, and the content. What
does not compile is left out: the function that imports it gets the error.
"""

import importlib.util
import marshal
import os
import sys
import warnings
from struct import pack

# Larger ones are data; compiling takes a hundred times their size.
MAX_SOURCE = 2 << 20


def bytecode(source, path):
    """A .pyc that is valid whatever time its source was written at (PEP 552)."""
    code = compile(source, path, "exec", dont_inherit=True)
    return importlib.util.MAGIC_NUMBER + pack("<I", 1) + importlib.util.source_hash(source) + marshal.dumps(code)


def main(root):
    os.nice(19)
    warnings.simplefilter("ignore")
    with open(3, "wb") as out:
        for folder, folders, names in os.walk(root):
            folders.sort()
            for name in sorted(names):
                path = os.path.join(folder, name)
                try:
                    if not name.endswith(".py") or os.path.islink(path) or os.path.getsize(path) > MAX_SOURCE:
                        continue
                    with open(path, "rb") as file:
                        code = bytecode(file.read(), path)
                    target = os.fsencode(importlib.util.cache_from_source(os.path.relpath(path, root)))
                except (OSError, SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
                    continue
                out.write(pack("<II", len(target), len(code)) + target + code)


main(sys.argv[1])
