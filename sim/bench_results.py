"""The bench's runs as they are kept, and what is read from them: rows, limits, and the table for the docs.

Nothing here measures: the same runs always give the same rows and the same table.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any

from sim.bench_case import (
    LEAST_SHARE,
    MEMORY,
    PERCH,
    PULL,
    PULL_COSTS,
    UNTHROTTLED_MB_S,
    YANK_BYTES_RATIO,
    YANK_MS,
    YANK_S,
)

ROOT = Path(__file__).resolve().parent.parent
MICROPYTHON = str(Path(sys.executable).parent / "micropython")
IMPLEMENTATION = "import sys; print('.'.join(str(n) for n in sys.implementation.version[:3]))"
KEY = ("kind", "program", "baud", "size", "ber", "cuts", "down_s")
Run = dict[str, Any]
Row = dict[str, Any]


# what it was measured with


def versions() -> dict[str, str]:
    """Everything whose version may change the figures."""
    return {
        "Perch": said(["git", "describe", "--always", "--tags"]) or metadata.version("perch-wing"),
        "lrzsz": said(["sz", "--version"]).removeprefix("sz (lrzsz) ") or "not installed",
        "rns": installed("rns"),
        "Python": platform.python_version(),
        "MicroPython": said([MICROPYTHON, "-c", IMPLEMENTATION]) or "not installed",
        "kernel": f"{platform.system()} {platform.release()}",
        "processor": f"{os.cpu_count()} x {processor()}",
    }


def said(command: list[str]) -> str:
    """The first line of what a program says; "" where it is not there."""
    if shutil.which(command[0]) is None:
        return ""
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
    return done.stdout.partition("\n")[0].strip()


def installed(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines() if os.path.exists("/proc/cpuinfo") else []:
        if line.startswith(("model name", "Model")):
            return line.partition(":")[2].strip()
    return platform.machine()


# runs that are kept


def load(path: Path) -> dict[str, Any]:
    """{"about": ..., "runs": [...]}; empty where there is no such file."""
    if not path.exists():
        return {"about": {}, "runs": []}
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def save(path: Path, results: dict[str, Any]) -> None:
    """One run a line, so that two records can be compared."""
    path.parent.mkdir(parents=True, exist_ok=True)
    runs = ",\n".join("  " + json.dumps(run) for run in results["runs"])
    text = f'{{\n "about": {json.dumps(results["about"], indent=1)},\n "runs": [\n{runs}\n ]\n}}\n'
    temporary = path.with_suffix(".new")
    temporary.write_text(text)
    temporary.replace(path)


# rows


def rows_of(runs: list[Run], limits: bool = True) -> list[Row]:
    """One row a case, in the order of the runs; with `limits`, each says its limit and whether it holds."""
    groups: dict[tuple[Any, ...], list[Run]] = {}
    for run in runs:
        groups.setdefault(tuple(run[name] for name in KEY), []).append(run)
    rows = []
    for key, group in groups.items():
        row = dict(zip(KEY, key))
        finished = [run for run in group if run["finished"]]
        row |= {"runs": len(group), "finished": len(finished)}
        if finished:
            row["seconds"] = round(median(run["seconds"] for run in finished), 3)
            if row["baud"]:
                shares = sorted(share(run) for run in finished)
                row |= {"share": round(median(shares), 4), "least": round(shares[0], 4), "most": round(shares[-1], 4)}
            else:
                row["MB/s"] = round(median(run["size"] / run["seconds"] for run in finished) / 1e6, 2)
            if "resent" in finished[0]:
                row["repaired"] = int(median(run["repaired"] + run.get("peer_repaired", 0) for run in finished))
                row["resent"] = int(median(run["resent"] for run in finished))
        rows.append(row)
    for row in rows:
        if row["cuts"] and row["finished"]:
            row |= cost_of_cuts(row, groups)
    if limits:
        for row in rows:
            set_limit(row, rows)
    return rows


def share(run: Run) -> float:
    """Payload bits with their start and stop bits, as a share of what the line carries in that time."""
    return float(run["size"] / run["seconds"] / (run["baud"] / 10))


def cost_of_cuts(row: Row, groups: dict[tuple[Any, ...], list[Run]]) -> dict[str, float]:
    """What one cut cost beyond the time that it lasted, and the bytes beside those of the clean runs."""
    group = [run for run in groups[tuple(row[name] for name in KEY)] if run["finished"]]
    clean_key = ("errors", row["program"], row["baud"], row["size"], 0.0, 0, 0.0)
    clean = [run for run in groups.get(clean_key, []) if run["finished"]]
    if not clean:
        return {}
    clean_s = median(run["seconds"] for run in clean)
    clean_bytes = median(run["bytes_arrived"] for run in clean)
    beyond_s = median((run["seconds"] - clean_s - run["down_total_s"]) / max(1, run["downs"]) for run in group)
    ratio = median(run["bytes_arrived"] for run in group) / clean_bytes
    return {"ms a cut": round(beyond_s * 1000, 1), "bytes ratio": round(ratio, 4)}


def set_limit(row: Row, rows: list[Row]) -> None:
    """The row's limit, where it has one: `limit` in its own unit, and `holds`."""
    if row["kind"] == "errors" and row["program"] == PERCH and row["ber"] in LEAST_SHARE:
        row["limit"] = LEAST_SHARE[row["ber"]]
        row["holds"] = all_finished(row) and row["share"] >= row["limit"]
    elif row["kind"] == "errors" and row["program"] == PULL and row["ber"]:
        # two runs meet different damage, which weighs more than a hundredth: held to the goal, not to the other run
        if row["ber"] in LEAST_SHARE:
            row["limit"] = round(LEAST_SHARE[row["ber"]] - PULL_COSTS, 4)
            row["holds"] = all_finished(row) and row["share"] >= row["limit"]
    elif row["kind"] == "errors" and row["program"] == PULL:
        own = [other for other in rows if other["program"] == PERCH and same_wire(other, row) and "share" in other]
        if own:
            row["limit"] = round(own[0]["share"] - PULL_COSTS, 4)
            row["holds"] = all_finished(row) and row["share"] >= row["limit"]
    elif row["kind"] == "unthrottled" and row["program"] in (PERCH, MEMORY):
        row["limit"] = UNTHROTTLED_MB_S
        row["holds"] = all_finished(row) and row["MB/s"] >= row["limit"]
    elif row["cuts"] and row["program"] == PERCH:
        limited = row["kind"] == "hang-ups" and row["down_s"] >= YANK_S
        row["limit"] = f"{YANK_MS:g} ms, {YANK_BYTES_RATIO:g} x bytes" if limited else None
        row["holds"] = all_finished(row)
        if limited and row["holds"]:
            row["holds"] = row.get("ms a cut", 1e9) <= YANK_MS and row.get("bytes ratio", 1e9) <= YANK_BYTES_RATIO


def all_finished(row: Row) -> bool:
    return bool(row["finished"] == row["runs"] > 0)


def same_wire(one: Row, other: Row) -> bool:
    return all(one[name] == other[name] for name in ("kind", "baud", "ber", "cuts", "down_s"))
