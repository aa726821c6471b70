"""World and story -> here -> summary.json, report, sweep: a whole run in figures, and which expectations it missed.

Days of the warm-up are left out, and so is what only happened at the end of the run, when everybody docks until all is
settled: the figures are about the days that were planned. A figure of nothing is None.
"""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sim.box.kernel import DAY_MS, HOUR_MS
from sim.box.measures import Figure, measures, percentile, shares_delivered
from sim.box.scenario_keys import MEASURES
from sim.box.story import Story, Visit, Way, tell
from sim.box.trace import Entry
from sim.box.values import Comparison
from sim.box.world import Outcome, World

QUEUE_POINTS_MAX = 400  # of the queue's length over time, in the summary
REFUSALS = ("staff_refused", "not_saved", "draft")

Summary = dict[str, Any]


def summary(world: World, outcome: Outcome) -> Summary:
    """Plain values for JSON. `world` still stands; of one that crashed, what asks its hub is left out."""
    plan, story = world.plan, tell(world.plan, world.trace.entries)
    stands = world.hub.on
    since_day = plan.warmup_days
    return {
        "scenario": plan.scenario, "seed": plan.seed, "digest": outcome.digest, "semantic_digest": outcome.semantic,
        "failures": [{"invariant": invariant, "words": words} for invariant, words in outcome.failures],
        "pending": outcome.pending, "promise": plan.promise,
        "days": plan.days, "warmup_days": plan.warmup_days, "learners": len(plan.wing.learners),
        "groups": len(plan.wing.groups), "docks": plan.wing.docks, "baud": plan.wing.baud,
        "moderators": len(plan.wing.moderators), "events": len(plan.events), "trace": len(world.trace.entries),
        "measures": measures(world) if stands else dict.fromkeys(MEASURES),
        "dockings": dockings(story),
        "messages": messages(story, shares_delivered(world) if stands else {}),
        "times_h": times(story),
        "queue": queue(story),
        "staff": staff(story),
        "bytes": bytes_moved(story, world.hub.moved, since_day),
        "faults": _sorted(Counter(span.name for span in story.faults)),
        "attacks": _sorted(Counter(span.name for span in story.attacks)),
        "refusals": refusals(world.trace.entries),
    }  # fmt: skip


def so_far(world: World) -> Outcome:
    """The outcome of a world that still stands: what its judges said last counts too."""
    trace, made = world.trace, world.outcome
    if made is None:
        return Outcome(trace.digest(), trace.semantic_digest(), list(world.failures))
    return replace(made, failures=list(world.failures))


def judge(expect: Mapping[str, Comparison], summary: Summary) -> list[str]:
    """Each expectation of [expect] that did not hold, in words. A figure of nothing is not held to anything."""
    found = []
    for name, wanted in expect.items():
        figure = summary["measures"].get(name)
        if figure is not None and not wanted.holds(figure):
            found.append(f"{name} is {figure:.6g}, expected {wanted}")
    return found


def counted(story: Story) -> list[Visit]:
    """The visits that the figures are about."""
    return [one for one in story.visits if story.since_ms <= one.arrived_ms < story.until_ms]


def counted_ways(story: Story) -> list[Way]:
    """The messages that the figures are about."""
    return [one for one in story.ways.values() if one.saved_ms >= story.since_ms]


def spread(values: Sequence[float], digits: int = 2) -> dict[str, Figure]:
    """How many there are, the median, the 95th percentile and the largest."""
    figures = {"p50": percentile(values, 0.5), "p95": percentile(values, 0.95), "max": max(values, default=None)}
    return {"n": len(values), **{name: None if one is None else round(one, digits) for name, one in figures.items()}}


def dockings(story: Story) -> dict[str, Any]:
    visits = counted(story)
    seated = [one for one in visits if one.seated_ms is not None]
    spans_ms = max(1, story.until_ms - story.since_ms)
    by_dock = {}
    for bay in sorted({one.bay for one in seated} | {f"bay{number}" for number in range(story.plan.wing.docks)}):
        own = [one for one in seated if one.bay == bay]
        busy_ms = sum(seated_ms(one) for one in own)
        waits = spread([one.waited_ms / 1000 for one in own])
        by_dock[bay] = {"dockings": len(own), "busy_s": round(busy_ms / 1000), "busy_p": busy_ms / spans_ms,
                        "wait_p50_s": waits["p50"], "wait_p95_s": waits["p95"]}  # fmt: skip
    return {
        "visits": len(visits), "seated": len(seated), "gave_up": len(visits) - len(seated),
        "disturbed": sum(bool(one.faults) for one in seated),
        "wait_s": spread([one.waited_ms / 1000 for one in seated]),
        "seated_s": spread([seated_ms(one) / 1000 for one in seated]),
        "settled_s": spread([
            (one.settled_ms - one.seated_ms) / 1000
            for one in seated if one.settled_ms is not None and one.seated_ms is not None
        ]),
        "by_dock": by_dock,
        "ends": _sorted(Counter(one.why or "the run ended" for one in visits)),
    }  # fmt: skip


def seated_ms(visit: Visit) -> int:
    return visit.over_ms - visit.seated_ms if visit.seated_ms is not None else 0


def messages(story: Story, shares: Mapping[str, float]) -> dict[str, Any]:
    ways = counted_ways(story)
    own = [shares[one.id] for one in ways if one.id in shares]
    decisions = Counter(one.decision or "undecided" for one in ways)
    return {
        "written": len(ways), "posts": sum(not one.video for one in ways), "videos": sum(one.video for one in ways),
        "custody": sum(one.custody_ms is not None for one in ways),
        "approved": decisions["approve"], "returned": decisions["return"], "rejected": decisions["reject"],
        "recalled": decisions["recall"], "undecided": decisions["undecided"],
        "delivered_to_all": sum(one == 1 for one in own),
        "readers_p": round(sum(own) / len(own), 6) if own else None,
        "readers_p_least": round(min(own), 6) if own else None,
    }  # fmt: skip


STAGES = ("custody", "decided", "delivered", "seen")


def stage_hours(ways: Iterable[Way]) -> dict[str, list[float]]:
    """By stage: hours from writing until it was reached, of each message that reached it."""
    found: dict[str, list[float]] = {name: [] for name in STAGES}
    for way in ways:
        for name, at in zip(STAGES, (way.custody_ms, way.decided_ms, way.delivered_ms, way.seen_ms)):
            if at is not None:
                found[name].append((at - way.saved_ms) / HOUR_MS)
    return found


def times(story: Story) -> dict[str, dict[str, dict[str, Figure]]]:
    """Hours from writing to each stage, for all messages, posts and videos."""
    ways = counted_ways(story)
    kinds = {"all": ways, "post": [one for one in ways if not one.video], "video": [one for one in ways if one.video]}
    return {
        kind: {name: spread(hours, 3) for name, hours in stage_hours(own).items()} for kind, own in kinds.items() if own
    }


def queue(story: Story) -> dict[str, Any]:
    """Its length: the longest, when, the mean over time, and its course with at most QUEUE_POINTS_MAX points."""
    steps = [(at, length) for at, length in story.queue if at <= story.until_ms]
    begins = bisect.bisect_right([at for at, _ in steps], story.since_ms) - 1
    steps = [(max(at, story.since_ms), length) for at, length in steps[max(0, begins) :]]
    ends = [at for at, _ in steps[1:]] + [story.until_ms]
    area = sum(length * (end - at) for (at, length), end in zip(steps, ends))
    at_ms, longest = max(steps, key=lambda step: step[1])
    return {
        "max": longest, "max_at_ms": at_ms, "mean": round(area / max(1, story.until_ms - story.since_ms), 3),
        "left": steps[-1][1], "steps": [list(step) for step in thin(steps, QUEUE_POINTS_MAX)],
    }  # fmt: skip


def thin(steps: Sequence[tuple[int, int]], points_max: int) -> list[tuple[int, int]]:
    """At most so many of the steps: of each stretch of time the highest."""
    if len(steps) <= points_max:
        return list(steps)
    width = max(1, -(-(steps[-1][0] - steps[0][0] + 1) // points_max))
    best: dict[int, tuple[int, int]] = {}
    for at, value in steps:
        place = (at - steps[0][0]) // width
        if place not in best or value > best[place][1]:
            best[place] = (at, value)
    return list(best.values())


def staff(story: Story) -> dict[str, dict[str, Any]]:
    """By person: decisions, hours on shift, and the share of them that went into items."""
    found = {}
    for person in story.plan.wing.moderators:
        shifts = [one for one in story.shifts if one.who == person and one.begin_ms >= story.since_ms]
        work = [one for one in story.work if one.who == person and story.since_ms <= one.begin_ms < story.until_ms]
        hours = sum(one.end_ms - one.begin_ms for one in shifts) / HOUR_MS
        busy = sum(one.end_ms - one.begin_ms for one in work) / HOUR_MS
        found[person] = {"decisions": len(work), "shift_h": round(hours, 2), "busy_h": round(busy, 3),
                         "busy_p": round(busy / hours, 4) if hours else None}  # fmt: skip
    return found


def bytes_moved(story: Story, moved: Mapping[tuple[int, str], Sequence[int]], since_day: int) -> dict[str, Any]:
    """On the wires, for each docking; and what of it were the exchange's messages, by kind, before they are sealed."""
    seated = [one for one in counted(story) if one.seated_ms is not None]
    figures: dict[str, Any] = {}
    for way in ("up", "down"):
        values = [_number(one, f"{way}_bytes") for one in seated]
        figures[way] = sum(values)
        figures[f"{way}_per_docking"] = spread(values, 0)
    for name in ("resent", "repaired", "damaged"):
        figures[name] = sum(_number(one, name) for one in seated)
    kinds: dict[str, dict[str, int]] = {}
    for (day, kind), (count, size) in moved.items():
        if since_day <= day < story.until_ms // DAY_MS:
            own = kinds.setdefault(kind, {"messages": 0, "bytes": 0})
            own["messages"] += count
            own["bytes"] += size
    figures["kinds"] = dict(sorted(kinds.items(), key=lambda one: (-one[1]["bytes"], one[0])))
    return figures


def _number(visit: Visit, name: str) -> int:
    value = visit.counts.get(name, 0)
    return value if isinstance(value, int) else 0


def refusals(entries: Iterable[Entry]) -> dict[str, int]:
    """How often what was refused, by the refusal's name: by the hub, by a device, by the staff page."""
    found: Counter[str] = Counter()
    for entry in entries:
        if entry.kind in REFUSALS and entry.fields.get("refusal"):
            found[str(entry.fields["refusal"])] += 1
        elif entry.kind == "refused":
            found[str(entry.fields.get("detail", "")).partition(":")[0]] += 1
    return _sorted(found)


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda one: (-one[1], one[0])))
