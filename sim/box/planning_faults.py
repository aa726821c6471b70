"""Planning -> here -> plan: which faults a seed has, how often, to whom, when, and with which arguments.

A swarm switches a random half of the kinds off and gives the rest wildly different weights: seeds that lack a kind of
fault find what seeds with all of them never reach. Rates of the file are kept as they stand.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from random import Random

from sim.box import names
from sim.box.catalogue import CATALOGUE, ArgSpec, FaultSpec
from sim.box.plan import Event, Value, WingPlan
from sim.box.scenario import Scenario
from sim.box.streams import stream
from sim.box.values import DAY_MS, Rate

SWARM_ON_P = 0.5  # of the kinds of fault
SWARM_WEIGHT_MAX = 100
SWARM_DOCKING_P = 0.25  # of the dockings have a fault of the swarm
SWARM_PER_DAY = {"device": 0.15, "hub": 2.0, "bay": 0.5, "broker": 1.5, "staff": 0.5, "wing": 0.5}  # for each target


def draw_args(specs: Mapping[str, ArgSpec], random: Random) -> dict[str, Value]:
    return {name: spec.draw(random) for name, spec in specs.items()}


def rates(scenario: Scenario, seed: str) -> dict[str, Rate]:
    """How often each kind of fault comes in this seed; kinds that never come are left out."""
    made = _swarm(scenario, seed) if scenario.faults.swarm else {}
    made |= scenario.faults.rates
    return {name: made[name] for name in CATALOGUE if name in made and (made[name].p or made[name].per_day)}


def _swarm(scenario: Scenario, seed: str) -> dict[str, Rate]:
    weights: dict[str, int] = {}
    for name, spec in CATALOGUE.items():
        random = stream(seed, "swarm", name)
        on, weight = random.random() < SWARM_ON_P, random.randint(1, SWARM_WEIGHT_MAX)
        if on and not (spec.beyond and scenario.scenario.promise != "beyond"):
            weights[name] = weight
    made = {}
    for name, weight in weights.items():
        target = CATALOGUE[name].target
        share = weight / sum(one for other, one in weights.items() if CATALOGUE[other].target == target)
        made[name] = (
            Rate(p=SWARM_DOCKING_P * share) if target == "docking" else Rate(per_day=SWARM_PER_DAY[target] * share)
        )
    return made


def faults(scenario: Scenario, seed: str, wing: WingPlan, events: Sequence[Event]) -> list[Event]:
    """The faults of a run: those of dockings beside the `dock` events, the others at any time of any day."""
    often = rates(scenario, seed)
    found = []
    if any(rate.p for rate in often.values()):
        for dock in events:
            if dock.do == "dock":
                found += _at_docking(often, seed, dock)
    targets = _targets(wing)
    for name, rate in often.items():
        spec = CATALOGUE[name]
        if rate.per_day and spec.target == "docking":
            for learner in targets["device"]:
                found += _in_days(spec, rate, seed, learner, scenario.scenario.days)
        elif rate.per_day:
            for target in targets[spec.target]:
                found += _in_days(spec, rate, seed, target, scenario.scenario.days)
    return found


def _targets(wing: WingPlan) -> dict[str, tuple[str, ...]]:
    return {
        "device": (*wing.learners, *wing.arriving),
        "hub": ("hub",),
        "broker": ("broker",),
        "wing": ("wing",),
        "bay": tuple(names.bay(number) for number in range(wing.docks)),
        "staff": wing.moderators,
    }


def _at_docking(often: Mapping[str, Rate], seed: str, dock: Event) -> list[Event]:
    """Each kind has its own draw whether it comes or not, so that one kind's rate changes no other's dockings."""
    random, found = stream(seed, dock.id, "faults"), []
    for name, spec in CATALOGUE.items():
        if spec.target != "docking":
            continue
        drawn = random.random()
        if name in often and drawn < often[name].p:
            args = draw_args(spec.args, stream(seed, dock.id, name))
            found.append(Event(f"f.{dock.id}.{name}", dock.at_ms, name, dock.id, args))
    return found


def _in_days(spec: FaultSpec, rate: Rate, seed: str, target: str, days: int) -> list[Event]:
    """Faults of one kind to one target, on average `rate.per_day` a day, at any time."""
    random, found = stream(seed, target, f"fault/{spec.name}"), list[Event]()
    at_day = 0.0
    while True:
        at_day += -math.log(1 - random.random()) / rate.per_day
        if at_day >= days:
            return found
        number = len(found) + 1
        event_id = f"f.{target}.{spec.name}.{number}"
        found.append(
            Event(
                event_id, int(at_day * DAY_MS), spec.name, target, draw_args(spec.args, stream(seed, event_id, "args"))
            )
        )
