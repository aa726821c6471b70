"""The command `perch`: which room does what. Each room is imported only when its command is given."""

import importlib
import sys
from collections.abc import Callable

Command = Callable[[list[str]], int]

COMMANDS: dict[str, tuple[str, str]] = {
    "hub": ("hub_daemon.daemon:main", "run the hub of a wing: broker, bays, media, staff page"),
    "staff": ("hub_daemon.staff_commands:staff", "accounts of staff, learners and groups"),
    "enrol": ("hub_daemon.commands:enrol", "enrol the device that docks next"),
    "device": ("firmware.ports.linux:main", "run the device's software on a Linux slate"),
    "wire": ("hub_daemon.wire:main", "is this cable good, which part is not, and what to do"),
    "demo": ("sim.demo:main", "a wing on this machine, with two learners' devices"),
    "sim": ("sim.box.command:main", "a simulated wing: run, campaign, sweep, explain, watch"),
}


def usage() -> str:
    width = max(len(name) for name in COMMANDS)
    rows = [f"  perch {name:<{width}}  {what}" for name, (_, what) in COMMANDS.items()]
    head, foot = ["usage: perch COMMAND [options]", ""], ["", "perch COMMAND --help says more of each."]
    return "\n".join([*head, *rows, *foot])


def main(argv: list[str] | None = None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    if not argv or argv[0] in ("-h", "--help"):
        print(usage())
        return 0 if argv else 2
    if argv[0] not in COMMANDS:
        print(f"perch: there is no command {argv[0]!r}.\n\n{usage()}", file=sys.stderr)
        return 2
    module, function = COMMANDS[argv[0]][0].split(":")
    command: Command = getattr(importlib.import_module(module), function)
    try:
        return command(argv[1:])
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
