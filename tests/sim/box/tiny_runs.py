"""A wing of three learners on one day, run once for each file of tests that looks at what a run leaves."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

from sim.box.attempt import attempt
from sim.box.plan import Plan
from sim.box.planning import make_plan
from sim.box.scenario import Scenario
from sim.box.summary import Summary, so_far, summary
from sim.box.trace import Entry
from sim.box.world import Outcome, World

TINY = """
[scenario]
name = "tiny"
title = "Three learners & one <slow> dock"
days = 1
settle_min = 360

[wing]
learners = 3
docks = 1
baud = 57600

[timetable]
windows = ["10:00-10:00:20 p=1", "15:30-15:31 p=1"]

[traffic]
posts_per_day = 1.5
video_p = 0.2
video_kb = 24

[faults]
"hub.stall" = "4 per 1 day"
"wire.bit_flip" = 0.5

[expect]
wait_p95_s = "<= 0.5"
delivered_p = ">= 1"

[sweep]
"wing.docks" = [1, 2]
seeds = 1
"""


@dataclass
class Run:
    scenario: Scenario
    plan: Plan
    entries: list[Entry]
    outcome: Outcome
    summary: Summary
    texts: list[str]  # what learners wrote


@functools.cache
def tiny_run() -> Run:
    """The run of seed 1, with its summary made while the world stood."""
    scenario = Scenario.loads(TINY, "tiny.toml")
    plan = make_plan(scenario, "1")
    found: dict[str, Any] = {}

    def after(world: World) -> None:
        found["summary"] = summary(world, so_far(world))
        found["texts"] = [one.text for one in world.ledger.messages.values()]

    made = attempt(plan, 100, after=after)
    assert made.outcome.failures == [], made.outcome.failures
    return Run(scenario, plan, made.entries, made.outcome, found["summary"], found["texts"])
