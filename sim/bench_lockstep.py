"""A wing of MicroPython processes in lockstep: how long they take to start, what they hold, what a call costs.

The plan is short: everybody writes one post and docks, staff approve, everybody docks again. It is run once more with
the devices in this process; both must come to the same digest. `call_cpu_us` is the CPU of all device processes by the
calls: what a device does in MicroPython (Ed25519 and X25519 above all). `call_us` is the difference in time by the
calls; on a machine that does nothing else, what is above `call_cpu_us` goes to frames, ptys and switches.
`round_trip_us` is a call in which the device has nothing to do.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Any

from sim.box.devices import MakeCore, in_this_process
from sim.box.kernel import DAY_MS, HOUR_MS
from sim.box.lockstep import LockstepCore, Processes
from sim.box.plan import Event, Plan, Value, WingPlan
from sim.box.world import World

SIZES, SIZES_QUICK = (50, 200), (8,)
GROUP = 8  # learners in each group: everybody gets the posts of seven others; a roster has at most 32 groups
LEARNERS_A_DOCK = 10
SPARES = 2  # processes that start while the world makes the next device
ROUND_TRIPS = 500
KIB = 1024


def rows(quick: bool = False) -> list[dict[str, Any]]:
    """One row for each number of devices. `holds`: both runs came to the same digest, and nothing is pending."""
    return [row_of(count) for count in (SIZES_QUICK if quick else SIZES)]


def row_of(count: int) -> dict[str, Any]:
    plan = plan_of(count)
    one = Measured(plan, in_this_process)
    with Processes(spares=SPARES) as processes:
        processes.program()
        many = Measured(plan, processes, processes.cores)
    rss, pss = (sum(held) / len(held) / KIB for held in zip(*many.held, strict=True))
    return {
        "devices": count, "start_s": round(many.start_s, 2), "rss_mib": round(rss, 1), "pss_mib": round(pss, 1),
        "seconds": round(many.run_s, 1), "in_one_process_s": round(one.run_s, 1), "calls": many.calls,
        "call_cpu_us": round(many.cpu_s * 1e6 / many.calls),
        "call_us": round((many.run_s - one.run_s) * 1e6 / many.calls), "round_trip_us": round(many.round_trip_us),
        "holds": many.digest == one.digest and not many.pending,
    }  # fmt: skip


class Measured:
    """One run of the plan. `held` has (RSS, PSS) of each process in KiB, at the end."""

    def __init__(self, plan: Plan, make_core: MakeCore, cores: list[LockstepCore] | None = None) -> None:
        began = time.monotonic()
        with World(plan, make_core) as world:
            self.start_s = time.monotonic() - began
            began = time.monotonic()
            outcome = world.run()
            self.run_s = time.monotonic() - began
            self.digest, self.pending = outcome.digest, outcome.pending
            self.calls = sum(core.calls for core in cores or ())
            self.cpu_s = sum(core.child.cpu_s() for core in cores or ())
            self.held = [memory_kib(core.child.process.pid) for core in cores or ()]
            self.round_trip_us = 0.0
            if cores:
                began = time.monotonic()
                for _ in range(ROUND_TRIPS):
                    cores[0].status()
                self.round_trip_us = (time.monotonic() - began) * 1e6 / ROUND_TRIPS


def memory_kib(pid: int) -> tuple[int, int]:
    """(RSS, PSS): what a process has in memory, and its share of it when what many have is divided among them."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = dict(re.findall(r"^(Rss|Pss): +(\d+) kB$", text, re.MULTILINE))
    return int(found["Rss"]), int(found["Pss"])


def plan_of(count: int) -> Plan:
    """A day of so many learners: everybody writes and docks once; the settling brings everybody to a dock again."""
    learners = tuple(f"l{number:03d}" for number in range(count))
    groups = {f"g{at // GROUP:02d}": learners[at : at + GROUP] for at in range(0, count, GROUP)}
    events = []
    for number, learner in enumerate(learners):
        words: dict[str, Value] = {"group": f"g{number // GROUP:02d}", "bytes": 300, "reply": False, "pick": 0}
        events.append(Event(f"{learner}.d00.write1", 8 * HOUR_MS + number, "write", learner, words))
        way: dict[str, Value] = {"patience_s": 3600, "reaction_s": 3, "stay_s_max": 120}
        events.append(Event(f"{learner}.d00.dock1", 9 * HOUR_MS + number * 1000, "dock", learner, way))
    for person in ("m0", "m1"):
        events.append(Event(f"{person}.d00.shift1", 10 * HOUR_MS, "shift", person, {"until_ms": 20 * HOUR_MS}))
    wing = WingPlan(
        name="many", learners=learners, arriving=(), groups=groups, attackers={}, docks=-(-count // LEARNERS_A_DOCK),
        moderators=("m0", "m1"), administrators=("a0", "a1"), baud=3_000_000, envelopes_per_day_max=100, hand_ms=5000,
        approve_p=1.0, return_p=0.0, decision_s="20",
    )  # fmt: skip
    events.sort(key=lambda event: (event.at_ms, event.id))
    return Plan("many", "1", 1, 0, DAY_MS, "full", wing, tuple(events))


if __name__ == "__main__":
    os.nice(10)
    for size in SIZES:
        print(row_of(size), flush=True)
