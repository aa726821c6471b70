"""A sweep: every variant on the same days, one answer, and each failure with what repeats it."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from sim.box import command, sweep
from sim.box.plan import Plan
from sim.box.scenario import Scenario, ScenarioRefused
from sim.box.sweep import prepare, read_set
from sim.box.sweep_page import Variant, answer, draw, scale_ticks
from tests.sim.box.tiny_runs import TINY

LITTLE = TINY.replace("learners = 3", "learners = 2").replace("posts_per_day = 1.5", "posts_per_day = 0.5")


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "little.toml"
    path.write_text(LITTLE)
    return path


def test_a_sweep_answers_with_a_picture_a_page_and_json(
    scenario: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert command.main(["sweep", str(scenario), "--seeds", "1", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "With docks 1: " in said and "With docks 2: nearly nobody waits" in said and str(out / "sweep.html") in said
    results = json.loads((out / "sweep.json").read_text())
    assert [one["label"] for one in results["variants"]] == ["docks 1", "docks 2"]
    assert results["answer"][0] in said and all(one["digests"][0] for one in results["variants"])
    for name in ("sweep.html", "sweep.svg"):
        ElementTree.fromstring((out / name).read_text().removeprefix("<!DOCTYPE html>\n"))


def test_every_variant_lives_through_the_same_days() -> None:
    made = prepare(Scenario.loads(TINY), {"wing.docks": (1, 2)}, 3)
    assert len(made.jobs) == 6 and made.seeds == ["1", "2", "3"]
    own = ("write", "record", "read", "draft", "shift")
    for seed in made.seeds:
        days = [[event for event in job.plan.events if event.do in own] for job in made.jobs if job.seed == seed]
        assert days[0] == days[1] != []


def test_a_variant_that_is_not_allowed_is_refused_before_anything_runs() -> None:
    with pytest.raises(ScenarioRefused, match="docks"):
        prepare(Scenario.loads(TINY), {"wing.docks": (1, 0)}, 1)


def test_values_are_toml_or_texts() -> None:
    assert read_set("wing.docks=1,2,3") == ("wing.docks", (1, 2, 3))
    assert read_set("traffic.video_p=0.1, 0.2") == ("traffic.video_p", (0.1, 0.2))
    assert read_set('staff.hours=["09:00-12:00"],["09:00-17:00"]')[1] == (["09:00-12:00"], ["09:00-17:00"])
    assert read_set("staff.decision_s=uniform(1, 2); 30")[1] == ("uniform(1, 2)", "30")
    for wrong in ("wing.docks", "docks=1", "wing.docks="):
        with pytest.raises(ValueError, match="KEY=VALUES"):
            read_set(wrong)


@pytest.mark.parametrize("more", [["--set", "docks"], ["--seeds", "0"], ["--workers", "0"], ["--seeds", "100000"]])
def test_wrong_usage_is_said(scenario: Path, more: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["sweep", str(scenario), *more]) == command.USAGE
    assert "perch sim sweep" in capsys.readouterr().err


def test_a_run_that_fails_leaves_its_plan_and_the_command(
    scenario: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = prepare(Scenario.load(scenario), {"wing.docks": (1,)}, 1)
    done = {(0, "1"): sweep.Done({}, [], [("L1", "<never> arrived")], "00", 1.0)}
    assert sweep._Outcome(made, done, "perch sim sweep", tmp_path).tell() == command.FAILED
    said = capsys.readouterr().out
    assert "FAILED docks 1, seed 1: L1: <never> arrived; perch sim replay" in said
    assert Plan.loads((tmp_path / "failed-0-1.toml").read_text()) == made.jobs[0].plan
    assert "&lt;never&gt; arrived" in (tmp_path / "sweep.html").read_text()


def test_the_answer_names_the_first_variant_that_is_enough() -> None:
    one = Variant("docks 1", {}, {"gave_up_p": [0.1, 0.3]}, [0, 90, 180, 600], ["wait_p95_s"])
    two = Variant("docks 2", {}, {"gave_up_p": [0, 0]}, [0, 0, 0, 30], [])
    assert answer([one, two], True) == [
        "With docks 1: half wait longer than 1.5 min, one in twenty longer than 10 min, and 20 % give up.",
        "With docks 2: half do not wait, one in twenty waits longer than 30 s.",
        "The first that meets every expectation of the scenario in every run: docks 2.",
    ]
    assert answer([one], True)[-1] == "No variant meets every expectation of the scenario."


def test_many_variants_with_long_names_get_letters() -> None:
    measures = {"wait_p95_s": [30.0, 60.0], "wait_p50_s": [0.0, 2.0], "gave_up_p": [0.0, 0.01]}
    many = [Variant(f"decision_s lognormal({place}, 0.8)", {}, measures, [1.0], []) for place in range(5)]
    picture = draw("Long", many, {"wait_p95_s": 120.0}, 2)
    svg = picture.svg(alone=True)
    ElementTree.fromstring(svg)
    assert ">E</text>" in svg and "E  decision_s" in svg and 'class="limit"' in svg
    assert scale_ticks(50, "s")[-1].value >= 50 and scale_ticks(0, "share")[-1].value > 0
