"""The simulator finds broken lines of the production code and cuts each down to a few events; planted.toml has them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sim.box.attempt import attempt
from sim.box.invariants import BY_ID
from sim.box.plan import Plan
from sim.box.scenario import Scenario
from tests.sim.planted import BUGS, ROOT, Bug, find

EVENTS_MAX = 10  # of a plan that was cut down
RUNS_MAX = 12  # of cutting down, where there is little time
FAST = [bug for bug in BUGS if bug.fast]


def told(bug: Bug, soak: bool) -> None:
    found = find(bug) if soak else find(bug, runs_max=RUNS_MAX)
    assert found["invariant"] in bug.invariants, f"{bug.name} was not found: {found}"
    events, whole = found["events"], found["from"]
    assert isinstance(events, int) and isinstance(whole, int) and events < whole
    if soak:
        assert events <= EVENTS_MAX
        # without the bug nothing is wrong with the plan: it is the bug that was found
        sound = attempt(Plan.loads(str(found["plan"])), 60, secrets=bug.secrets)
        assert found["invariant"] not in sound.invariants, sound.outcome.failures


def test_enough_different_lines_are_broken() -> None:
    assert len(BUGS) >= 14
    assert len({bug.name for bug in BUGS}) == len({(bug.file, bug.old) for bug in BUGS}) == len(BUGS)
    assert {bug.file.partition("/")[0] for bug in BUGS} == {"protocol", "firmware", "hub_daemon"}
    assert 3 <= len(FAST) <= 6


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_every_planted_line_is_there_and_its_replacement_is_python(bug: Bug) -> None:
    source = (ROOT / bug.file).read_text(encoding="utf-8")
    assert source.count(bug.old) == 1, f"{bug.file} no longer has this line once"
    compile(source.replace(bug.old, bug.new), bug.file, "exec")
    assert all(name in BY_ID for name in bug.invariants)
    Scenario.loads(bug.scenario, bug.name)


def test_a_line_that_is_not_there_fails_loudly(tmp_path: Path) -> None:
    code = (
        "import sys; from dataclasses import replace; from tests.sim import planted\n"
        "planted.hunt(replace(planted.BUGS[0], old='no such line'), 1.0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode and "NotThere" in done.stderr and "0 times" in done.stderr


@pytest.mark.parametrize("bug", FAST, ids=lambda bug: bug.name)
def test_a_planted_bug_is_found_and_cut_down(bug: Bug) -> None:
    told(bug, soak=False)


@pytest.mark.soak
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_every_planted_bug_is_found_cut_down_and_told_from_sound_code(bug: Bug) -> None:
    told(bug, soak=True)
