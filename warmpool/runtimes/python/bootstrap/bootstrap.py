"""The start of Hearth's Python runtime: see doc.go of package python."""

import os
import sys


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path.insert(0, here)
    import hearth_runtime

    complaint = hearth_runtime.rehearse()

    if len(sys.argv) > 1 and __name__ == "__main__":
        booted = frozenset(sys.modules)
        import hearth_zygote

        hearth_zygote.main(booted)
        del hearth_zygote

    # Nothing of ours may answer to a function's import.
    sys.path[:] = [entry for entry in sys.path if entry != here]
    hearth_runtime.main(complaint)


# A child of multiprocessing's "spawn" imports this file under another name.
if __name__ == "__main__":
    main()
