"""`make bench`: the figures of Perch, each beside a limit or a peer measured in the same run.

    python -m sim.bench [--quick] [--only wire,media,docking,heap] [--resume] [--record] [--json]

Timings are of this machine and of this moment: read the ratios.
"""

import argparse
import importlib
import json
import platform
import signal
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

PARTS = {
    "wire": "goodput of the whole stack on a simulated serial wire, as a share of the line rate, beside its peers",
    "docking": "one 30 s video message from seated device to custody at 3 Mbaud",
    "media": "the media worker: seconds of CPU a second of video, and the size of what it makes",
    "heap": "MicroPython heaps: what protocol/ with a session and the whole device need",
    "device": "a CPython hub and a MicroPython device: link and session at 3 Mbaud, as a share of the line rate",
    "instructions": "machine instructions of what a device does, beside the counts recorded before",
    "wing": "a whole wing in one process and virtual time: 200 learners for 30 days, and smaller ones beside it",
    "lockstep": "a wing of MicroPython processes in step with a virtual clock: start, memory, cost of a call",
}


def main(argv: list[str] | None = None) -> int:
    given = arguments(argv)
    console = Console(stderr=given.json)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what the bench started ends with it
    found: dict[str, list[dict[str, Any]]] = {}
    for name in given.only:
        console.print(f"[bold]{PARTS[name]}[/]", highlight=False)
        try:
            found[name] = measured(name, given, console)
        except KeyboardInterrupt:
            console.print("Interrupted. The runs on the wire are kept: --resume goes on with them.")
            return 130
        part = importlib.import_module(f"sim.bench_{name}")
        console.print(table_of(name, part.shown(found[name]) if hasattr(part, "shown") else found[name]))
    if given.json:
        about = {"machine": platform.platform(), "python": platform.python_version()}
        json.dump({"about": about, "parts": found}, sys.stdout, indent=1)
        print()
    misses = [row for rows in found.values() for row in rows if row.get("holds") is False]
    for row in misses:
        console.print(f"[red]over its limit:[/] {row}", highlight=False)
    return 1 if misses else 0


def arguments(argv: list[str] | None) -> argparse.Namespace:
    made = argparse.ArgumentParser(prog="python -m sim.bench", description=__doc__)
    made.add_argument("--quick", action="store_true", help="fewer and shorter runs, without limits")
    made.add_argument("--only", default=",".join(PARTS), help="some of: " + ", ".join(PARTS))
    made.add_argument("--resume", action="store_true", help="go on with the runs on the wire that were made before")
    made.add_argument("--record", action="store_true", help="the wire: write runs, tables and pictures into docs/")
    made.add_argument("--json", action="store_true", help="one JSON object on standard output")
    given = made.parse_args(argv)
    given.only = given.only.split(",")
    if unknown := [name for name in given.only if name not in PARTS]:
        made.error(f"there is no part {unknown[0]!r}; there are {', '.join(PARTS)}")
    if given.record and (given.quick or "wire" not in given.only):
        made.error("--record is for the whole bench of the wire")
    return given


def measured(name: str, given: argparse.Namespace, console: Console) -> list[dict[str, Any]]:
    """The rows of one part."""
    part = importlib.import_module(f"sim.bench_{name}")
    if name != "wire":
        with console.status(PARTS[name]):
            rows: list[dict[str, Any]] = part.rows(given.quick)
        return rows

    def say(line: str) -> None:
        console.print(line, highlight=False, markup=False)

    rows = part.rows(given.quick, say, given.resume)
    if given.record:
        for path in importlib.import_module("sim.bench_docs").record(part.kept()):
            say(f"wrote {path.parent.name}/{path.name}")
    return rows


def table_of(name: str, rows: list[dict[str, Any]]) -> Table:
    table = Table(title=PARTS[name], title_justify="left")
    columns: list[str] = []
    for row in rows:
        columns += [key for key in row if key not in columns]
    for column in columns:
        numeric = all(isinstance(row.get(column, 0), (int, float)) for row in rows)
        table.add_column(column, justify="right" if numeric else "left")
    for row in rows:
        table.add_row(*(shown(row.get(column)) for column in columns))
    return table


def shown(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "NO"
    if isinstance(value, float):
        return f"{value:.3f}" if value == 0 or abs(value) >= 0.001 else f"{value:g}"
    return str(value)


if __name__ == "__main__":
    sys.exit(main())
