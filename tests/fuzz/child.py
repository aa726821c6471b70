"""Fuzzing: one target under atheris, in a process of its own. Started by tests.fuzz.run; needs atheris.

    python -m tests.fuzz.child MODULE TARGET [libFuzzer's own arguments]
"""

import importlib
import sys

import atheris

from tests.fuzz.registry import TARGETS

ROOMS = ["protocol", "hub_daemon.filter", "hub_daemon.wire_files", "hub_daemon.wire_messages", "hub_daemon.wire_check"]


def main() -> None:
    module, name = sys.argv[1:3]
    with atheris.instrument_imports(include=ROOMS):
        importlib.import_module(module)
    atheris.Setup([sys.argv[0], *sys.argv[3:]], TARGETS[name].function)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
