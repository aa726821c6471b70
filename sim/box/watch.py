"""`perch sim watch` -> here -> terminal: the wing as it runs, one row for each bay, at any speed.

A call of the world's own kernel looks and waits, some times in each second of this machine: the run is the one that
`perch sim run` makes, to the last entry. Without a terminal there is a line for each thing that happens at the docks,
at the staff page and to the hub. Keys: + and - change the speed, space stops and goes on, s skips to the next docking,
q ends.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from typing import TextIO

from rich.console import Console
from rich.live import Live

from sim.box.command import FAILED, OK, Parser
from sim.box.phrases import lasts, moment, weekday
from sim.box.planning import make_plan
from sim.box.running import run_plan
from sim.box.scenario import Scenario
from sim.box.trace import Entry
from sim.box.values import moment_ms
from sim.box.watch_view import Looks, draw
from sim.box.world import World

FRAMES_A_S = 10
SPEEDS = (1.0, 3.0, 10.0, 30.0, 60.0, 180.0, 600.0, 1800.0, 6000.0, 20000.0, 100000.0)
SPEED_MAX = 1_000_000.0
HURRY_MS = 30_000  # of the world from one look to the next where nothing waits
SAID = ("seat", "settled", "lift", "give_up", "custody", "approve", "return", "reject", "recall", "fault", "fault_over",
        "failure", "hub_off", "device_off", "healed", "settled_wing")  # fmt: skip


class Stopped(Exception):
    """Whoever watches has seen enough."""


def command(arguments: list[str]) -> int:
    """`perch sim watch SCENARIO --seed N --speed 600`."""
    parser = Parser("watch")
    parser.add_argument("scenario", help="the name of a bundled scenario, or the path of a .toml file")
    parser.add_argument("--seed", default="1", help="any text; the same seed makes the same run (default 1)")
    parser.add_argument("--speed", type=float, default=600.0, help="seconds of the wing in one of yours; 0: no waiting")
    parser.add_argument("--from", dest="start", help='hurry to this time first, for example "day 1 11:58"')
    parser.add_argument("--until", help="end at this time")
    options = parser.parse_args(arguments)
    if not 0 <= options.speed <= SPEED_MAX:
        parser.error(f"--speed: allowed is 0 to {SPEED_MAX:.0f}")
    try:
        start, until = (None if one is None else moment_ms(one) for one in (options.start, options.until))
    except ValueError as error:
        parser.error(str(error))
    plan = make_plan(Scenario.load(options.scenario), options.seed)
    pace = Pace(options.speed, start or 0, until)
    shown = on_terminal if sys.stdout.isatty() else as_lines
    with shown(pace) as before, contextlib.suppress(Stopped):
        run_plan(plan, before)
    for invariant, words in pace.failures[:5]:
        print(f"FAILED {invariant}: {words}")
    print(f"watched until {moment(pace.seen_ms)}")
    return FAILED if pace.failures else OK


class Pace:
    """How fast the world goes. `speed` 0 does not wait; before `start_ms` nothing waits; `until_ms` ends it."""

    def __init__(self, speed: float, start_ms: int = 0, until_ms: int | None = None) -> None:
        self.speed = speed
        self.start_ms = start_ms
        self.until_ms = until_ms
        self.stopped = False  # the clock of the wing stands
        self.skipping = False  # until somebody is at a dock
        self.seen_ms = 0
        self.failures: list[tuple[str, str]] = []
        self._due = time.monotonic()

    def watch(self, world: World, look: Callable[[], None], key: Callable[[float], str]) -> None:
        """Look at the world again and again: `look` shows it, `key(seconds)` waits so long for a key."""

        def step() -> None:
            now = world.kernel.now
            self.seen_ms, self.failures = now, world.failures
            if self.until_ms is not None and now >= self.until_ms:
                raise Stopped
            if self.skipping and (world.docks.seated or world.docks.line):
                self.skipping = False
            hurries = now < self.start_ms or self.skipping
            if not hurries:
                look()
            self._wait(hurries or self.speed == 0, look, key)
            world.kernel.after(self.step_ms(hurries), step)

        world.kernel.at(world.kernel.now, step)

    def step_ms(self, hurries: bool) -> int:
        """How much of the wing's time one look stands for."""
        return HURRY_MS if hurries or not self.speed else max(1, int(self.speed * 1000 / FRAMES_A_S))

    def _wait(self, not_at_all: bool, look: Callable[[], None], key: Callable[[float], str]) -> None:
        """Until this step's time is over, taking keys meanwhile; a stopped clock waits for a key."""
        self._due = max(self._due, time.monotonic() - 1)
        self._due += 0 if not_at_all else self.step_ms(False) / 1000 / self.speed
        while True:
            pressed = key(0.2 if self.stopped else max(0.0, self._due - time.monotonic()))
            if pressed:
                self.press(pressed)
                look()
            elif not self.stopped:
                return

    def press(self, pressed: str) -> None:
        if pressed == "q":
            raise Stopped
        if pressed == " ":
            self.stopped = not self.stopped
        elif pressed == "s":
            self.skipping, self.stopped = True, False
        elif pressed in "+=":
            self.speed = next((one for one in SPEEDS if one > self.speed), self.speed)
        elif pressed == "-":
            self.speed = next((one for one in reversed(SPEEDS) if one < self.speed), SPEEDS[0])
        self._due = time.monotonic()


@contextlib.contextmanager
def on_terminal(pace: Pace) -> Iterator[Callable[[World], None]]:
    """The live view; what is given is called with the world at its first instant."""
    console = Console()
    with _keys() as key, Live(console=console, screen=True, auto_refresh=False) as live:

        def before(world: World) -> None:
            looks = Looks(world)
            pace.watch(world, lambda: live.update(draw(looks, pace.speed, pace.stopped), refresh=True), key)

        yield before


@contextlib.contextmanager
def _keys() -> Iterator[Callable[[float], str]]:
    """A function that waits so many seconds for a key and gives it, or ""."""
    if not sys.stdin.isatty():
        yield _no_keys
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)

    def key(seconds: float) -> str:
        ready, _, _ = select.select([descriptor], [], [], seconds)
        return os.read(descriptor, 1).decode("ascii", "replace") if ready else ""

    try:
        tty.setcbreak(descriptor)
        yield key
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _no_keys(seconds: float) -> str:
    if seconds > 0:
        time.sleep(seconds)
    return ""


@contextlib.contextmanager
def as_lines(pace: Pace, out: TextIO | None = None) -> Iterator[Callable[[World], None]]:
    """One line for each thing that happens."""
    stream = out or sys.stdout

    def before(world: World) -> None:
        def told(entry: Entry) -> None:
            if entry.kind in SAID and entry.at_ms >= pace.start_ms:
                print(line(entry), file=stream, flush=True)

        world.trace.listeners.append(told)
        pace.watch(world, lambda: None, _no_keys)

    yield before


def line(entry: Entry) -> str:
    """"Fri day 0 12:00:08 seat    l022 docking=l022.d00.dock1 bay=bay0"."""
    said = [(name, value) for name, value in entry.fields.items() if value not in ("", None)]
    fields = " ".join(f"{name}={_value(name, value)}" for name, value in said)
    return f"{weekday(entry.at_ms)} {moment(entry.at_ms, True)} {entry.kind:<8} {entry.who} {fields}".rstrip()


def _value(name: str, value: object) -> str:
    if name == "detail":
        value = re.sub(r"statement [0-9a-f]+ ?", "", str(value))
    said = lasts(value / 1000) if name.endswith("_ms") and isinstance(value, int) and value >= 0 else str(value)
    return "".join(one if one.isprintable() else "?" for one in said)
