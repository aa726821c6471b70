"""`perch sim run`, `perch sim replay` -> here -> attempt: one plan run, judged, and written down for people.

A run leaves a directory: plan.toml (what to replay), summary.json, trace.jsonl (everything that happened), report.html
(to look at), timeline.json (for a trace viewer), and wire.pcapng where it was asked for. What is printed last is
`digest: ...`; a failing run begins and ends with the command that repeats it.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from sim.box import lockstep
from sim.box.attempt import Attempt, OutOfTime, attempt, first_difference
from sim.box.command import BROKEN, DIFFERED, FAILED, MISSED, OK, Parser
from sim.box.devices import MakeCore, in_this_process
from sim.box.kernel import DAY_MS
from sim.box.marks import Marks
from sim.box.plan import Plan, PlanRefused
from sim.box.planning import make_plan
from sim.box.progress import Bar
from sim.box.recording import Recording
from sim.box.report import REPORT, write_files
from sim.box.scenario import Scenario
from sim.box.story import tell
from sim.box.summary import Summary, judge, so_far, summary
from sim.box.values import Comparison, moment_ms
from sim.box.world import Outcome, World

BUILD = Path("build/sim")
PLAN, SUMMARY, TRACE, WIRE = "plan.toml", "summary.json", "trace.jsonl", "wire.pcapng"
MINUTES_MAX = 30.0
WING = "wing"
FIDELITIES: dict[str, MakeCore] = {WING: in_this_process, "process": lockstep.make_core}
SHOWN_MAX = 20  # failures on the screen; the summary has all of them

Expect = Mapping[str, Comparison]


def run(arguments: list[str]) -> int:
    """`perch sim run SCENARIO --seed N`."""
    parser = Parser("run")
    parser.add_argument("scenario", help="the name of a bundled scenario, or the path of a .toml file")
    parser.add_argument("--seed", default="1", help="any text; the same seed makes the same run (default 1)")
    parser.add_argument("--until", help='run only up to this time, for example "day 3 12:10", then heal and settle')
    _options(parser)
    options = parser.parse_args(arguments)
    scenario = Scenario.load(options.scenario)
    plan = make_plan(scenario, options.seed)
    command = ["perch", "sim", "run", options.scenario, "--seed", options.seed]
    if options.until:
        try:
            plan = cut(plan, moment_ms(options.until))
        except ValueError as error:
            parser.error(f"--until: {error}")
        command += ["--until", options.until]
    directory = Path(options.out) if options.out else BUILD / f"{plan.scenario}-{plan.seed}".replace("/", "_")
    return _Run(plan, shlex.join(command), directory, options, scenario.expect).go()


def replay(arguments: list[str]) -> int:
    """`perch sim replay RUN`, `perch sim replay FILE.toml`."""
    parser = Parser("replay")
    parser.add_argument("plan", help="the directory of a run, or the plan.toml of one")
    _options(parser)
    options = parser.parse_args(arguments)
    plan = load_plan(options.plan)
    directory = Path(options.out) if options.out else BUILD / f"replay-{plan.scenario}-{plan.seed}".replace("/", "_")
    return _Run(plan, shlex.join(["perch", "sim", "replay", options.plan]), directory, options, {}).go()


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", help="where the run's files go (default build/sim/SCENARIO-SEED)")
    parser.add_argument("--twice", action="store_true", help="run it twice; the two must be the same to the last entry")
    parser.add_argument("--pcapng", action="store_true", help="keep what went over the wires, for Wireshark")
    parser.add_argument("--fidelity", choices=list(FIDELITIES), default=WING,
                        help="process: each device a MicroPython process, in step with the virtual clock")  # fmt: skip
    parser.add_argument("--minutes-max", type=float, default=MINUTES_MAX, help="of this machine's time, for each run")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON and nothing else")


def load_plan(which: str | Path) -> Plan:
    """The plan of a run's directory or of a file; raises PlanRefused."""
    path = Path(which)
    path = path / PLAN if path.is_dir() else path
    try:
        return Plan.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise PlanRefused(f"{path} cannot be read: {error}") from None
    except PlanRefused as refusal:
        raise PlanRefused(f"{path}: {refusal}") from None


def cut(plan: Plan, until_ms: int) -> Plan:
    """The same plan without what comes after `until_ms`."""
    days = min(plan.days, max(1, -(-until_ms // DAY_MS)))
    events = tuple(event for event in plan.events if event.at_ms <= until_ms)
    return replace(plan, days=days, warmup_days=min(plan.warmup_days, days - 1), events=events)


class _Run:
    """One plan with everything that is done with it."""

    def __init__(
        self, plan: Plan, command: str, directory: Path, options: argparse.Namespace, expect: Expect
    ) -> None:
        self._plan = plan
        self._command = command
        self._directory = directory
        self._options = options
        self._expect = expect
        self._make_core = FIDELITIES[options.fidelity]
        self._made: Summary = {}
        self._worlds: list[World] = []

    def go(self) -> int:
        plan = self._plan
        self._say(self._command)
        self._directory.mkdir(parents=True, exist_ok=True)
        (self._directory / PLAN).write_text(plan.dumps(), encoding="utf-8")
        self._say(f"{plan.scenario}: {len(plan.wing.learners)} learners, {plan.wing.docks} docks, {plan.days} days,"
                  f" {len(plan.events)} events")  # fmt: skip
        try:
            made, marks = self._once()
            differs = self._again(made) if self._options.twice else ""
        except OutOfTime as late:
            print(f"perch sim: {late}", file=sys.stderr)
            return BROKEN
        if not self._made:  # it crashed: the report is of what is left
            self._report(self._worlds[0], made.outcome)
        missed = self._missed()
        code = BROKEN if made.broken else FAILED if made.outcome.failures else DIFFERED if differs else OK
        code = MISSED if code == OK and missed else code
        summary = self._summary(made, marks, missed, differs, code)
        (self._directory / SUMMARY).write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
        (self._directory / TRACE).write_text("".join(entry.line() + "\n" for entry in made.entries), encoding="utf-8")
        if self._options.json:
            print(json.dumps(summary))
        else:
            self._tell(made, missed, differs, code)
        return code

    def _once(self) -> tuple[Attempt, Marks]:
        marks = Marks()
        recording = Recording(self._directory / WIRE if self._options.pcapng else None)

        def before(world: World) -> None:
            self._worlds[:] = [world]
            marks.watch(world)
            recording.begin(world)

        def after(world: World) -> None:
            marks.end(world)
            self._report(world, so_far(world))

        with self._bar() as bar, recording, marks:
            made = attempt(self._plan, self._options.minutes_max * 60, before, after,
                           lambda days, calls: bar.at(days, f"day {days:.1f}, {calls} calls"),
                           make_core=self._make_core)  # fmt: skip
        return made, marks

    def _again(self, made: Attempt) -> str:
        """Run it a second time; where the two differ first, in words."""
        with self._bar("once more") as bar:
            other = attempt(self._plan, self._options.minutes_max * 60, make_core=self._make_core,
                            progress=lambda days, calls: bar.at(days, f"day {days:.1f}, {calls} calls"))  # fmt: skip
        found = first_difference(made.entries, other.entries)
        if found is None:
            return ""
        place, one, two = found
        lines = ["nothing" if entry is None else entry.line() for entry in (one, two)]
        return f"entry {place} differs\n  first run:  {lines[0]}\n  second run: {lines[1]}"

    def _bar(self, what: str = "") -> Bar:
        settle_days = self._plan.settle_ms / DAY_MS if self._plan.days > 7 else 0.5
        return Bar(what or self._plan.scenario, self._plan.days + settle_days, self._options.json)

    def _missed(self) -> list[str]:
        return judge(self._expect, self._made)

    def _report(self, world: World, outcome: Outcome) -> None:
        """What people look at, while the world still stands."""
        self._made = summary(world, outcome)
        write_files(tell(world.plan, world.trace.entries), self._made, self._directory, self._command, self._missed())

    def _summary(self, made: Attempt, marks: Marks, missed: list[str], differs: str, code: int) -> dict[str, Any]:
        outcome = made.outcome
        return {
            "command": self._command, "exit": code, **self._made,
            "digest": outcome.digest, "semantic_digest": outcome.semantic,
            "failures": [{"invariant": invariant, "words": words} for invariant, words in outcome.failures],
            "pending": outcome.pending, "missed": missed, "differs": differs, "calls": made.calls,
            "kinds": dict(sorted(Counter(entry.kind for entry in made.entries).items())),
            "marks": marks.counts(), "seconds": round(made.seconds, 2),
        }  # fmt: skip

    def _tell(self, made: Attempt, missed: list[str], differs: str, code: int) -> None:
        outcome = made.outcome
        print(f"{made.seconds:.1f} s, {made.calls} calls, {len(made.entries)} entries; {self._directory / REPORT}")
        for invariant, words in outcome.failures[:SHOWN_MAX]:
            print(f"FAILED {invariant}: {words}")
        if len(outcome.failures) > SHOWN_MAX:
            print(f"... and {len(outcome.failures) - SHOWN_MAX} more in {SUMMARY}")
        for words in missed:
            print(f"MISSED {words}")
        if differs:
            print(f"NOT THE SAME TWICE: {differs}")
        print(f"digest: {outcome.digest}")
        if code != OK:
            print(self._command)

    def _say(self, words: str) -> None:
        if not self._options.json:
            print(words, flush=True)
