"""The figures of a run: what is counted, what is left out, and which expectations were missed."""

from __future__ import annotations

import json

import pytest

from sim.box.kernel import DAY_MS, HOUR_MS
from sim.box.measures import percentile
from sim.box.phrases import lasts, many, moment, share, size
from sim.box.plan import Event
from sim.box.scenario_keys import MEASURES
from sim.box.story import VERDICTS, TraceRefused, is_final, load, tell
from sim.box.summary import judge, queue, summary, thin
from sim.box.trace import Entry
from sim.box.world import Outcome, World
from tests.sim.box.tiny_runs import Run, tiny_run


@pytest.fixture(scope="module")
def run() -> Run:
    return tiny_run()


def test_a_summary_is_plain_and_has_every_measure(run: Run) -> None:
    assert json.loads(json.dumps(run.summary)) == run.summary
    assert list(run.summary["measures"]) == list(MEASURES)
    assert run.summary["measures"]["delivered_p"] == 1 and run.summary["messages"]["readers_p"] == 1


def test_the_digest_of_the_summary_is_the_one_that_is_printed(run: Run) -> None:
    assert (run.summary["digest"], run.summary["semantic_digest"]) == (run.outcome.digest, run.outcome.semantic)


def test_figures_are_those_of_the_trace(run: Run) -> None:
    kinds = [entry.kind for entry in run.entries if entry.at_ms < DAY_MS]
    summary = run.summary
    assert summary["dockings"]["seated"] == kinds.count("seat") == summary["dockings"]["by_dock"]["bay0"]["dockings"]
    assert summary["messages"]["written"] == kinds.count("saved")
    assert sum(summary["faults"].values()) == kinds.count("fault") > 0
    wires = [entry for entry in run.entries if entry.kind == "wire" and entry.at_ms < DAY_MS]
    assert summary["bytes"]["up"] == sum(int(entry.fields["up_bytes"] or 0) for entry in wires) > 0
    decided = sum(kinds.count(kind) for kind in VERDICTS)
    assert sum(own["decisions"] for own in summary["staff"].values()) == decided > 0


def test_the_queue_and_the_waits_are_said_alike_everywhere(run: Run) -> None:
    assert run.summary["queue"]["max"] == run.summary["measures"]["queue_max"]
    assert run.summary["dockings"]["wait_s"]["max"] == pytest.approx(run.summary["measures"]["wait_max_s"], abs=0.01)


def test_more_goes_over_a_wire_than_the_exchange_says(run: Run) -> None:
    moved = run.summary["bytes"]
    for way in ("up", "down"):
        said = sum(own["bytes"] for kind, own in moved["kinds"].items() if kind.startswith(way))
        assert 0 < said < moved[way]


def test_what_is_expected_and_not_met_is_said_in_words(run: Run) -> None:
    waited = run.summary["measures"]["wait_p95_s"]
    assert waited > 0.5
    assert judge(run.scenario.expect, run.summary) == [f"wait_p95_s is {waited:.6g}, expected <= 0.5"]
    nothing = {"measures": dict.fromkeys(MEASURES)}
    assert judge(run.scenario.expect, nothing) == [], "a figure of nothing is held to nothing"


def test_an_approval_that_needs_two_people_decides_with_the_second() -> None:
    def row(kind: str, detail: str) -> Entry:
        return Entry(0, kind, "m0", {"item": "l000.d00.write1", "detail": detail})

    assert not is_final(row("approve", "statement 00 signature 1 of 2"))
    assert is_final(row("approve", "statement 00 signature 2 of 2"))
    assert is_final(row("return", "ground 2 statement 00"))
    assert not is_final(row("recall", "ground 2"))


def test_warm_up_and_settling_are_left_out(run: Run) -> None:
    story = tell(run.plan, run.entries)
    assert any(".settle" in one.id for one in story.visits), "everybody docks when the days are over"
    story.queue = [(0, 0), (HOUR_MS, 2), (2 * HOUR_MS, 0), (DAY_MS + 1, 9)]
    assert queue(story)["max"] == 2 and queue(story)["mean"] == round(2 / 24, 3)


def test_a_world_that_crashed_still_has_a_summary(run: Run) -> None:
    with World(run.plan) as world:
        pass
    made = summary(world, Outcome("", "", [("crash", "in the middle")]))
    assert made["failures"] == [{"invariant": "crash", "words": "in the middle"}]
    assert set(made["measures"].values()) == {None}


def test_a_trace_is_read_as_it_was_written_and_a_broken_line_is_named(run: Run) -> None:
    assert load(entry.line() for entry in run.entries) == run.entries
    with pytest.raises(TraceRefused, match="line 2"):
        load([run.entries[0].line(), '{"what": "is this"}'])


def test_a_visit_without_a_dock_waited_from_when_it_came(run: Run) -> None:
    dock = next(event for event in run.plan.events if event.do == "dock")
    entry = Entry(dock.at_ms + 90_000, "give_up", "l000", {"docking": dock.id})
    visit = tell(run.plan, [entry]).visits[0]
    assert (visit.waited_ms, visit.seated_ms) == (90_000, None)
    assert isinstance(dock, Event)


def test_long_courses_are_thinned_and_keep_their_peaks() -> None:
    steps = [(at, at % 97) for at in range(10_000)]
    thinned = thin(steps, 100)
    assert len(thinned) <= 100 and max(value for _, value in thinned) == 96
    assert percentile([], 0.5) is None and percentile([1, 2, 3, 4], 0.5) == 2


def test_times_and_amounts_are_said_in_one_unit() -> None:
    assert [lasts(one) for one in (0, 0.2, 34, 150, 57_600, 86_400, 200_000, None)] == [
        "0 s", "200 ms", "34 s", "2.5 min", "16 h", "1 day", "2.3 days", "–",
    ]  # fmt: skip
    assert moment(3 * DAY_MS + 12 * HOUR_MS + 600_000) == "day 3 12:10"
    assert (size(812), size(1_420), many(0, "dock"), many(1, "dock")) == ("812 B", "1.42 kB", "no docks", "1 dock")
    assert share(0.99999) == "more than 99.9 %" and share(1) == "100 %" and share(0) == "0 %"
