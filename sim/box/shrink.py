"""Failing plan -> here -> sim/regressions: the fewest events, people and bytes with which the same invariant fails.

Delta debugging on the plan, coarse cuts first: everything after the failure, the settling, whole kinds of event, whole
learners, whole days; then events in halves, quarters and one by one; then docks, staff and sizes. A cut stays when the
same invariant still fails. What is left is run for ever by tests/sim/box/test_regressions.py.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from sim.box.attempt import ROOT, Attempt, OutOfTime, attempt
from sim.box.command import BROKEN, OK, Parser
from sim.box.kernel import DAY_MS
from sim.box.plan import Event, Plan
from sim.box.progress import Bar
from sim.box.run_command import load_plan

REGRESSIONS = ROOT / "sim" / "regressions"
RUNS_MAX = 400
SECONDS_MAX = 600.0
SIZES = ("bytes", "words", "times", "posts", "frames")  # arguments that may be smaller
FAILURE = "failure"

Test = Callable[[Plan], bool]


@dataclass
class Found:
    """The smallest plan, the invariant that it breaks and how many runs it took."""

    plan: Plan
    invariant: str
    words: str
    runs: int


class Shrinker:
    """Cuts `plan` as long as `fails(plan)` says so, at most `runs_max` times and `seconds_max` of wall-clock time."""

    def __init__(
        self, plan: Plan, fails: Test, runs_max: int = RUNS_MAX, seconds_max: float = SECONDS_MAX,
        told: Callable[[Plan, int], None] = lambda plan, runs: None,
    ) -> None:  # fmt: skip
        self.plan = plan
        self.runs = 0
        self._fails = fails
        self._runs_max = runs_max
        self._until = time.monotonic() + seconds_max
        self._told = told

    def go(self, failed_at_ms: int | None = None) -> Plan:
        """The smallest plan found. `failed_at_ms` is when it failed: what comes later is cut first."""
        if failed_at_ms is not None:
            self._try(without(self.plan, lambda event: event.at_ms > failed_at_ms))
            self._fewer_days()
        self._try(replace(self.plan, settle_ms=0))
        before = None
        while before != self.plan and not self._over:
            before = self.plan
            self._groups(_kind)
            self._learners()
            self._groups(lambda event: str(event.day))
            self._events()
            self._fewer_days()
            self._smaller_wing()
            self._smaller_sizes()
        return self.plan

    @property
    def _over(self) -> bool:
        return self.runs >= self._runs_max or time.monotonic() > self._until

    def _try(self, plan: Plan) -> bool:
        if self._over or plan == self.plan:
            return False
        self.runs += 1
        self._told(self.plan, self.runs)
        if not self._fails(plan):
            return False
        self.plan = plan
        return True

    def _groups(self, of: Callable[[Event], str]) -> None:
        """Leave out all events that `of` puts together."""
        for name in sorted({of(event) for event in self.plan.events}):
            self._try(without(self.plan, lambda event, name=name: of(event) == name))  # type: ignore[misc]

    def _learners(self) -> None:
        for learner in reversed((*self.plan.wing.learners, *self.plan.wing.arriving)):
            self._try(without_learner(self.plan, learner))
        for attacker in self.plan.wing.attackers:
            rest = {name: kind for name, kind in self.plan.wing.attackers.items() if name != attacker}
            wing = replace(self.plan.wing, attackers=rest)
            self._try(replace(without(self.plan, lambda event, one=attacker: event.who == one), wing=wing))  # type: ignore[misc]

    def _events(self) -> None:
        """Zeller's ddmin: ever smaller parts, each left out in turn."""
        parts = 2
        while len(self.plan.events) >= 2 and not self._over:
            events = self.plan.events
            size = -(-len(events) // parts)
            for start in range(0, len(events), size):
                dropped = {event.id for event in events[start : start + size]}
                if self._try(without(self.plan, lambda event, ids=dropped: event.id in ids)):  # type: ignore[misc]
                    parts = max(parts - 1, 2)
                    break
            else:
                if size == 1:
                    break
                parts = min(parts * 2, len(events))
        if len(self.plan.events) == 1:
            self._try(replace(self.plan, events=()))

    def _fewer_days(self) -> None:
        last = max((event.at_ms for event in self.plan.events), default=0)
        for days in (last // DAY_MS + 1, last // DAY_MS + 2):
            if days < self.plan.days and self._try(replace(self.plan, days=days, warmup_days=0)):
                return

    def _smaller_wing(self) -> None:
        wing = self.plan.wing
        self._try(replace(self.plan, wing=replace(wing, docks=1)))
        self._try(replace(self.plan, wing=replace(self.plan.wing, moderators=wing.moderators[:1])))

    def _smaller_sizes(self) -> None:
        for event in self.plan.events:
            for name in SIZES:
                value = event.args.get(name, 0)
                if type(value) is int and value > 1:
                    smaller = replace(event, args={**event.args, name: value // 8 + 1})
                    self._try(replace(self.plan, events=tuple(smaller if one is event else one
                                                              for one in self.plan.events)))  # fmt: skip


def _kind(event: Event) -> str:
    return f"{event.do} {event.args['kind']}" if event.do == "attack" else event.do


def without(plan: Plan, dropped: Callable[[Event], bool]) -> Plan:
    """The plan without these events, and without faults of dockings that are gone."""
    kept = [event for event in plan.events if not dropped(event)]
    gone = {event.id for event in plan.events} - {event.id for event in kept}
    return replace(plan, events=tuple(event for event in kept if event.who not in gone))


def without_learner(plan: Plan, learner: str) -> Plan:
    wing = plan.wing
    if len(wing.learners) == 1 and learner in wing.learners:
        return plan
    fewer = replace(
        wing,
        learners=tuple(one for one in wing.learners if one != learner),
        arriving=tuple(one for one in wing.arriving if one != learner),
        groups={group: tuple(one for one in members if one != learner) for group, members in wing.groups.items()},
    )
    events = without(plan, lambda event: learner in (event.who, event.args.get("learner")))
    return replace(events, wing=fewer)


def shrink(
    made: Attempt, invariant: str = "", runs_max: int = RUNS_MAX, seconds_max: float = SECONDS_MAX,
    told: Callable[[Plan, int], None] = lambda plan, runs: None, secrets: bool = False,
) -> Found:  # fmt: skip
    """The smallest plan with which `invariant` (the first that failed) fails as it did in this run."""
    wanted = invariant or made.invariants[0]
    words = next(said for name, said in made.outcome.failures if name == wanted)
    found = [words]
    longest = max(30.0, 3 * made.seconds)  # a cut that makes the run much longer is no cut

    def fails(plan: Plan) -> bool:
        try:
            again = attempt(plan, longest, wanted=wanted, secrets=secrets)
        except OutOfTime:
            return False
        said = [words for name, words in again.outcome.failures if name == wanted]
        if said:
            found[:] = said[:1]
        return bool(said)

    when = next((one.at_ms for one in made.entries if one.kind == FAILURE and one.fields["invariant"] == wanted), None)
    shrinker = Shrinker(made.plan, fails, runs_max, seconds_max, told)
    plan = shrinker.go(when)
    return Found(plan, wanted, found[0], shrinker.runs)


def keep(found: Found, folder: Path = REGRESSIONS) -> Path:
    """Write the plan down to be run for ever; the file's head says what failed and how to run it."""
    text = found.plan.dumps()
    name = f"{found.invariant}-{hashlib.sha256(text.encode()).hexdigest()[:8]}.toml"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    head = [f"# {found.invariant}: {line}" for line in found.words.splitlines()[:4]]
    head += ["#", f"# perch sim replay {shown}", ""]
    path.write_text("\n".join(head) + "\n" + text, encoding="utf-8")
    return path


def command(arguments: list[str]) -> int:
    """`perch sim shrink RUN|FILE`."""
    parser = Parser("shrink")
    parser.add_argument("plan", help="the directory of a run that failed, or its plan.toml")
    parser.add_argument("--invariant", default="", help="which failure to keep (default: the first of the run)")
    parser.add_argument("--runs-max", type=int, default=RUNS_MAX)
    parser.add_argument("--minutes-max", type=float, default=SECONDS_MAX / 60, help="of this machine's time")
    parser.add_argument("--keep", type=Path, default=REGRESSIONS, help="the folder for what is left")
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")
    options = parser.parse_args(arguments)
    plan = load_plan(options.plan)
    try:
        made = attempt(plan, options.minutes_max * 60)
    except OutOfTime as late:
        print(f"perch sim: {late}", file=sys.stderr)
        return BROKEN
    wanted = options.invariant or next(iter(made.invariants), "")
    if wanted not in made.invariants:
        print(f"perch sim: this plan does not fail{f' in {wanted}' if wanted else ''}", file=sys.stderr)
        return BROKEN
    with Bar("shrinking", options.runs_max, options.json) as bar:
        found = shrink(made, wanted, options.runs_max, options.minutes_max * 60,
                       lambda plan, runs: bar.at(runs, f"{_size(plan)} after {runs} runs"))  # fmt: skip
    path = keep(found, options.keep)
    if options.json:
        print(json.dumps({"invariant": found.invariant, "words": found.words, "runs": found.runs, "file": str(path),
                          "events": len(found.plan.events), "learners": len(found.plan.wing.learners)}))  # fmt: skip
    else:
        print(f"{_size(plan)} -> {_size(found.plan)}, {found.runs} runs")
        print("\n".join(_lines(found.plan.events)))
        print(f"{found.invariant}: {found.words}\nperch sim replay {path}")
    return OK


def _size(plan: Plan) -> str:
    return f"{len(plan.events)} events, {len(plan.wing.learners)} learners, {plan.days} days"


def _lines(events: Iterable[Event]) -> list[str]:
    return [f"  {event.at_ms:>12} {event.do} {event.who} {dict(event.args)}" for event in events]
