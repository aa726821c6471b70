"""`perch sim sweep` -> here -> many runs, one answer: the same days with other docks, hours, rates or sizes.

Every variant lives through the same seeds, so that two designs meet the same learners on the same days. What is left is
sweep.html with the picture and the table, sweep.svg, and sweep.json.
"""

from __future__ import annotations

import itertools
import json
import multiprocessing
import shlex
import tomllib
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sim.box.attempt import OutOfTime, attempt
from sim.box.command import BROKEN, FAILED, OK, Parser
from sim.box.measures import Figure
from sim.box.plan import Plan
from sim.box.planning import make_plan
from sim.box.progress import Bar
from sim.box.scenario import Scenario
from sim.box.story import tell
from sim.box.summary import counted, so_far, summary
from sim.box.sweep_page import PAGE, PICTURE, Variant, answer, draw, page
from sim.box.values import Comparison
from sim.box.world import World

RESULTS = "sweep.json"
MINUTES_MAX = 30.0
RUNS_MAX = 2000

Changes = dict[str, object]


@dataclass
class Job:
    """One run: which variant, which seed, and its plan."""

    variant: int
    seed: str
    plan: Plan


@dataclass
class Done:
    """What came of it; `waits_s` of every docking of the days that count."""

    measures: dict[str, Figure]
    waits_s: list[float]
    failures: list[tuple[str, str]]
    digest: str
    seconds: float
    late: str = ""


@dataclass
class Sweep:
    """Everything that is asked for: variants by their changes, and the plans of their runs."""

    scenario: Scenario
    changes: list[Changes]
    seeds: list[str]
    jobs: list[Job] = field(default_factory=list)


def command(arguments: list[str]) -> int:
    """`perch sim sweep SCENARIO [--set wing.docks=1,2,3] [--seeds N]`."""
    parser = Parser("sweep")
    parser.add_argument("scenario", help="the name of a bundled scenario, or the path of a .toml file")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUES", help="in place of [sweep]:"
                        " wing.docks=1,2,3 or 'staff.decision_s=lognormal(20, 0.8); lognormal(40, 0.8)'")  # fmt: skip
    parser.add_argument("--seeds", type=int, help="how many seeds each variant runs (default: what the scenario says)")
    parser.add_argument("--out", help="where the files go (default build/sim/sweep-SCENARIO)")
    parser.add_argument("--workers", type=int, default=2, help="processes at once (default 2)")
    parser.add_argument("--minutes-max", type=float, default=MINUTES_MAX, help="of this machine's time, for each run")
    options = parser.parse_args(arguments)
    scenario = Scenario.load(options.scenario)
    try:
        swept = dict(map(read_set, options.set)) or dict(scenario.sweep)
    except ValueError as error:
        parser.error(f"--set {error}")
    if not swept:
        parser.error(f"{scenario.name} has no [sweep]; say what to vary, for example --set wing.docks=1,2,3")
    seeds = scenario.sweep_seeds if options.seeds is None else options.seeds
    count = max(1, seeds) * len(list(itertools.product(*swept.values())))
    if seeds < 1 or options.workers < 1 or count > RUNS_MAX:
        parser.error(f"that is {count} runs: allowed are 1 to {RUNS_MAX}, with one seed and one worker at least")
    sweep = prepare(scenario, swept, seeds)
    directory = Path(options.out) if options.out else Path("build/sim") / f"sweep-{scenario.name}"
    directory.mkdir(parents=True, exist_ok=True)
    words = shlex.join(["perch", "sim", "sweep", *arguments])
    print(f"{words}\n{len(sweep.changes)} variants, {seeds} seeds each", flush=True)
    return _Outcome(sweep, run_all(sweep, options.workers, options.minutes_max * 60), words, directory).tell()


def read_set(text: str) -> tuple[str, tuple[object, ...]]:
    """"wing.docks=1,2,3": the key and its values, as TOML or as texts with ";" between; raises ValueError."""
    key, equals, values = text.partition("=")
    if not equals or "." not in key or not values.strip():
        raise ValueError(f"{text!r} is not KEY=VALUES, such as wing.docks=1,2,3")
    try:
        found = tomllib.loads(f"values = [{values}]")["values"]
    except tomllib.TOMLDecodeError:
        found = [one.strip() for one in values.split(";") if one.strip()]
    return key.strip(), tuple(found)


def prepare(scenario: Scenario, swept: Mapping[str, tuple[object, ...]], seeds: int) -> Sweep:
    """The plans of every variant and seed; raises ScenarioRefused for a value that cannot be."""
    changes = [dict(zip(swept, values)) for values in itertools.product(*swept.values())]
    sweep = Sweep(scenario, changes, [str(number) for number in range(1, seeds + 1)])
    variants = [scenario.variant(one) for one in changes]
    for seed in sweep.seeds:
        sweep.jobs += [Job(place, seed, make_plan(one, seed)) for place, one in enumerate(variants)]
    return sweep


def run_one(plan: Plan, seconds_max: float) -> Done:
    """One run, in whatever process."""
    found: dict[str, Any] = {}

    def after(world: World) -> None:
        found["measures"] = summary(world, so_far(world))["measures"]

    try:
        made = attempt(plan, seconds_max, after=after)
    except OutOfTime as late:
        return Done({}, [], [], "", seconds_max, str(late))
    story = tell(plan, made.entries)
    waits = [one.waited_ms / 1000 for one in counted(story) if one.seated_ms is not None]
    return Done(found.get("measures", {}), waits, made.outcome.failures, made.outcome.digest, made.seconds)


def run_all(sweep: Sweep, workers: int, seconds_max: float) -> dict[tuple[int, str], Done]:
    """Every run, some at once; by (variant, seed)."""
    done: dict[tuple[int, str], Done] = {}
    with Bar(f"sweep of {sweep.scenario.name}", len(sweep.jobs)) as bar:
        for job, result in _results(sweep, workers, seconds_max):
            done[job.variant, job.seed] = result
            words = label(sweep.changes[job.variant])
            bar.at(len(done), f"{len(done)} of {len(sweep.jobs)} runs; {words}, seed {job.seed}")
    return done


def _results(sweep: Sweep, workers: int, seconds_max: float) -> Iterator[tuple[Job, Done]]:
    if workers == 1:
        for job in sweep.jobs:
            yield job, run_one(job.plan, seconds_max)
        return
    # each run in a process that was started for it alone knows nothing of the runs before it
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        asked = {pool.submit(run_one, job.plan, seconds_max): job for job in sweep.jobs}
        try:
            for future in as_completed(asked):
                yield asked[future], future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def label(changes: Mapping[str, object]) -> str:
    """"docks 2", "decision_s lognormal(20, 0.8)"."""
    return ", ".join(f"{key.partition('.')[2]} {_plain(value)}" for key, value in changes.items())


def _plain(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


class _Outcome:
    """What is written and said when every run is over."""

    def __init__(self, sweep: Sweep, done: Mapping[tuple[int, str], Done], command: str, directory: Path) -> None:
        self._sweep = sweep
        self._done = done
        self._command = command
        self._directory = directory
        self._variants = [self._variant(place, changes) for place, changes in enumerate(sweep.changes)]

    def _variant(self, place: int, changes: Changes) -> Variant:
        runs = [self._done[place, seed] for seed in self._sweep.seeds]
        measures = {
            name: [value for run in runs if (value := run.measures.get(name)) is not None]
            for name in sorted({name for run in runs for name in run.measures})
        }
        expect: Mapping[str, Comparison] = self._sweep.scenario.expect
        missed = [name for name, wanted in expect.items()
                  if not all(wanted.holds(value) for value in measures.get(name, []))]  # fmt: skip
        return Variant(label(changes), changes, measures, [one for run in runs for one in run.waits_s], missed)

    def tell(self) -> int:
        """Write the files, say the answer; the exit code."""
        scenario, directory = self._sweep.scenario, self._directory
        said = answer(self._variants, bool(scenario.expect))
        limits = {name: wanted.value for name, wanted in scenario.expect.items()}
        picture = draw(scenario.scenario.title, self._variants, limits, len(self._sweep.seeds))
        troubles = self._troubles()
        (directory / PICTURE).write_text(picture.svg(alone=True) + "\n", encoding="utf-8")
        made = page(scenario.scenario.title, said, picture, self._variants, self._command, troubles)
        (directory / PAGE).write_text(made, encoding="utf-8")
        (directory / RESULTS).write_text(json.dumps(self._results(said), indent=1) + "\n", encoding="utf-8")
        print("\n".join(said))
        for trouble in troubles:
            print(trouble)
        print(f"{directory / PAGE}")
        if any(run.late for run in self._done.values()):
            return BROKEN
        return FAILED if troubles else OK

    def _troubles(self) -> list[str]:
        """Runs that failed or were too late, each with the command that repeats it."""
        found = []
        for job in self._sweep.jobs:
            run = self._done[job.variant, job.seed]
            if not run.failures and not run.late:
                continue
            plan = self._directory / f"failed-{job.variant}-{job.seed}.toml"
            plan.write_text(job.plan.dumps(), encoding="utf-8")
            words = run.late or f"{run.failures[0][0]}: {run.failures[0][1]}"
            repeat = shlex.join(["perch", "sim", "replay", str(plan)])
            found.append(f"FAILED {label(self._sweep.changes[job.variant])}, seed {job.seed}: {words}; {repeat}")
        return found

    def _results(self, said: list[str]) -> dict[str, Any]:
        return {
            "command": self._command, "scenario": self._sweep.scenario.name, "seeds": self._sweep.seeds,
            "answer": said,
            "variants": [
                {"label": one.label, "changes": one.changes, "missed": one.missed, "measures": one.measures,
                 "digests": [self._done[place, seed].digest for seed in self._sweep.seeds]}
                for place, one in enumerate(self._variants)
            ],
        }  # fmt: skip
