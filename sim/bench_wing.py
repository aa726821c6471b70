"""A whole wing in one process and virtual time: how long a month of it takes, what it holds, and where the time goes.

The scenario `month`, with its judges, at three sizes, each in a process of its own. The cost of a docking should not
grow with what the wing has written before, nor with how many others there are: `ms_a_docking` says whether it does. The
last rows are the shares of one smaller run by what the code is for, from a profile.
"""

from __future__ import annotations

import cProfile
import dataclasses
import pstats
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from sim.box.kernel import DAY_MS
from sim.box.plan import Plan
from sim.box.planning import make_plan
from sim.box.running import run_plan
from sim.box.scenario import Scenario
from sim.box.world import World

SIZES, SIZES_QUICK = (50, 100, 200), (10, 20)
DAYS, DAYS_QUICK, DAYS_PROFILED = 30, 2, 3
SECONDS_MAX = 120  # the largest, on two cores
MEMORY_MIB_MAX = 1024
LEARNERS_PROFILED = 50
SEED = "1"
ROOT = Path(__file__).resolve().parent.parent

# what a part of the code is for, by the beginning of its path; the first that fits
PARTS = (
    ("wire: link and frames", ("protocol/link", "protocol/frame", "protocol/stack")),
    ("session and ciphers", ("protocol/session", "protocol/noise", "protocol/crypto", ".venv")),
    ("records: CBOR and checks", ("protocol/cbor", "protocol/cose", "protocol/records")),
    ("MQTT, at both ends and the broker", ("protocol/mqtt", "sim/box/broker", "hub_daemon/filter")),
    ("device: outbox, inbox, journal", ("firmware/", "protocol/blob")),
    ("hub: exchange, lists, queue", ("hub_daemon/",)),
    ("the simulated world", ("sim/",)),
    ("SQLite and the rest of the interpreter", ("",)),
)


def rows(quick: bool = False) -> list[dict[str, Any]]:
    """One row for each size, then the shares. `holds`: within time and memory, nothing failed, everything arrived."""
    found = []
    for learners in SIZES_QUICK if quick else SIZES:
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            row = pool.submit(row_of, learners, DAYS_QUICK if quick else DAYS).result()
        if learners == SIZES[-1]:
            row["limit"] = f"{SECONDS_MAX} s, {MEMORY_MIB_MAX} MiB"
            row["holds"] = row["holds"] and row["seconds"] <= SECONDS_MAX and row["mib"] <= MEMORY_MIB_MAX
        found.append(row)
    profiled = (SIZES_QUICK[0], DAYS_QUICK) if quick else (LEARNERS_PROFILED, DAYS_PROFILED)
    return found + shares(plan_of(*profiled))


def shown(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows as they fit a terminal."""
    found = []
    for row in rows:
        if "part" in row:
            found.append({"what": row["part"], "result": f"{100 * row['share']:.0f} % of the time", "limit": "-"})
            continue
        result = (
            f"{row['seconds']} s, {row['mib']} MiB: {row['dockings']} dockings of {row['ms_a_docking']} ms,"
            f" {row['messages']} messages, {row['deliveries']} deliveries, {row['events']} events"
        )
        what = f"{row['learners']} learners, {row['days']} days"
        found.append({"what": what, "result": result, "limit": row.get("limit", "-"), "holds": row["holds"]})
    return found


def plan_of(learners: int, days: int) -> Plan:
    """The month's first days, with so many learners."""
    scenario = Scenario.load("month", {"wing.learners": learners, "wing.groups": max(1, learners // 10)})
    whole = make_plan(scenario, SEED)
    events = tuple(event for event in whole.events if event.at_ms < days * DAY_MS)
    return dataclasses.replace(whole, days=days, events=events)


def row_of(learners: int, days: int) -> dict[str, Any]:
    """One run, in a process that does nothing else."""
    plan = plan_of(learners, days)
    counts: dict[str, Any] = {}

    def count(world: World) -> None:
        entries = world.trace.entries
        counts.update(
            dockings=len(world.docks.all), messages=len(world.ledger.messages), calls=world.kernel.calls,
            deliveries=sum(entry.kind == "received" for entry in entries), events=len(entries),
        )  # fmt: skip

    began = time.monotonic()
    outcome = run_plan(plan, after=count)
    seconds = time.monotonic() - began
    return {
        "learners": learners, "days": days, "seconds": round(seconds, 1),
        "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, **counts,
        "ms_a_docking": round(1000 * seconds / counts["dockings"], 2),
        "holds": outcome.ok and not outcome.pending,
    }  # fmt: skip


def shares(plan: Plan) -> list[dict[str, Any]]:
    """Where the time of a docking goes, as shares of the functions' own time in a profile."""
    profile = cProfile.Profile()
    profile.enable()
    run_plan(plan)
    profile.disable()
    spent = dict.fromkeys((name for name, _ in PARTS), 0.0)
    for (path, _, _), (_, _, own_s, _, _) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        place = path.removeprefix(f"{ROOT}/")
        spent[next(name for name, begins in PARTS if place.startswith(begins))] += own_s
    whole = sum(spent.values())
    return [{"part": name, "share": round(own_s / whole, 3)} for name, own_s in spent.items()]
