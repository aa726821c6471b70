"""perch wire's live view: at 80 columns, without colour, without Unicode, and on something that is no terminal."""

import io
from typing import Any

import pytest
from rich.console import Console

from hub_daemon.wire_figures import LAST_S, Course
from hub_daemon.wire_view import DRAW_S, LINE_S, State, View, draw, line, spark

FIGURES: dict[str, Any] = {
    "bytes_received": 0, "bytes_sent": 0, "peer_bytes_received": 1_000_000, "frames": 2000, "peer_frames": 2000,
    "repaired": 3, "peer_repaired": 1_234_567, "damaged": 0, "peer_damaged": 140, "resent": 17, "peer_resent": 0,
    "frame_bytes": 1024, "peer_frame_bytes": 4096, "hangups": 2, "peer_hangups": 1, "down_ms": 1300,
    "peer_down_ms": 200, "yanks": 3, "sessions": 1, "silences": 1, "round_trip_ms": 12, "round_trip_ms_min": 3,
    "round_trip_ms_max": 48, "idle_round_trip_ms": 2.1,
}  # fmt: skip


def state(**more: Any) -> State:
    """Ten seconds of 3 Mbaud, a hundred repaired frames a second at the other end."""
    course = Course()
    figures = dict(FIGURES)
    for second in range(11):
        course.look(second * 1000, figures)
        figures["bytes_received"] += 150_000
        figures["bytes_sent"] += 291_000
        figures["peer_repaired"] += 100
    found = {
        "title": "perch wire check  3,000,000 baud  /dev/serial/by-path/platform-fd500000.pcie-usb-0:1.3:1.0",
        "words": "checking: bytes in both directions", "elapsed_s": 3671.0, "baud": 3_000_000, "figures": figures,
        "course": course, "share": 0.7, "done": "38.8 MB", "remaining_s": 30.0, "connected": True,
        "alarms": ["not one byte arrived in 5 s: the other end is not started, or there is no ground."],
    }  # fmt: skip
    return State(**{**found, **more})


def drawn(what: State, plain: bool = False, **console: Any) -> str:
    out = io.StringIO()
    screen = Console(width=80, file=out, record=True, **console)
    screen.print(draw(what, plain))
    recorded = screen.export_text(styles=False)
    return out.getvalue() if screen.is_terminal else recorded


def test_the_live_view_says_everything_at_80_columns() -> None:
    text = drawn(state())
    assert max(len(row) for row in text.splitlines()) <= 80
    for words in (
        "perch wire check  3,000,000 baud", "1:01:11", "checking: bytes in both directions", "70%",
        "38.8 MB, 0:30 left",
        "to this end", "to the other end", "150.0 kB/s  50%", "291.0 kB/s  97%", "1,235,667  (now 100 a second)",
        "4,096 bytes", "1,024 bytes", "12 ms now, 3 least, 48 most; idle 2.1 ms",
        "2 hang-ups here, 1 there, 1.5 s away; 1 session; 1 silences", "The wire is bad", "check the plug",
        "! not one byte arrived", "Ctrl-C",
    ):  # fmt: skip
        assert words in " ".join(text.split()) or words in text, (words, text)
    assert "▅" in text and "█" in text


def test_without_colour_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    coloured = drawn(state(), force_terminal=True, color_system="standard")
    assert "\x1b[31m" in coloured
    monkeypatch.setenv("NO_COLOR", "1")
    bare = drawn(state(), force_terminal=True, color_system="standard")
    assert "\x1b[3" not in bare and drawn(state()) == drawn(state(), no_color=True)


def test_without_unicode_the_view_is_ascii() -> None:
    drawn(state(), plain=True).encode("ascii")
    ascii_terminal = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    console = Console(file=ascii_terminal, force_terminal=True, width=80)
    with View(console, quiet=False) as view:
        view.show(state())
    ascii_terminal.flush()


def test_a_loop_has_one_direction_and_says_what_did_not_return() -> None:
    text = drawn(state(loop=True, figures={**FIGURES, "missing": 5}))
    assert "out and back" in text and "did not return" in text and "to the other end" not in text


def test_figures_that_are_not_known_yet_are_dashes() -> None:
    text = drawn(state(figures={"repaired": 0, "damaged": 0, "round_trip_ms": -1}, course=Course(), share=None))
    assert "-" in text and "not known yet" in text and "nothing is known of the wire" in text


def test_elsewhere_a_line_comes_every_few_seconds_and_an_alarm_once() -> None:
    out = io.StringIO()
    with View(Console(file=out, width=200), quiet=False) as view:
        for quarter in range(int(4 * (2 * LINE_S + 1))):
            view.show(state(elapsed_s=quarter / 4, alarms=[f"the port is gone: its adapter was unplugged, {quarter}"]))
    said = out.getvalue().splitlines()
    assert len(said) == 3 and said[0].startswith("perch wire: the port is gone"), said
    assert "checking" in said[1] and "repaired" in said[1]


def test_with_json_only_alarms_are_said_beside_it() -> None:
    out = io.StringIO()
    with View(Console(file=out, width=200), quiet=True) as view:
        for second in range(30):
            view.show(state(elapsed_s=float(second), alarms=["the port is gone"] if second in (5, 6, 20) else []))
    assert out.getvalue().splitlines() == ["perch wire: the port is gone"] * 2


def test_a_view_is_due_a_few_times_a_second() -> None:
    view = View(Console(file=io.StringIO()), quiet=False)
    due = [view.due(ms / 1000) for ms in range(0, 1000)]
    assert sum(due) == 1 / DRAW_S


def test_the_course_tells_a_second_from_the_sum_and_forgets_after_a_minute() -> None:
    course = Course()
    for second in range(LAST_S + 20):
        seen = {"bytes_received": second * 500, "repaired": second, "port": "a"}
        assert course.look(second * 1000, seen) == (second > 0)
        assert not course.look(second * 1000 + 400, {"bytes_received": 10**9})
    assert course.a_second("repaired") == 1 and course.a_second("bytes_received") == 500
    assert list(course.rates["bytes_received"]) == [500] * LAST_S
    course.look((LAST_S + 30) * 1000, {"bytes_received": 7, "repaired": 0})  # the other end was started again
    assert course.a_second("bytes_received") == 0


def test_a_spark_is_highest_at_the_line_rate_and_never_wider_than_its_cells() -> None:
    assert spark([0, 50, 100], 100) == "▁▅█" and spark([0, 50, 100], 100, plain=True) == "_+#"
    assert spark([200, 100], 100)[0] == "█" and spark([], 100) == "" and spark([0.0], 0.0) == "▁"
    for count in range(1, 130):
        assert len(spark([1.0] * count, 1.0)) <= 20
    assert spark([0.0] * 40 + [100.0] * 20, 100)[-1] == "█" and spark([0.0] * 40 + [100.0] * 20, 100)[0] == "▁"


def test_the_line_counts_both_ends() -> None:
    said = line(state())
    assert "1:01:11" in said and "1235670 repaired, 140 damaged, 17 sent again, 3 hang-ups" in said
    assert "out" not in line(state(loop=True)).split("sent again")[0].replace("out and back", "")
