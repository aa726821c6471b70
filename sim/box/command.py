"""`perch sim ...` -> here -> run, replay, shrink, campaign, sweep, explain, watch, live: which room does what.

Exit codes: 0 all is well; 1 an invariant failed; 2 two runs of one plan differed; 3 an expectation of [expect] was
missed; 4 an error of the simulator itself, or the wall-clock limit; 5 wrong usage, or a scenario that cannot be read.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable
from typing import NoReturn

from protocol.errors import Refusal

OK, FAILED, DIFFERED, MISSED, BROKEN, USAGE = range(6)

COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("sim.box.run_command:run", "run a scenario with a seed, check everything, write a report"),
    "replay": ("sim.box.run_command:replay", "run a plan again: the directory of a run, or a plan.toml"),
    "shrink": ("sim.box.shrink:command", "cut a failing plan down to the fewest events that still fail"),
    "campaign": ("sim.box.campaign:command", "seed after seed, until the time is over and every mark is reached"),
    "sweep": ("sim.box.sweep:command", "the same days with other docks, hours, rates or sizes, in one picture"),
    "explain": ("sim.box.explain:command", "the whole way of one message, in words"),
    "watch": ("sim.box.watch:command", "the wing in a terminal, one row for each bay, at any speed"),
    "live": ("sim.box.live:command", "real processes, real kills; the same checks, no promise to repeat"),
}
EXITS = (
    "0 all is well   1 an invariant failed   2 two runs of one plan differed   3 an expectation was missed\n"
    "4 an error of the simulator, or its time limit   5 wrong usage, or a scenario that cannot be read"
)


class Parser(argparse.ArgumentParser):
    """Wrong usage ends with USAGE: argparse's own 2 has another meaning here."""

    def __init__(self, name: str) -> None:
        super().__init__(
            prog=f"perch sim {name}", description=COMMANDS[name][1].capitalize() + ".", epilog="Exit codes: " + EXITS,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: {message}\n")


def usage() -> str:
    rows = [f"  perch sim {name:<9} {what}" for name, (_, what) in COMMANDS.items()]
    return "\n".join(["usage: perch sim COMMAND [options]", "", *rows, "", EXITS, "", "Scenarios: " + _bundled()])


def _bundled() -> str:
    from sim.box.scenario import bundled

    return ", ".join(bundled())


def main(arguments: list[str]) -> int:
    """The command; its exit code."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(usage())
        return OK if arguments else USAGE
    if arguments[0] not in COMMANDS:
        print(f"perch sim: there is no command {arguments[0]!r}.\n\n{usage()}", file=sys.stderr)
        return USAGE
    module, function = COMMANDS[arguments[0]][0].split(":")
    command: Callable[[list[str]], int] = getattr(importlib.import_module(module), function)
    try:
        return command(arguments[1:])
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else BROKEN
    except Refusal as refusal:  # a scenario or a plan that cannot be used; the words say where and why
        print(f"perch sim: {refusal}", file=sys.stderr)
        return USAGE
    except OSError as error:
        print(f"perch sim: {error}", file=sys.stderr)
        return BROKEN
