"""perch wire, what the installer sees: a live view on a terminal, a line every few seconds elsewhere.

`draw` is pure, from a `State` to something rich can print. It fits 80 columns, and every colour has its word.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from hub_daemon.wire_figures import Course
from hub_daemon.wire_verdict import amount, judge

DRAW_S = 0.25
LINE_S = 5.0
SPARK_CELLS = 20
BAR_CELLS = 30
BLOCKS = "▁▂▃▄▅▆▇█"
PLAIN_BLOCKS = "_.-=+*%#"
STYLES = {"good": "green", "usable": "green", "worn": "yellow", "bad": "red", "unknown": "yellow"}


@dataclass
class State:
    """What is to be shown. `figures` as in hub_daemon.wire_figures; `share` 0 to 1, None where the end is not known."""

    title: str
    words: str
    elapsed_s: float
    baud: int
    figures: dict[str, Any]
    course: Course
    share: float | None = None
    done: str = ""
    remaining_s: float | None = None
    connected: bool = False
    loop: bool = False  # one end alone: what comes in is what went out
    alarms: list[str] = field(default_factory=list)


def spark(rates: Iterable[float], most: float, cells: int = SPARK_CELLS, plain: bool = False) -> str:
    """The course as blocks, the newest right; one cell is the mean of what falls into it."""
    blocks = PLAIN_BLOCKS if plain else BLOCKS
    values = list(rates)
    if not values:
        return ""
    size = max(1, -(-len(values) // cells))
    # whole cells counted from the right, so that old ones do not flicker
    groups = [values[max(0, end - size) : end] for end in range(len(values), 0, -size)][::-1]
    top = max(most, *values, 1e-9)
    return "".join(blocks[min(7, max(0, int(8 * sum(group) / len(group) / top)))] for group in groups)


def clock_words(seconds: float) -> str:
    minutes, left = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def rate_words(rate: float, baud: int) -> str:
    return f"{amount(round(rate))}/s {rate * 10 / baud:4.0%}"


def tally(figures: dict[str, Any], course: Course, name: str, counts_of: str = "") -> str:
    """A count in sum, and what the last second added; a dash where it is not known yet."""
    if name not in figures:
        return "-"
    now = course.a_second(counts_of or name)
    return f"{figures[name]:,}" + (f"  (now {now:.0f} a second)" if now >= 0.5 else "")


def draw(state: State, plain: bool = False) -> RenderableType:
    """The live view; `plain` for a terminal without Unicode."""
    head = Table.grid(expand=True)
    head.add_column()
    head.add_column(justify="right")
    head.add_row(Text(state.title, style="bold", overflow="crop", no_wrap=True), clock_words(state.elapsed_s))
    parts: list[RenderableType] = [head, Text(state.words, style="green" if state.connected else "yellow")]
    if state.share is not None:
        filled = round(state.share * BAR_CELLS)
        full, empty = ("#", ".") if plain else ("━", "─")
        left = f", {clock_words(state.remaining_s)} left" if state.remaining_s is not None else ""
        parts.append(Text(f"{full * filled}{empty * (BAR_CELLS - filled)} {state.share:4.0%}  {state.done}{left}"))
    parts += [_loop_table(state, plain) if state.loop else _table(state, plain), _foot(state)]
    parts += [Text(f"! {alarm}", style="red") for alarm in state.alarms]
    parts.append(Text("Ctrl-C ends it with a summary.", style="dim"))
    return Group(*parts)


def _grid(titles: tuple[str, ...]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=True, header_style="bold", expand=False)
    table.add_column("", width=14, no_wrap=True)
    for title in titles:
        table.add_column(title, width=31, no_wrap=True, overflow="crop")
    return table


def _table(state: State, plain: bool) -> Table:
    figures, course = state.figures, state.course
    table = _grid(("to this end", "to the other end"))
    line = state.baud / 10
    table.add_row(
        "rate now",
        rate_words(course.a_second("bytes_received"), state.baud),
        rate_words(course.a_second("bytes_sent"), state.baud),
    )
    table.add_row("last minute", *(spark(rates, line, plain=plain) for rates in course.rates.values()))
    for word, name in (("repaired", "repaired"), ("damaged", "damaged")):
        table.add_row(word, tally(figures, course, name), tally(figures, course, "peer_" + name))
    table.add_row("sent again", tally(figures, course, "peer_resent"), tally(figures, course, "resent"))
    sizes = [f"{figures[name]:,} bytes" if figures.get(name) else "-" for name in ("peer_frame_bytes", "frame_bytes")]
    table.add_row("frame size", *sizes)
    return table


def _loop_table(state: State, plain: bool) -> Table:
    figures, course = state.figures, state.course
    table = _grid(("out and back",))
    table.add_row("rate now", rate_words(course.a_second("bytes_received"), state.baud))
    table.add_row("last minute", spark(course.rates["bytes_received"], state.baud / 10, plain=plain))
    for word in ("repaired", "damaged"):
        table.add_row(word, tally(figures, course, word))
    table.add_row("did not return", tally(figures, course, "missing"))
    return table


def _foot(state: State) -> Table:
    figures = state.figures
    table = Table(box=None, pad_edge=False, show_header=False, expand=False)
    table.add_column(width=14, no_wrap=True)
    table.add_column(width=64)
    table.add_row("round trip", round_trip_words(figures))
    table.add_row("the plug", plug_words(figures))
    verdict = judge(figures)
    table.add_row("so far", Text(verdict.sentence, style=STYLES[verdict.word]))
    return table


def round_trip_words(figures: dict[str, Any]) -> str:
    """Now, least and most; and that of the idle line, where it was measured."""
    if figures.get("round_trip_ms", -1) < 0:
        return "not known yet"
    least, most = figures["round_trip_ms_min"], figures["round_trip_ms_max"]
    words = f"{figures['round_trip_ms']} ms now, {least} least, {most} most"
    if "idle_round_trip_ms" in figures:
        words += f"; idle {figures['idle_round_trip_ms']:.1f} ms"
    return words


def plug_words(figures: dict[str, Any]) -> str:
    """Hang-ups of both ends, how long they took, and how often the connection was made."""
    words = f"{figures.get('hangups', 0)} hang-ups here"
    if "peer_hangups" in figures:
        words += f", {figures['peer_hangups']} there"
    away = figures.get("down_ms", 0) + figures.get("peer_down_ms", 0)
    if away:
        words += f", {away / 1000:.1f} s away"
    sessions = figures.get("sessions", 0)
    if sessions:
        words += f"; {sessions} session{'s' if sessions > 1 else ''}"
    if figures.get("silences"):
        words += f"; {figures['silences']} silences"
    return words


def line(state: State) -> str:
    """The view in one line, for a log."""
    figures, course = state.figures, state.course
    share = f" {state.share:.0%}," if state.share is not None else ""
    rates = f"in {rate_words(course.a_second('bytes_received'), state.baud)}"
    if not state.loop:
        rates += f", out {rate_words(course.a_second('bytes_sent'), state.baud)}"
    both = {name: figures.get(name, 0) + figures.get("peer_" + name, 0) for name in ("repaired", "damaged", "resent")}
    return (
        f"{clock_words(state.elapsed_s)} {state.words}{share} {rates}, {both['repaired']} repaired, "
        f"{both['damaged']} damaged, {both['resent']} sent again, {figures.get('yanks', 0)} hang-ups"
    )


class View:
    """Shows a run on `console`: live on a terminal, else by lines; `quiet` leaves the lines out, never the alarms."""

    def __init__(self, console: Console, quiet: bool) -> None:
        self._console = console
        self._plain = not console.encoding.lower().startswith("utf")
        self._quiet = quiet
        self._live: Live | None = None
        self._due_s = -1.0
        self._line_s = LINE_S
        self._said = ""

    def __enter__(self) -> View:
        if self._console.is_terminal:
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def due(self, now_s: float) -> bool:
        """Whether it is time for `show`: what is shown is not made for nothing."""
        if now_s < self._due_s:
            return False
        self._due_s = now_s + DRAW_S
        return True

    def show(self, state: State) -> None:
        if self._live is not None:
            self._live.update(draw(state, self._plain), refresh=True)
            return
        for alarm in state.alarms:
            if alarm[:40] != self._said[:40]:  # its numbers grow, its words stay
                self._said = alarm
                self._console.print(f"perch wire: {alarm}", highlight=False, markup=False)
        if not state.alarms:
            self._said = ""
        if not self._quiet and state.elapsed_s >= self._line_s:
            self._line_s = state.elapsed_s + LINE_S
            self._console.print(line(state), highlight=False, markup=False, soft_wrap=True)
