"""`make bench`: the figures of Perch, each beside a limit or a peer measured in the same run.

    python -m sim.bench [--quick] [--only wire,media,docking,heap] [--json]

Timings are of this machine and of this moment: read the ratios.
"""

import argparse
import importlib
import json
import platform
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

PARTS = {
    "wire": "goodput of link and session on a throttled pty, as a share of the line rate",
    "docking": "one 30 s video message from seated device to custody at 3 Mbaud",
    "media": "the media worker: seconds of CPU a second of video, and the size of what it makes",
    "heap": "MicroPython heaps: what protocol/ with a session and the whole device need",
}


def main(argv: list[str] | None = None) -> int:
    made = argparse.ArgumentParser(prog="python -m sim.bench", description=__doc__)
    made.add_argument("--quick", action="store_true", help="fewer and shorter runs")
    made.add_argument("--only", default=",".join(PARTS), help="some of: " + ", ".join(PARTS))
    made.add_argument("--json", action="store_true", help="one JSON object on standard output")
    given = made.parse_args(argv)
    wanted = given.only.split(",")
    if unknown := [name for name in wanted if name not in PARTS]:
        made.error(f"there is no part {unknown[0]!r}; there are {', '.join(PARTS)}")
    console = Console(stderr=given.json)
    found: dict[str, list[dict[str, Any]]] = {}
    for name in wanted:
        with console.status(PARTS[name]):
            found[name] = importlib.import_module(f"sim.bench_{name}").rows(given.quick)
        console.print(table_of(name, found[name]))
    if given.json:
        about = {"machine": platform.platform(), "python": platform.python_version()}
        json.dump({"about": about, "parts": found}, sys.stdout, indent=1)
        print()
    misses = [row for rows in found.values() for row in rows if row.get("holds") is False]
    for row in misses:
        console.print(f"[red]over its limit:[/] {row}", highlight=False)
    return 1 if misses else 0


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
    return f"{value:.3f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(main())
