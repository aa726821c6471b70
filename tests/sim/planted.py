"""A line of the production code is broken -> here -> found, and cut down: proof that the simulator would have told.

Each bug is one line of one module, as data in planted.toml. A child process (`python -m tests.sim.planted NAME`)
imports that module with the line replaced, runs the bug's small scenario with one seed after the other until a promise
is broken, cuts the plan down, and prints what it found as JSON. Nothing on the disk is changed.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import json
import subprocess
import sys
import time
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import CodeType, ModuleType

ROOT = Path(__file__).resolve().parents[2]

HEAD = """
[scenario]
name = "planted"
title = "A small wing for a planted bug"
days = {days}
settle_min = {settle_min}
promise = "{promise}"
[wing]
learners = {learners}
groups = {groups}
docks = 1
moderators = 2
envelopes_per_day_max = {per_day}
[timetable]
windows = ["09:00-09:30", "15:00-15:30"]
[traffic]
posts_per_day = {posts}
video_p = {video_p}
video_kb = "uniform(9, 20)"
read_p = 1
[staff]
hours = ["09:00-12:00", "13:00-16:30"]
approve_p = {approve_p}
return_p = 0
"""
SEEDS = 4  # of each bug's scenario
SHRINK_RUNS_MAX = 60
USUAL: Mapping[str, object] = {
    "days": 1, "learners": 2, "groups": 1, "per_day": 100, "posts": 1.5, "video_p": 0, "approve_p": 1,
    "promise": "full", "settle_min": 1440,
}  # fmt: skip


@dataclass(frozen=True)
class Bug:
    """One broken line. `invariants` are those that may name it; `wing` changes USUAL, `more` is added to HEAD."""

    name: str
    says: str
    file: str
    old: str
    new: str
    invariants: tuple[str, ...]
    wing: Mapping[str, object] = field(default_factory=dict)
    more: str = ""
    secrets: bool = False  # look for plaintext and for nonces as well
    fast: bool = False  # in every test run, not only in the soak

    @property
    def module(self) -> str:
        return self.file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @property
    def scenario(self) -> str:
        return HEAD.format(**{**USUAL, **self.wing}) + self.more


def _read() -> tuple[Bug, ...]:
    raw = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    return tuple(Bug(**{**one, "invariants": tuple(one["invariants"])}) for one in raw["bug"])


BUGS = _read()
BY_NAME = {bug.name: bug for bug in BUGS}


class NotThere(Exception):
    """The line that was to be broken is not in the module exactly once."""


class Planter(MetaPathFinder):
    """Imports one module with its line replaced. `planted` says whether it did."""

    def __init__(self, bug: Bug) -> None:
        self.bug = bug
        self.planted = False

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self.bug.module:
            return None
        file = str(ROOT / self.bug.file)
        return importlib.util.spec_from_file_location(fullname, file, loader=_Loader(fullname, file, self))


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, fullname: str, path: str, planter: Planter) -> None:
        super().__init__(fullname, path)
        self._planter = planter

    def get_code(self, fullname: str) -> CodeType:
        bug, source = self._planter.bug, Path(self.path).read_text(encoding="utf-8")
        if source.count(bug.old) != 1:
            raise NotThere(f"{bug.name}: the old line is {source.count(bug.old)} times in {bug.file}")
        self._planter.planted = True
        code = compile(source.replace(bug.old, bug.new), self.path, "exec")
        assert isinstance(code, CodeType)
        return code


def hunt(bug: Bug, seconds_max: float, runs_max: int = SHRINK_RUNS_MAX) -> dict[str, object]:
    """Plant the bug in this process, find it and cut it down; what `find` returns."""
    planter = Planter(bug)
    sys.meta_path.insert(0, planter)
    from sim.box.attempt import attempt
    from sim.box.planning import make_plan
    from sim.box.scenario import Scenario
    from sim.box.shrink import shrink

    importlib.import_module(bug.module)
    if not planter.planted:
        raise NotThere(f"{bug.name}: {bug.module} was imported before the bug could be planted")
    scenario, started, seen = Scenario.loads(bug.scenario, "planted.toml"), time.monotonic(), list[str]()
    for seed in range(1, SEEDS + 1):
        plan = make_plan(scenario, str(seed))
        made = attempt(plan, seconds_max, secrets=bug.secrets)
        seen += made.invariants
        wanted = next((name for name in made.invariants if name in bug.invariants), "")
        if wanted:
            found_s = time.monotonic() - started
            found = shrink(made, wanted, runs_max, seconds_max, secrets=bug.secrets)
            return {
                "bug": bug.name, "invariant": wanted, "words": found.words, "seed": seed,
                "events": len(found.plan.events), "from": len(plan.events), "learners": len(found.plan.wing.learners),
                "runs": found.runs, "found_s": round(found_s, 1), "seconds": round(time.monotonic() - started, 1),
                "plan": found.plan.dumps(),
            }  # fmt: skip
    return {"bug": bug.name, "invariant": "", "seen": seen, "seconds": round(time.monotonic() - started, 1)}


def find(bug: Bug, seconds_max: float = 120.0, runs_max: int = SHRINK_RUNS_MAX) -> dict[str, object]:
    """As `hunt`, in a child process: {"invariant": "" when nothing was found, "events": after cutting down, ...}."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.sim.planted", bug.name, str(seconds_max), str(runs_max)],
        cwd=ROOT, capture_output=True, text=True, timeout=4 * seconds_max + 60,
    )  # fmt: skip
    if done.returncode:
        raise AssertionError(f"{bug.name}: {done.stderr[-2000:]}")
    answer: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return answer


if __name__ == "__main__":
    print(json.dumps(hunt(BY_NAME[sys.argv[1]], float(sys.argv[2]), int(sys.argv[3]))))
