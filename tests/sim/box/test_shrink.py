"""A failing plan is cut down to what makes it fail, and kept to be run for ever."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sim.box.attempt import attempt
from sim.box.command import BROKEN, OK
from sim.box.plan import Event, Plan
from sim.box.planning import make_plan
from sim.box.run_command import load_plan
from sim.box.scenario import Scenario
from sim.box.shrink import Shrinker, command, keep, shrink, without, without_learner
from tests.sim.box.small import SMALL, never_settled


def big() -> Plan:
    return make_plan(Scenario.load("transfer_day"), "1")


def test_two_events_that_fail_only_together_are_all_that_is_left() -> None:
    plan = big()
    needed = {plan.events[40].id, plan.events[200].id}
    shrinker = Shrinker(plan, lambda one: needed <= {event.id for event in one.events}, runs_max=2000)
    smallest = shrinker.go()
    assert {event.id for event in smallest.events} == needed
    assert shrinker.runs < 1000
    assert smallest.wing.docks == 1
    assert set(smallest.wing.learners) == {event.who.partition(".")[0] for event in smallest.events}


def test_what_comes_after_the_failure_goes_first() -> None:
    plan, seen = big(), list[Plan]()
    at_ms = plan.events[50].at_ms

    def fails(one: Plan) -> bool:
        seen.append(one)
        return len(one.events) >= 40

    Shrinker(plan, fails, runs_max=1).go(at_ms)
    assert seen[0].events == tuple(event for event in plan.events if event.at_ms <= at_ms)


def test_sizes_become_smaller_as_long_as_it_fails() -> None:
    plan = never_settled()
    write = plan.events[0]
    plan = replace(plan, events=(replace(write, args={**write.args, "bytes": 4000}),))
    smallest = Shrinker(plan, lambda one: bool(one.events) and int(one.events[0].args["bytes"]) > 60).go()
    assert 60 < int(smallest.events[0].args["bytes"]) < 600


def test_a_fault_goes_with_its_docking_and_an_event_with_its_learner() -> None:
    plan = big()
    dock = next(event for event in plan.events if event.do == "dock")
    fault = Event("f.x", dock.at_ms, "wire.yank", dock.id, {"direction": "up", "byte": 5, "away_ms": 10})
    both = replace(plan, events=tuple(sorted((*plan.events, fault), key=lambda event: (event.at_ms, event.id))))
    assert fault not in without(both, lambda event: event is dock).events
    rest = without_learner(both, dock.who)
    assert dock.who not in rest.wing.learners and not any(dock.who in members for members in rest.wing.groups.values())
    assert fault not in rest.events and all(dock.who != event.who for event in rest.events)


def test_neither_the_runs_nor_the_seconds_pass_their_bound() -> None:
    counted = Shrinker(big(), lambda plan: False, runs_max=7)
    counted.go()
    assert counted.runs == 7
    late = Shrinker(big(), lambda plan: False, seconds_max=0)
    late.go()
    assert late.runs == 0


def test_a_real_failure_is_cut_down_and_what_is_kept_fails_alike(tmp_path: Path) -> None:
    made = attempt(replace(make_plan(Scenario.load(SMALL), "1"), settle_ms=1, days=1))
    if not made.invariants:  # it came through in time: nothing is left but what is never sent
        made = attempt(never_settled())
    found = shrink(made, runs_max=30)
    path = keep(found, tmp_path)
    assert path.name.startswith(f"{found.invariant}-") and path.suffix == ".toml"
    assert path.read_text().startswith(f"# {found.invariant}: ")
    assert len(found.plan.events) <= 1
    assert found.invariant in attempt(load_plan(path)).invariants


def test_the_command_shrinks_a_run_and_refuses_one_that_holds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "plan.toml").write_text(never_settled().dumps())
    assert command([str(tmp_path), "--keep", str(tmp_path), "--runs-max", "10"]) == OK
    assert f"perch sim replay {tmp_path}/L1-" in capsys.readouterr().out
    (tmp_path / "plan.toml").write_text(replace(never_settled(), events=()).dumps())
    assert command([str(tmp_path), "--keep", str(tmp_path)]) == BROKEN
    assert "does not fail" in capsys.readouterr().err
