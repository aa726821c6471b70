"""A campaign runs what it says, keeps what fails, and fails for a mark that nothing reached."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from sim.box import campaign
from sim.box.campaign import Campaign, Job, Result, jobs, run_job, shrink_job
from sim.box.command import BROKEN, DIFFERED, FAILED, MISSED, OK
from sim.box.marks import catalogue
from sim.box.plan import Plan
from sim.box.running import run_plan
from sim.box.scenario import bundled
from tests.sim.box.small import SMALL, never_settled

EVERYTHING = dict.fromkeys(catalogue(), 1)


def taken(*results: Result) -> Campaign:
    made = Campaign(Path("nowhere"))
    for result in results:
        made.take(result)
    return made


def test_each_end_has_its_exit_code_and_the_worst_one_wins() -> None:
    job = Job("storm", "1")
    good = Result(job, "aa", marks=EVERYTHING)
    assert taken(good).exit() == OK
    assert taken(Result(job, "aa")).exit() == MISSED
    assert taken(good, Result(Job("storm", "1", look="again"), "bb")).exit() == DIFFERED
    assert taken(good, Result(job, "aa", (("S1", "words"),))).exit() == FAILED
    assert taken(good, Result(job, "aa", (("simulator.X", "words"),), broken=True)).exit() == BROKEN


def test_a_mark_that_was_not_reached_is_named() -> None:
    without = {name: count for name, count in EVERYTHING.items() if name != "fault.wire.yank"}
    made = taken(Result(Job("storm", "1"), "aa", marks=without))
    assert made.unreached() == ["fault.wire.yank"]


def test_each_broken_promise_is_cut_down_once_and_a_late_run_counts_for_its_marks_alone() -> None:
    made = Campaign(Path("nowhere"))
    failed = (("S1", "here"), ("S1", "there"), ("L3", "words"))
    assert made.take(Result(Job("storm", "1"), "aa", failed)) == [(Job("storm", "1"), "S1"), (Job("storm", "1"), "L3")]
    assert made.take(Result(Job("storm", "2"), "bb", failed)) == []
    made.take(Result(Job("storm", "3"), late="too slow", marks={"log.docked": 2}))
    assert made.marks["log.docked"] == 2 and "storm --seed 3" not in " ".join(made.digests)


def test_openings_come_first_then_the_scenarios_and_some_run_again() -> None:
    found = list(itertools.islice(jobs(100, campaign.ROTATION), 60))
    openings = [job.file for job in found if job.file and job.look == "plain"]
    assert openings == [f"sim/openings/{path.name}" for path in sorted(campaign.OPENINGS.glob("*.toml"))]
    seeds = [job.seed for job in found if job.seed and job.look == "plain"]
    assert seeds == [str(100 + number) for number in range(len(seeds))]
    assert {job.look for job in found} >= {"plain", "again", "attackers"}
    assert set(campaign.ROTATION) <= set(bundled())


@pytest.mark.parametrize("path", sorted(campaign.OPENINGS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_opening_is_a_plan(path: Path) -> None:
    plan = Plan.loads(path.read_text(encoding="utf-8"))
    assert 0 < len(plan.events) < 200 and plan.days <= 4


def test_a_job_is_run_and_shrunk_by_its_plan_alone(tmp_path: Path) -> None:
    file = tmp_path / "plan.toml"
    file.write_text(never_settled().dumps())
    job = Job("small", file=str(file))
    result = run_job(job, 60)
    assert [name for name, _ in result.failures] == ["L1"]
    assert result.digest == run_plan(never_settled()).digest
    invariant, kept = shrink_job(job, "L1", str(tmp_path / "kept"))
    assert invariant == "L1" and [event.do for event in Plan.loads(Path(kept).read_text()).events] == ["write"]


def test_a_run_that_is_late_says_so(tmp_path: Path) -> None:
    file = tmp_path / "plan.toml"
    file.write_text(never_settled().dumps())
    assert "was ended" in run_job(Job("small", file=str(file)), 0).late


def test_the_command_runs_processes_and_tells_what_came_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two runs of one seed in two processes, whose hash seeds differ."""
    monkeypatch.setattr(campaign, "jobs", lambda seed_from, scenarios: iter(
        [Job(str(SMALL), "1"), Job(str(SMALL), "1", look="again"), *(Job(str(SMALL), "2"),) * 200]))  # fmt: skip
    code = campaign.command(["--minutes", "0.06", "--scenario", str(SMALL), "--keep", str(tmp_path), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert code == told["exit"] == MISSED
    assert told["differed"] == [] and told["failures"] == [] and told["runs"] >= 2
    assert told["marks"]["log.custody"] >= 1 and "fault.wire.yank" in told["unreached"]
    assert not list(tmp_path.iterdir())
