"""Plan -> here -> campaign and tests: one plan run twice, where the second run must come to the same.

    without_attackers   S14, L8: honest learners have the same inboxes and journals, and wait no longer at a dock
    other_clocks        S15: devices whose clocks are wrong change no decision, no order and no inbox
    again               S16: the same digest of everything that happened
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cbor2

from sim.box.plan import Plan
from sim.box.safety_device import records
from sim.box.streams import stream
from sim.box.world import World

Run = Callable[[Plan, Callable[[World], None], Callable[[World], None]], object]  # as running.run_plan
Differences = list[tuple[str, str]]

OWN_ACTS = ("write", "record", "handed-over", "refused-by-hub", "enrolled")  # of a journal: what its learner did
ORDERED = ("custody", "pending", "approve", "return", "reject", "recall", "refused")
DELAY_MS_MAX = 1000
CLOCK_S_MAX, DRIFT_PPM_MAX = 10 * 365 * 86400, 500


@dataclass
class Picture:
    """What a run came to, without times and ids: `inboxes` and `journals` by learner, `order` of what the hub did,
    `settling_ms` of each docking."""

    inboxes: dict[str, list[tuple[str, str]]]
    journals: dict[str, list[tuple[str, str]]]
    order: list[tuple[str, str, str]]
    settling_ms: dict[str, int]
    digest: str


def picture(world: World) -> Picture:
    """Of a world that has run and still stands."""
    honest = {learner: box for learner, box in world.of_learner.items() if learner not in world.plan.wing.attackers}
    inboxes, journals = {}, {}
    for learner, box in honest.items():
        seen = box.look().get("shown", [])
        inboxes[learner] = sorted((world.ledger.name(row[0]), row[2]) for row in seen if not row[1])
        journals[learner] = [entry for entry in _journal(world, box.flash.blobs) if entry[0] in OWN_ACTS]
    order = [
        (entry.kind, entry.who, str(entry.fields["item"]))
        for entry in world.trace.entries
        if entry.kind in ORDERED and "item" in entry.fields
    ]
    settling = {
        one.id: one.settled_ms - one.seated_ms
        for one in world.docks.all
        if one.box.learner in honest and one.settled_ms is not None and one.seated_ms is not None
    }
    return Picture(inboxes, journals, order, settling, world.trace.digest())


def _journal(world: World, blobs: Mapping[str, bytes | bytearray]) -> list[tuple[str, str]]:
    """(action, detail) of a device's journal; an item is called by its name."""
    found = []
    for name in sorted(blobs):
        if name.startswith("journal/"):
            for body in records(bytes(blobs[name])):
                _, _, _, action, detail = cbor2.loads(body)
                item = bytes.fromhex(detail) if action in OWN_ACTS and len(detail) == 64 else b""
                found.append((action, world.ledger.name(item) if item else detail))
    return found


def run(plan: Plan, run_plan: Run, before: Callable[[World], None] = lambda world: None) -> Picture:
    """The picture of one run."""
    made: list[Picture] = []
    run_plan(plan, before, lambda world: made.append(picture(world)))
    return made[0]


def honest_part(plan: Plan) -> Plan:
    """The same plan without its attackers."""
    attacks = [one for one in plan.events if one.do == "attack" or one.do.startswith("malice.")]
    events = tuple(one for one in plan.events if one not in attacks and one.who not in plan.wing.attackers)
    return dataclasses.replace(plan, events=events, wing=dataclasses.replace(plan.wing, attackers={}))


def without_attackers(plan: Plan, run_plan: Run) -> Differences:
    """Run the plan with and without its attackers."""
    return attacked(run(plan, run_plan), run(honest_part(plan), run_plan))


def attacked(theirs: Picture, calm: Picture) -> Differences:
    """What the attackers changed for honest learners."""
    found = []
    for learner in calm.inboxes:
        for what, one, other in (
            ("inbox", theirs.inboxes.get(learner), calm.inboxes[learner]),
            ("journal", theirs.journals.get(learner), calm.journals[learner]),
        ):
            if one != other:
                found.append(("S14", f"the {what} of {learner} is another one with attackers: {_first(one, other)}"))
    for docking, calm_ms in calm.settling_ms.items():
        late = theirs.settling_ms.get(docking, calm_ms) - calm_ms
        if late > DELAY_MS_MAX:
            found.append(("L8", f"{docking} took {late} ms longer with attackers"))
    return found


def other_clocks(plan: Plan, run_plan: Run) -> Differences:
    """Run the plan with right clocks, and with every device's wrong by years and running wrong."""

    def wrong(world: World) -> None:
        for box in world.devices.values():
            draw = stream(plan.seed, box.name, "other clock")
            box.clock_ahead_s = draw.randint(-CLOCK_S_MAX, CLOCK_S_MAX)
            box.clock_drift_ppm = draw.randint(-DRIFT_PPM_MAX, DRIFT_PPM_MAX)

    return clocked(run(plan, run_plan, wrong), run(plan, run_plan))


def clocked(theirs: Picture, right: Picture) -> Differences:
    """What other clocks changed besides times."""
    found = []
    if theirs.order != right.order:
        found.append(("S15", f"with other clocks the hub did otherwise: {_first(theirs.order, right.order)}"))
    for learner in right.inboxes:
        if theirs.inboxes.get(learner) != right.inboxes[learner]:
            words = _first(theirs.inboxes.get(learner), right.inboxes[learner])
            found.append(("S15", f"with other clocks the inbox of {learner} is another one: {words}"))
    return found


def again(plan: Plan, run_plan: Run) -> Differences:
    """Run the plan twice."""
    return repeated(run(plan, run_plan), run(plan, run_plan))


def repeated(one: Picture, other: Picture) -> Differences:
    """Whether two runs were one."""
    if one.digest == other.digest:
        return []
    return [("S16", f"one plan, and two runs: {one.digest[:16]} and {other.digest[:16]}")]


def _first(one: object, other: object) -> str:
    """The first difference of two lists."""
    left, right = (list(side) if isinstance(side, list) else [] for side in (one, other))
    for place in range(max(len(left), len(right))):
        pair = [side[place] if place < len(side) else "nothing" for side in (left, right)]
        if pair[0] != pair[1]:
            return f"{str(pair[0])[:100]} where {str(pair[1])[:100]} was"
    return "one has none"
