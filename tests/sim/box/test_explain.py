"""The way of one message in words, from a run's directory alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sim.box import command
from sim.box.explain import NoSuchMessage, explain
from sim.box.trace import Entry
from tests.sim.box.tiny_runs import Run, tiny_run


@pytest.fixture(scope="module")
def run() -> Run:
    return tiny_run()


def first_seen(run: Run) -> str:
    """A message that somebody else opened."""
    writers = {str(entry.fields["item"]): entry.who for entry in run.entries if entry.kind == "saved"}
    read = [entry for entry in run.entries if entry.kind == "read_by"]
    return next(str(one.fields["item"]) for one in read if writers[str(one.fields["item"])] != one.who)


def test_the_whole_way_is_told_in_its_order(run: Run) -> None:
    lines = explain(run.plan, run.entries, first_seen(run))
    said = "\n".join(lines)
    stages = ("saves it", "comes to the docks", "in the hub's custody", "in the queue", "is dealt to", "is approved by",
              "is delivered to", "is seen by")  # fmt: skip
    places = [said.index(words) for words in stages]
    assert places == sorted(places)
    moments = re.findall(r"^  (day \d+ [0-9:]+)", said, re.MULTILINE)
    assert len(moments) == len(lines) - 2 and moments == sorted(moments)
    assert re.search(r"It was delivered to \d devices? and seen on \d of them, first .* after it was written\.", said)


def test_every_message_of_a_run_can_be_explained(run: Run) -> None:
    names = [str(entry.fields["item"]) for entry in run.entries if entry.kind == "saved"]
    assert len(names) > 3
    for name in names:
        assert explain(run.plan, run.entries, name)[0].startswith(f"{name}: ")


def test_what_disturbed_it_is_told(run: Run) -> None:
    saved = next(entry for entry in run.entries if entry.kind == "saved")
    name = str(saved.fields["item"])
    at = saved.at_ms + 1000
    fault = [Entry(at, "fault", "hub", {"name": "hub.stall", "event": "e1"}),
             Entry(at + 5000, "fault_over", "hub", {"name": "hub.stall", "event": "e1"})]  # fmt: skip
    elsewhere = [Entry(at, "fault", "l999", {"name": "flash.full", "event": "e2"})]
    said = "\n".join(explain(run.plan, [saved, *fault, *elsewhere], name))
    assert "meanwhile: hub.stall at hub, for 5 s" in said and "flash.full" not in said
    assert said.endswith("It never left the device.")


def test_what_was_returned_was_shown_to_nobody(run: Run) -> None:
    saved = next(entry for entry in run.entries if entry.kind == "saved")
    item = {"item": str(saved.fields["item"])}
    entries = [saved, Entry(saved.at_ms + 1000, "custody", saved.who, item),
               Entry(saved.at_ms + 3000, "return", "m0", {**item, "detail": "ground 2 statement 00"})]  # fmt: skip
    lines = explain(run.plan, entries, item["item"])
    assert "is returned by m0" in lines[-2]
    assert lines[-1] == "It was decided 3 s after it was written, and nobody else was shown it."


def test_a_part_of_a_name_is_enough_where_only_one_has_it(run: Run) -> None:
    name = first_seen(run)
    assert explain(run.plan, run.entries, name[:-1])[0].startswith(name[:-1])
    with pytest.raises(NoSuchMessage, match="say which"):
        explain(run.plan, run.entries, "l0")
    with pytest.raises(NoSuchMessage, match="such as|did you mean"):
        explain(run.plan, run.entries, "l777.d99.write1")


def test_a_directory_is_enough(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "plan.toml").write_text(run.plan.dumps())
    (tmp_path / "trace.jsonl").write_text("".join(entry.line() + "\n" for entry in run.entries))
    assert command.main(["explain", first_seen(run), "--run", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines() == explain(run.plan, run.entries, first_seen(run))
    (tmp_path / "trace.jsonl").write_text("no trace\n")
    assert command.main(["explain", first_seen(run), "--run", str(tmp_path)]) == command.USAGE
    assert "line 1" in capsys.readouterr().err
    assert command.main(["explain", "x", "--run", str(tmp_path / "nowhere")]) == command.USAGE
