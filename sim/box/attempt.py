"""Command, campaign, shrinking -> here -> running: one run of a plan, bounded in wall-clock time, and what came of it.

An exception that nobody handles is a failure like any other: its invariant is "crash" with the place of the mistake, or
"simulator" where the mistake is in sim/ itself. The clock of this machine is looked at between two calls of the kernel
and nowhere else: a run that is ended was never interrupted in the middle of anything, and any other run does not know
that there was a limit.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sim.box.devices import MakeCore, in_this_process
from sim.box.flash import PowerCut
from sim.box.kernel import DAY_MS
from sim.box.plan import Plan
from sim.box.running import Look, run_plan
from sim.box.trace import Entry
from sim.box.world import Outcome, World

CRASH, SIMULATOR = "crash", "simulator"
ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("protocol", "firmware", "hub_daemon", "sim")
FRAMES_SHOWN_MAX = 6

Progress = Callable[[float, int], None]  # days of the world so far, kernel calls so far


class OutOfTime(Exception):
    """The run took longer on this machine than it was allowed to."""


class _Seen(Exception):
    """What was waited for has failed."""


@dataclass
class Attempt:
    """One run that came to an end. `seconds` is this machine's time; `entries` the whole trace."""

    plan: Plan
    outcome: Outcome
    seconds: float
    calls: int
    entries: list[Entry] = field(repr=False)

    @property
    def digest(self) -> str:
        return self.outcome.digest

    @property
    def invariants(self) -> list[str]:
        """The names of what was broken, each once, the first one first."""
        return list(dict.fromkeys(invariant for invariant, _ in self.outcome.failures))

    @property
    def broken(self) -> bool:
        """Whether the simulator itself failed."""
        return any(invariant.startswith(SIMULATOR) for invariant in self.invariants)


def attempt(
    plan: Plan,
    seconds_max: float | None = None,
    before: Look = lambda world: None,
    after: Look = lambda world: None,
    progress: Progress = lambda days, calls: None,
    wanted: str = "",
    secrets: bool = False,
    make_core: MakeCore = in_this_process,
) -> Attempt:
    """Run the plan. `after` is not called when the run crashed: then there is no whole world to be shown.

    When `wanted`, an invariant, has failed, the run is over: for whoever asks for nothing else.
    `secrets` looks for plaintext and for nonces used twice as well, which takes time. `make_core` is how devices run.
    Raises OutOfTime after `seconds_max` of wall-clock time.
    """
    started = time.monotonic()
    worlds: list[World] = []

    def between() -> None:
        kernel = worlds[0].kernel
        progress(kernel.now / DAY_MS, kernel.calls)
        if seconds_max is not None and time.monotonic() - started > seconds_max:
            raise OutOfTime(f"the run was on day {kernel.now // DAY_MS} after {seconds_max:.0f} s and was ended")
        if wanted and any(invariant == wanted for invariant, _ in worlds[0].failures):
            raise _Seen

    def begin(world: World) -> None:
        worlds.append(world)
        world.kernel.between = between
        before(world)

    try:
        outcome = run_plan(plan, begin, after, make_core, secrets)
    except OutOfTime:
        raise
    except _Seen:
        trace = worlds[0].trace
        outcome = Outcome(trace.digest(), trace.semantic_digest(), list(worlds[0].failures))
    except (Exception, PowerCut) as error:
        if not worlds:
            raise  # it is not the run that failed: there was none
        outcome = _crashed(worlds[0], error)
    world = worlds[0]
    return Attempt(plan, outcome, time.monotonic() - started, world.kernel.calls, world.trace.entries)


def _crashed(world: World, error: BaseException) -> Outcome:
    """The outcome of a run that an exception ended: what had failed before counts too."""
    frames = [
        (Path(frame.filename).relative_to(ROOT), frame)
        for frame in traceback.extract_tb(error.__traceback__)
        if any(Path(frame.filename).is_relative_to(ROOT / room) for room in ROOMS)
    ]
    where = [f"{path}:{frame.lineno} {frame.name}" for path, frame in frames]
    family = SIMULATOR if not frames or frames[-1][0].parts[0] == "sim" else CRASH
    place = frames[-1][1].name if frames else "elsewhere"
    called = " < ".join(reversed(where[-FRAMES_SHOWN_MAX:]))
    world.fail(f"{family}.{type(error).__name__}.{place}", f"{type(error).__name__}: {error} in {called}")
    return Outcome(world.trace.digest(), world.trace.semantic_digest(), list(world.failures))


def first_difference(one: list[Entry], other: list[Entry]) -> tuple[int, Entry | None, Entry | None] | None:
    """(place, entry of the first, entry of the second) where two traces differ first; None when they are equal."""
    for place in range(max(len(one), len(other))):
        first = one[place] if place < len(one) else None
        second = other[place] if place < len(other) else None
        if first is None or second is None or first.line() != second.line():
            return place, first, second
    return None
