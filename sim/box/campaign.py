"""`perch sim campaign` -> here -> attempt, shrink: seed after seed until the time is over, and what they reached.

The openings come first: short plans made by hand that meet what chance meets rarely. Then the scenarios, "storm"
most of all, each seed with its own swarm of faults. Some plans run in two processes, which have different hash seeds:
their digests must be equal; some are run with every byte looked at, or compared with the same days without attackers or
with other clocks. A failure is cut down and written to sim/regressions. A mark that should have been reached and was
not fails the campaign as well.
"""

from __future__ import annotations

import json
import multiprocessing
import shlex
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sim.box import comparing, shrink
from sim.box import marks as catalogue_of_marks
from sim.box.attempt import CRASH, ROOT, SIMULATOR, OutOfTime, attempt
from sim.box.command import BROKEN, DIFFERED, FAILED, MISSED, OK, Parser
from sim.box.marks import Marks
from sim.box.plan import Plan
from sim.box.planning import make_plan
from sim.box.progress import Bar
from sim.box.run_command import load_plan
from sim.box.running import Look
from sim.box.scenario import Scenario

COMPARED = {
    "attackers": (comparing.without_attackers, ("S14", "L8")),
    "clocks": (comparing.other_clocks, ("S15",)),
}
LOOKS = ("plain", "again", "secrets", *COMPARED)
OPENINGS = ROOT / "sim" / "openings"
ROTATION = (
    "storm", "hostile_landing", "storm", "transfer_day", "storm", "restored_backup", "storm", "lockdown",
    "storm", "inspection_week", "storm", "storm", "two_windows", "storm", "storm", "calm_week",
)  # fmt: skip
TWICE_EVERY = 8  # runs, of which one runs in two processes
RUN_SECONDS_MAX = 600.0
SHRINK_SECONDS_MAX = 240.0
SHRINK_RUNS_MAX = 200
LOOK_S = 0.5


@dataclass(frozen=True)
class Job:
    """A plan to run: of a scenario and a seed, or of a file. `look` is how: one of LOOKS.

    "again" is run for its digest alone: the same plan has run, or runs now, in the other process.
    """

    scenario: str
    seed: str = ""
    file: str = ""
    look: str = "plain"

    @property
    def command(self) -> str:
        words = ["replay", self.file] if self.file else ["run", self.scenario, "--seed", self.seed]
        return shlex.join(["perch", "sim", *words])

    def plan(self) -> Plan:
        return load_plan(ROOT / self.file) if self.file else make_plan(Scenario.load(self.scenario), self.seed)


@dataclass(frozen=True)
class Result:
    """What came of a job. `failures` are (invariant, words); `late` when its time was over before it was."""

    job: Job
    digest: str = ""
    failures: tuple[tuple[str, str], ...] = ()
    broken: bool = False
    late: str = ""
    marks: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0


def run_job(job: Job, seconds_max: float) -> Result:
    """One job, in a process of its own."""
    found = Marks()
    try:
        if job.look in COMPARED:
            return _compare(job, seconds_max)
        with found:
            made = attempt(
                job.plan(), seconds_max, before=found.watch, after=found.end, secrets=job.look == "secrets"
            )  # fmt: skip
    except OutOfTime as late:
        return Result(job, late=str(late), marks=found.counts())
    return Result(
        job, made.digest, tuple(made.outcome.failures), made.broken, "", found.counts(), made.seconds
    )  # fmt: skip


def _compare(job: Job, seconds_max: float) -> Result:
    """Run a plan and what it is compared with; a difference is a failure."""
    started = time.monotonic()
    plan = job.plan()

    def run_plan(one: Plan, before: Look, after: Look) -> None:
        made = attempt(one, seconds_max, before, after)
        if any(name.startswith((CRASH, SIMULATOR)) for name in made.invariants):
            raise RuntimeError(f"{job.command}: {made.outcome.failures[0][1]}")

    compare, names = COMPARED[job.look]
    found = compare(plan, run_plan)
    marks = {f"checked.{name}": 1 for name in names}
    return Result(job, "", tuple(found), False, "", marks, time.monotonic() - started)


def shrink_job(job: Job, invariant: str, folder: str) -> tuple[str, str]:
    """(the invariant, the file with the smallest plan that still breaks it)."""
    made = attempt(job.plan(), RUN_SECONDS_MAX, wanted=invariant)
    found = shrink.shrink(made, invariant, SHRINK_RUNS_MAX, SHRINK_SECONDS_MAX)
    return invariant, str(shrink.keep(found, Path(folder)))


def jobs(seed_from: int, scenarios: tuple[str, ...]) -> Iterator[Job]:
    """The openings, then the scenarios without an end."""
    openings = [str(path.relative_to(ROOT)) for path in sorted(OPENINGS.glob("*.toml"))]
    for place, file in enumerate(openings):
        yield Job(Path(file).stem, file=file)
        if place == 0:
            yield from (Job(Path(file).stem, file=file, look=look) for look in ("again", "secrets", "clocks"))
    number = 0
    while True:
        job = Job(scenarios[number % len(scenarios)], str(seed_from + number))
        yield job
        if number % TWICE_EVERY == 0:
            yield replace(job, look="again")
        if job.scenario == "hostile_landing":
            yield replace(job, look="attackers")
        number += 1


class Campaign:
    """Everything that came of a campaign so far."""

    def __init__(self, keep: Path) -> None:
        self.results: list[Result] = []
        self.marks: Counter[str] = Counter()
        self.digests: dict[str, str] = {}  # by the command
        self.differed: list[str] = []
        self.kept: dict[str, str] = {}  # invariant -> file
        self.keep = keep

    def take(self, result: Result) -> list[tuple[Job, str]]:
        """Note it; what of it is to be cut down: each invariant once."""
        self.results.append(result)
        self.marks.update(result.marks)
        if result.late:
            return []
        if result.job.look in ("plain", "again"):
            if result.job.command in self.digests:
                self.marks["checked.S16"] += 1
            if self.digests.setdefault(result.job.command, result.digest) != result.digest:
                self.differed.append(result.job.command)
        new = [name for name in dict.fromkeys(name for name, _ in result.failures) if name not in self.kept]
        for name in new:
            self.kept[name] = ""
        # what shows only by comparing two runs, or by looking at every byte, is not cut down
        return [(result.job, name) for name in new if result.job.look in ("plain", "again")]

    @property
    def failed(self) -> list[Result]:
        return [result for result in self.results if result.failures]

    def unreached(self) -> list[str]:
        return catalogue_of_marks.unreached(self.marks)

    def words(self) -> str:
        known = [name for name, reason in catalogue_of_marks.catalogue().items() if not reason]
        reached = len(known) - len(self.unreached())
        return f"{len(self.results)} runs, {len(self.failed)} failed, {reached} of {len(known)} marks"

    def exit(self) -> int:
        if any(result.broken for result in self.results):
            return BROKEN
        if self.failed:
            return FAILED
        return DIFFERED if self.differed else MISSED if self.unreached() else OK


def run_campaign(
    minutes: float, seed_from: int, workers: int, keep: Path, scenarios: tuple[str, ...], quiet: bool = False
) -> Campaign:
    """Run jobs until the time is over; then only what is being cut down is waited for."""
    campaign, started = Campaign(keep), time.monotonic()
    until = started + minutes * 60
    todo = jobs(seed_from, scenarios)
    context = multiprocessing.get_context("spawn")  # a fork would take this process's hash seed and modules along
    with ProcessPoolExecutor(workers, mp_context=context) as pool, Bar("campaign", minutes * 60, quiet) as bar:
        runs: dict[Future[Result], None] = {}
        shrinks: dict[Future[tuple[str, str]], None] = {}
        while True:
            left = until - time.monotonic()
            while left > 0 and len(runs) + len(shrinks) < workers:
                runs[pool.submit(run_job, next(todo), min(RUN_SECONDS_MAX, left + 1))] = None
            if not runs and not shrinks:
                return campaign
            waiting: list[Future[Any]] = [*runs, *shrinks]
            wait(waiting, LOOK_S, FIRST_COMPLETED)
            for run in [one for one in runs if one.done()]:
                del runs[run]
                for job, name in campaign.take(run.result()):
                    shrinks[pool.submit(shrink_job, job, name, str(keep))] = None
            for cut in [one for one in shrinks if one.done()]:
                del shrinks[cut]
                name, file = cut.result()
                campaign.kept[name] = file
            bar.at(time.monotonic() - started, campaign.words())


def command(arguments: list[str]) -> int:
    """`perch sim campaign --minutes M`."""
    parser = Parser("campaign")
    parser.add_argument("--minutes", type=float, default=5.0, help="of this machine's time (default 5)")
    parser.add_argument("--seed-from", type=int, default=1, help="the first seed (default 1)")
    parser.add_argument("--jobs", type=int, default=2, help="processes at once (default 2)")
    parser.add_argument("--scenario", action="append", help="only these, in turn (default: the rotation)")
    parser.add_argument("--keep", type=Path, default=shrink.REGRESSIONS, help="the folder for failures, cut down")
    parser.add_argument("--json", action="store_true", help="print what came of it as JSON")
    options = parser.parse_args(arguments)
    scenarios = tuple(options.scenario or ROTATION)
    for name in scenarios:
        Scenario.load(name)  # a spelling error is told before an hour has passed
    campaign = run_campaign(
        options.minutes, options.seed_from, max(1, options.jobs), options.keep, scenarios, options.json
    )
    if options.json:
        print(json.dumps(_as_json(campaign)))
    else:
        _tell(campaign)
    return campaign.exit()


def _as_json(campaign: Campaign) -> dict[str, object]:
    return {
        "exit": campaign.exit(), "runs": len(campaign.results), "marks": dict(sorted(campaign.marks.items())),
        "unreached": campaign.unreached(), "differed": campaign.differed, "kept": campaign.kept,
        "failures": [
            {"command": result.job.command, "failures": [list(one) for one in result.failures]}
            for result in campaign.failed
        ],
        "late": [result.job.command for result in campaign.results if result.late],
    }  # fmt: skip


def _tell(campaign: Campaign) -> None:
    print(campaign.words())
    for result in campaign.failed:
        for name, words in result.failures[:3]:
            print(f"FAILED {name}: {words}")
        print(f"  {result.job.command}")
    for name, file in campaign.kept.items():
        print(f"cut down {name}: perch sim replay {file}" if file else f"not cut down: {name}")
    for words in campaign.differed:
        print(f"NOT THE SAME TWICE: {words} --twice")
    if missing := campaign.unreached():
        print(f"{len(missing)} marks were not reached:", file=sys.stdout)
        for mark in missing:
            print(f"  {mark}")


