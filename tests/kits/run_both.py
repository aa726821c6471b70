"""Runs inside MicroPython: every `test_*` function of one file, by name. `micropython.py` starts it.

usage: micropython run_both.py ROOT FILE      (the last line is `ran N, failed M`)
"""

import gc
import sys


def main(root: str, path: str) -> int:
    folder, _, file_name = path.rpartition("/")
    sys.path.insert(0, root)
    sys.path.insert(0, folder)
    module = __import__(file_name[:-3])
    names = sorted([name for name in dir(module) if name.startswith("test_")])
    failed = 0
    for name in names:
        gc.collect()
        try:
            getattr(module, name)()
        except Exception as error:
            failed += 1
            print("FAILED", name)
            sys.print_exception(error, sys.stdout)  # type: ignore[attr-defined]
    print(f"ran {len(names)}, failed {failed}")
    return failed


sys.exit(1 if main(sys.argv[1], sys.argv[2]) else 0)
