"""The report of a run: one file that reads strictly, asks nobody for anything, and lets nothing in that is markup."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from sim.box import report_pictures as pictures
from sim.box.report import REPORT, TIMELINE, render, timeline, write_files
from sim.box.report_svg import Axis, plain, time_ticks, whole_ticks
from sim.box.report_words import answer
from sim.box.story import tell
from sim.box.trace import Entry
from tests.sim.box.tiny_runs import Run, tiny_run

HOSTILE = "</title><script>alert(1)</script>\"'&]]>\x00\x1b[2J\u202e<img src=http://x/y.png onerror=z>"
XHTML = "{http://www.w3.org/1999/xhtml}"


@pytest.fixture(scope="module")
def run() -> Run:
    return tiny_run()


def page(run: Run, command: str = "", missed: tuple[str, ...] = ()) -> str:
    return render(tell(run.plan, run.entries), run.summary, command, missed, Path("build/sim/tiny-1"))


def text(markup: str) -> str:
    return " ".join("".join(ElementTree.fromstring(markup.split("\n", 1)[1]).itertext()).split())


def test_a_report_is_one_file_that_asks_nobody_for_anything(run: Run) -> None:
    made = page(run)
    root = ElementTree.fromstring(made.split("\n", 1)[1])  # strict: XML
    tags = {one.tag.rpartition("}")[2] for one in root.iter()}
    assert not tags & {"script", "link", "img", "iframe", "object", "image", "use"}
    for one in root.iter():
        assert not {name.rpartition("}")[2] for name in one.attrib} & {"href", "src", "style", "onclick", "onload"}
    without_names = made.replace("http://www.w3.org/1999/xhtml", "").replace("http://www.w3.org/2000/svg", "")
    assert "://" not in without_names and "url(" not in made and "@import" not in made


def test_every_picture_has_words_and_its_figures_as_a_table(run: Run) -> None:
    root = ElementTree.fromstring(page(run).split("\n", 1)[1])
    svgs = [one for one in root.iter("{http://www.w3.org/2000/svg}svg") if one.get("role") == "img"]
    ids = [one.get("id") for one in root.iter() if one.get("id")]
    assert len(svgs) >= 6 and len(ids) == len(set(ids))
    for one in svgs:
        assert all(name in ids for name in one.get("aria-labelledby", "").split())
    for scroll in root.iter(XHTML + "div"):
        if "wide" in scroll.get("class", ""):
            assert scroll.get("tabindex") == "0" and scroll.get("aria-label")
    figures = [one for one in root.iter(XHTML + "figure") if any(child.tag.endswith("svg") for child in one.iter())]
    assert all(one.find(f".//{XHTML}table") is not None for one in figures)


def test_every_measure_and_every_count_of_the_summary_is_in_it(run: Run) -> None:
    said = text(page(run))
    for name, value in run.summary["measures"].items():
        assert f"{name}{'–' if value is None else f'{value:.6g}'}" in said.replace(" ", "")
    for name, count in {**run.summary["messages"], **run.summary["faults"], **run.summary["refusals"]}.items():
        assert f"{name}{count}" in said
    for kind, own in run.summary["bytes"]["kinds"].items():
        assert f"{kind}{own['messages']}" in said
    assert run.summary["digest"][:16] in said and "seed 1" in said


def test_failures_stand_first_with_the_command_that_repeats_them(run: Run) -> None:
    failed = dataclasses.replace(run, summary={**run.summary, "failures": [{"invariant": "L1", "words": HOSTILE}]})
    made = page(failed, "perch sim replay 'a b'", ("wait_p95_s is 3, expected <= 0.5",))
    said = text(made)
    assert said.index("1 failure of L1") < said.index("Missed: wait_p95_s") < said.index("perch sim replay 'a b'")
    assert said.index("perch sim replay 'a b'") < said.index("came")
    assert "Every promise held" not in said and "Every promise held." in text(page(run))
    assert '<li class="missed"><span class="figure">' in made


def test_nothing_that_a_device_made_up_becomes_markup(run: Run) -> None:
    entries = [
        Entry(entry.at_ms, entry.kind, HOSTILE if entry.who == "l001" else entry.who,
              {name: HOSTILE if value == "l001.d00.dock1" or name == "why" or name == "name" else value
               for name, value in entry.fields.items()})
        for entry in run.entries
    ]  # fmt: skip
    summary = {**run.summary, "faults": {HOSTILE: 1}, "attacks": {HOSTILE: 2}, "refusals": {HOSTILE: 3},
               "bytes": {**run.summary["bytes"], "kinds": {HOSTILE: {"messages": 1, "bytes": 9}}},
               "scenario": HOSTILE, "seed": HOSTILE, "pending": HOSTILE}  # fmt: skip
    hostile = dataclasses.replace(run, entries=entries, summary=summary)
    made = page(hostile)
    ElementTree.fromstring(made.split("\n", 1)[1])
    assert "<script" not in made and "<img" not in made and "\x00" not in made and "\x1b" not in made
    assert made.count("&lt;script&gt;") > 5 and "\u202e" not in made
    json.dumps(timeline(tell(run.plan, entries)))


def test_what_learners_wrote_is_not_in_the_report(run: Run) -> None:
    made = page(run)
    assert run.texts and not any(one[20:60] in made for one in run.texts if len(one) > 60)


def test_the_timeline_has_every_docking_and_every_fault(run: Run, tmp_path: Path) -> None:
    write_files(tell(run.plan, run.entries), run.summary, tmp_path)
    assert (tmp_path / REPORT).read_text().startswith("<!DOCTYPE html>")
    events = json.loads((tmp_path / TIMELINE).read_text())["traceEvents"]
    spans = [one for one in events if one["ph"] == "X"]
    story = tell(run.plan, run.entries)
    tracks = {one["args"]["name"]: one["tid"] for one in events if one["ph"] == "M"}
    assert sum(one["tid"] == tracks["bay0"] for one in spans) == sum(one.seated_ms is not None for one in story.visits)
    assert sum(one["tid"] == tracks["faults"] for one in spans) == len(story.faults)


def test_the_answer_says_what_a_planner_asks(run: Run) -> None:
    said = answer(run.summary, tell(run.plan, run.entries))
    visits = run.summary["dockings"]["visits"]
    assert f"3 learners came {visits} times to 1 dock in 1 day." in said
    assert "nobody gave up" in said and "with every recipient at the end" in said


def test_a_run_in_which_nothing_happens_has_a_report_too(run: Run) -> None:
    story = tell(run.plan, [])
    nothing = {**run.summary, "measures": dict.fromkeys(run.summary["measures"]), "times_h": {}, "faults": {}}
    dockings = {**run.summary["dockings"], "seated": 0, "visits": 0}
    made = render(story, {**nothing, "dockings": dockings}, "", (), Path("."))
    assert "none was decided" in text(made)
    assert pictures.parts(story) is None


def test_a_month_with_many_dockings_stays_small(run: Run) -> None:
    story = tell(run.plan, run.entries)
    visit = next(one for one in story.visits if one.seated_ms is not None)
    story.visits = [
        dataclasses.replace(visit, id=f"v{at}", arrived_ms=at, seated_ms=at, settled_ms=at + 10, over_ms=at + 20)
        for at in range(0, story.until_ms, 4_000)
    ]
    picture = pictures.docks(story, 0, story.until_ms, "docks", "Many")
    assert len(story.visits) > 20_000 and len(picture.svg()) < 1_000_000


def test_axes_and_ticks() -> None:
    assert Axis(0, 10, 100, 200).at(5) == 150 and Axis(1, 100, 0, 2, log=True).at(10) == 1
    assert Axis(0, 10, 0, 1).at(99) == 1, "what lies outside stands at the end"
    assert [tick.label for tick in time_ticks(0, 3 * 86_400_000)] == ["Fri 0", "Sat 1", "Sun 2"]
    assert "12:05" in [tick.label for tick in time_ticks(43_200_000, 43_200_000 + 3_600_000)]
    assert [int(tick.value) for tick in whole_ticks(17)] == [0, 5, 10, 15]
    assert not re.search("[<>\"']", plain("<a b='c' d=\"e\">"))
