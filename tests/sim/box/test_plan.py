"""Plans: the same seed is the same plan, one more actor changes nobody else's days, and a file keeps all of it."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.box.catalogue import CATALOGUE, VERBS
from sim.box.plan import Event, Plan, PlanRefused
from sim.box.planning import is_weekend, make_plan
from sim.box.planning_faults import rates
from sim.box.scenario import Scenario, bundled
from sim.box.streams import entropy, stream
from sim.box.values import DAY_MS
from tests.kits.micropython import run_source

HEAD = '[scenario]\nname = "small"\ntitle = "A small one"\ndays = 5\n'
SMALL = HEAD + "[wing]\nlearners = 20\ngroups = 4\n[traffic]\nposts_per_day = 2\nvideo_p = 0.1\n"


def of(plan: Plan, *who: str) -> list[Event]:
    return [event for event in plan.events if event.who.split(".")[0] in who]


def test_the_same_seed_is_the_same_plan_and_another_seed_another() -> None:
    storm = Scenario.load("storm")
    assert make_plan(storm, "1") == make_plan(storm, "1")
    assert make_plan(storm, "1").dumps() == make_plan(storm, "1").dumps()
    assert make_plan(storm, "1").events != make_plan(storm, "2").events


@pytest.mark.parametrize("name", [one for one in bundled() if one != "month"])
def test_a_plan_that_was_written_and_read_is_the_same_plan(name: str) -> None:
    plan = make_plan(Scenario.load(name), "0x2a")
    assert Plan.loads(plan.dumps()) == plan
    assert Plan.loads(plan.dumps()).dumps() == plan.dumps()
    assert len({event.id for event in plan.events}) == len(plan.events)


VALUE = st.one_of(
    st.integers(), st.floats(allow_nan=False), st.booleans(), st.text(st.characters(exclude_categories=["Cs"]))
)


@settings(deadline=None, max_examples=60)
@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), VALUE))
def test_every_argument_keeps_its_type_and_all_its_digits_in_a_file(args: dict) -> None:
    plan = make_plan(Scenario.loads(HEAD), "1")
    plan = replace(plan, events=(Event("e", 1, "hub.stall", "hub", args),))
    again = Plan.loads(plan.dumps()).events[0].args
    assert again == args and [type(one) for one in again.values()] == [type(one) for one in args.values()]


@pytest.mark.parametrize("wrong", ["x", "days = 3", 'scenario = "a"\n[[event]]\nid = 3'])
def test_what_is_no_plan_is_refused_by_name(wrong: str) -> None:
    with pytest.raises(PlanRefused):
        Plan.loads(wrong)


def test_a_plan_with_a_wrong_type_is_refused_with_the_name_of_the_field() -> None:
    text = make_plan(Scenario.loads(HEAD), "1").dumps()
    with pytest.raises(PlanRefused, match="wing.docks"):
        Plan.loads(text.replace("docks = 2", 'docks = "2"'))
    with pytest.raises(PlanRefused, match="event.at_ms"):
        Plan.loads(text.replace("at_ms = ", "at_ms = 0.", 1))


@pytest.mark.parametrize("sizes", ["groups = 4", "group_size = 5"])
def test_one_more_learner_changes_nobody_elses_days(sizes: str) -> None:
    text = SMALL.replace("groups = 4", sizes) + '[faults]\nswarm = true\n"wire.yank" = 0.3\n'
    few, many = (Scenario.loads(text, changes={"wing.learners": learners}) for learners in (20, 21))
    for seed in ("1", "2"):
        one, other = make_plan(few, seed), make_plan(many, seed)
        assert of(other, "l020")
        assert [event for event in other.events if event not in of(other, "l020")] == list(one.events)


def test_another_rate_of_one_fault_changes_no_other_fault() -> None:
    base = Scenario.loads(SMALL + '[faults]\n"wire.yank" = 0.1\n"wire.stall" = 0.2\n"hub.stall" = "2 per days"\n')
    plans = [make_plan(base.variant({"faults.wire.yank": p}), "1") for p in (0.1, 0.4)]
    rest = [[event for event in plan.events if event.do != "wire.yank"] for plan in plans]
    yanks = [{str(one) for one in plan.events if one.do == "wire.yank"} for plan in plans]
    assert rest[0] == rest[1]
    assert yanks[0] < yanks[1]


def test_a_learner_docks_in_the_windows_and_makes_nothing_while_away_from_the_cell() -> None:
    scenario = Scenario.loads(SMALL.replace("days = 5", "days = 9") + "[timetable]\nweekend_windows = []\n"
                              'lockdown = ["day 4-5"]\n')  # fmt: skip
    plan = make_plan(scenario, "3")
    for learner in plan.wing.learners:
        away: list[tuple[int, float]] = []
        for event in of(plan, learner):
            if event.do == "dock":
                minute = event.at_ms % DAY_MS // 60_000
                assert 720 <= minute < 765 or 1020 <= minute < 1080
                assert event.day not in (4, 5) and not is_weekend(event.day)
                stay_s = event.args["patience_s"] + event.args["reaction_s"] + event.args["stay_s_max"]  # type: ignore
                away.append((event.at_ms, event.at_ms + stay_s * 1000))
            elif event.do in ("write", "record", "read", "draft"):
                assert not any(start <= event.at_ms < end for start, end in away), event
                assert event.do not in ("write", "record") or learner in plan.wing.groups[str(event.args["group"])]
    assert [day for day in range(9) if is_weekend(day)] == [1, 2, 8]


def test_every_event_is_known_and_has_the_arguments_of_its_kind() -> None:
    for name in ("storm", "hostile_landing", "transfer_day"):
        for event in make_plan(Scenario.load(name), "5").events:
            if event.do in CATALOGUE:
                assert set(event.args) == set(CATALOGUE[event.do].args)
                for key, spec in CATALOGUE[event.do].args.items():
                    assert spec.kind != "whole" or spec.least <= event.args[key] <= spec.most  # type: ignore[operator]
            else:
                assert event.do in VERBS or event.do == "attack"


def test_faults_of_dockings_name_a_docking_of_the_plan() -> None:
    plan = make_plan(Scenario.loads(SMALL + '[faults]\nwire.yank = 0.5\n[[event]]\nat = "day 2 09:00"\n'
                                    'do = "wire.stall"\nwho = "l003"\n'), "1")  # fmt: skip
    docks = {event.id: event for event in plan.events if event.do == "dock"}
    faults = [event for event in plan.events if event.do.startswith("wire.")]
    assert len(faults) > 20
    assert all(docks[event.who].at_ms == event.at_ms for event in faults)
    stall = next(event for event in faults if event.do == "wire.stall")
    assert docks[stall.who].who == "l003" and docks[stall.who].day == 2


def test_a_swarm_leaves_out_about_half_and_nothing_beyond_the_promise() -> None:
    full, beyond = (Scenario.load("storm", {"scenario.promise": promise}) for promise in ("full", "beyond"))
    drawn = [set(rates(full, str(seed))) for seed in range(40)]
    kinds = {name for name, spec in CATALOGUE.items() if not spec.beyond}
    assert set().union(*drawn) == kinds
    assert all(len(kinds) * 0.2 < len(one) < len(kinds) * 0.8 for one in drawn)
    assert set().union(*(set(rates(beyond, str(seed))) for seed in range(40))) == set(CATALOGUE)


def test_who_arrives_and_who_leaves_has_days_only_while_on_the_wing() -> None:
    plan = make_plan(Scenario.load("transfer_day"), "1")
    assert plan.wing.arriving == ("l020", "l021")
    came = next(event.at_ms for event in plan.events if event.do == "enrol" and event.who == "l020")
    assert len(of(plan, "l020")) > 1 and all(event.at_ms >= came for event in of(plan, "l020"))
    left = next(event.at_ms for event in plan.events if event.do == "transfer" and event.who == "l003")
    assert all(event.at_ms <= left for event in of(plan, "l003"))
    moved = [event for event in of(plan, "l001") if event.do == "write"]
    assert {event.args["group"] for event in moved if event.day < 3} == {"g01"}
    assert {event.args["group"] for event in moved if event.day > 3} <= {"g02"}


def test_entropy_is_the_same_on_both_interpreters() -> None:
    draw = entropy("1", "l000")
    here = (draw(5) + draw(70)).hex()
    source = "from sim.box.streams import entropy\ndraw = entropy('1', 'l000')\nx = draw(5) + draw(70)\n"
    there = run_source(source + "print(''.join(['{:02x}'.format(one) for one in x]))")
    assert there.stdout.strip() == here
    assert entropy("1", "l001")(5) != entropy("1", "l000")(5)
    assert stream("1", "l000", "post").random() != stream("1", "l000", "dock").random()
