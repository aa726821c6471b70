"""Watching a wing: nothing about the run changes, keys do what they say, and a hostile text moves no cursor."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from sim.box import command, watch
from sim.box.attempt import attempt
from sim.box.running import run_plan
from sim.box.trace import Entry
from sim.box.watch import Pace, Stopped, as_lines, line
from sim.box.watch_view import Looks, draw
from sim.box.world import World
from tests.sim.box.tiny_runs import TINY, Run, tiny_run


@pytest.fixture(scope="module")
def run() -> Run:
    return tiny_run()


def test_a_run_that_is_watched_is_the_same_run(run: Run) -> None:
    views: list[str] = []

    def before(world: World) -> None:
        looks = Looks(world)

        def look() -> None:
            if world.docks.seated or world.kernel.now < 1000:
                console = Console(file=io.StringIO(), width=90)
                console.print(draw(looks, 600, False))
                views.append(console.file.getvalue())  # type: ignore[attr-defined]

        pace = Pace(0)
        pace.watch(world, look, lambda seconds: "")
        pace.step_ms = lambda hurries: 2000  # type: ignore[method-assign]

    made = attempt(run.plan, 100, before=before)
    assert made.digest == run.outcome.digest
    assert "Fri day 0  00:00:00" in views[0] and "nobody waits" in views[0] and "off (no decisions)" in views[0]
    docked = next(view for view in views if "l00" in view and "bay0" in view and " kB" in view)
    assert "perch sim watch" in docked and "on shift" in docked


def test_without_a_terminal_there_is_a_line_for_each_thing(run: Run) -> None:
    out = io.StringIO()
    pace = Pace(0, until_ms=15 * 3_600_000)
    with as_lines(pace, out) as before, pytest.raises(Stopped):
        run_plan(run.plan, before)
    lines = out.getvalue().splitlines()
    wanted = [line(one) for one in run.entries if one.kind in watch.SAID and one.at_ms <= pace.seen_ms]
    assert lines == wanted and any(" seat " in one for one in lines)


def test_the_command_ends_when_it_is_told_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    assert command.main(["watch", str(path), "--speed", "0", "--until", "day 0 10:02"]) == 0
    said = capsys.readouterr().out
    assert "Fri day 0 10:00:" in said and "watched until day 0 10:02" in said
    assert command.main(["watch", str(path), "--speed", "-1"]) == command.USAGE
    assert command.main(["watch", str(path), "--until", "tomorrow"]) == command.USAGE


def test_keys_change_the_speed_and_end_it() -> None:
    pace = Pace(600)
    pace.press("+")
    assert pace.speed == 1800
    pace.press("-")
    pace.press("-")
    assert pace.speed == 180
    pace.press(" ")
    assert pace.stopped
    pace.press("s")
    assert pace.skipping and not pace.stopped
    pace.press("x")
    with pytest.raises(Stopped):
        pace.press("q")


def test_speeds_have_ends() -> None:
    pace = Pace(100_000)
    pace.press("+")
    assert pace.speed == 100_000
    pace.speed = 1
    pace.press("-")
    assert pace.speed == 1 and pace.step_ms(False) == 100


def test_a_hostile_text_moves_no_cursor(run: Run) -> None:
    said = line(Entry(0, "fault", "hub", {"name": "\x1b[2J\x07wire", "waited_ms": 90_000, "empty": ""}))
    assert "\x1b" not in said and "\x07" not in said and "waited_ms=1.5 min" in said and "empty" not in said
    with World(run.plan) as world:
        looks = Looks(world)
        world.trace.add("fault", "hub", name="\x1b[2Jx")
        console = Console(file=io.StringIO(), width=90)
        console.print(draw(looks, 1, True))
        shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "\x1b" not in shown and "stopped" in shown and "[2Jx at hub" in shown
