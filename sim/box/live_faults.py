"""Live run -> here -> processes and wires: the faults of a plan that can be done to real ones, as near as it goes.

Every one begins in a docking: those of a wire before the device is seated, the others a moment after. What must end is
undone by a timer, or when everything heals. Times are cut down: nobody waits a virtual hour here.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sim.box.plan import Event
from sim.processes import Child, DidNotStart
from sim.wing import Learner

if TYPE_CHECKING:
    from sim.box.live import Live

MS_MAX = 1500  # that a wire is away, or a process stopped or gone
LATENCY_MS_MAX = 200
SIDE_OF_HUB = "a"
LINE = {"up": "ba", "down": "ab"}  # the hub is on side a of the wire

Do = Callable[["Live", Learner, Event], None]


class Later:
    """Calls that come so much later, each once: by their timer, or all of them at `now`."""

    def __init__(self, failed: Callable[[str], object]) -> None:
        self._failed = failed
        self._calls: list[tuple[threading.Timer, Callable[[], object], bool]] = []
        self._turn = threading.Lock()  # nothing is started by two at once

    def after(self, s: float, call: Callable[[], object], always: bool = False) -> None:
        """`always`: also when the run is broken off, and everything else is dropped."""
        left = [call]

        def once() -> None:
            with self._turn:
                try:
                    while left:
                        left.pop()()
                except (OSError, DidNotStart) as error:
                    self._failed(f"{type(error).__name__}: {error}")

        timer = threading.Timer(s, once)
        self._calls.append((timer, once, always))
        timer.start()

    def now(self, all_of_them: bool = True) -> None:
        """Whatever has not been done is done, or dropped; nothing comes later any more."""
        while self._calls:
            timer, once, always = self._calls.pop(0)
            timer.cancel()
            timer.join()
            if all_of_them or always:
                once()


def seconds(event: Event, name: str) -> float:
    """An argument in ms, cut down, in seconds."""
    return min(MS_MAX, int(event.args[name])) / 1000


def rate(event: Event, name: str) -> float:
    return 1 / int(event.args[name])


def _yank(live: Live, learner: Learner, event: Event) -> None:
    line = LINE[str(event.args["direction"])]
    at = learner.wire.counters()[line]["crossed"] + max(1, int(event.args["byte"]))
    learner.wire.cut(line, at, "lift", seconds(event, "away_ms"))


def _half_open(live: Live, learner: Learner, event: Event) -> None:
    line = LINE[str(event.args["direction"])]
    learner.wire.lift(line)
    live.later.after(seconds(event, "ms"), lambda: learner.wire.seat(line) if learner.seated else None)


def _bounce(live: Live, learner: Learner, event: Event) -> None:
    """The adapter of the hub's port vanishes and comes back."""
    learner.wire.hangup(SIDE_OF_HUB, seconds(event, "gap_ms"))


def _bay_dead(live: Live, learner: Learner, event: Event) -> None:
    learner.wire.hangup(SIDE_OF_HUB, seconds(event, "ms"))


def _bit_flip(live: Live, learner: Learner, event: Event) -> None:
    live.disturb(learner, ber=rate(event, "one_in_bits"))


def _byte_drop(live: Live, learner: Learner, event: Event) -> None:
    live.disturb(learner, lose=rate(event, "one_in_bytes"))


def _byte_insert(live: Live, learner: Learner, event: Event) -> None:
    live.disturb(learner, insert=rate(event, "one_in_bytes"))


def _glue(live: Live, learner: Learner, event: Event) -> None:
    live.disturb(learner, latency_s=min(LATENCY_MS_MAX, int(event.args["ms"])) / 1000)


def _device_cut(live: Live, learner: Learner, event: Event) -> None:
    if learner.device is not None:
        learner.device.kill()
        live.later.after(MS_MAX / 1000, lambda: live.device_on(learner))


def _device_stopped(live: Live, learner: Learner, event: Event) -> None:
    if learner.device is not None:
        stop(live, learner.device.process.pid, seconds(event, "ms"))


def _hub_crash(live: Live, learner: Learner, event: Event) -> None:
    if live.wing.hub is not None:
        live.wing.hub.kill()
        live.later.after(seconds(event, "down_ms") if "down_ms" in event.args else 0.0, live.hub_on)


def _hub_again(live: Live, learner: Learner, event: Event) -> None:
    """Killed; and once more when it is up again."""
    _hub_crash(live, learner, event)
    live.later.after(2 * MS_MAX / 1000, lambda: _hub_crash(live, learner, event))


def _hub_stopped(live: Live, learner: Learner, event: Event) -> None:
    if live.wing.hub is not None:
        stop(live, live.wing.hub.process.pid, seconds(event, "ms"))


def _broker_killed(live: Live, learner: Learner, event: Event) -> None:
    broker = broker_pid(live.wing.hub)
    if broker is not None:
        _send(broker, signal.SIGKILL)


def _broker_stopped(live: Live, learner: Learner, event: Event) -> None:
    broker = broker_pid(live.wing.hub)
    if broker is not None:
        stop(live, broker, seconds(event, "ms"))


BEFORE: dict[str, Do] = {  # the device is seated
    "wire.yank": _yank,
    "wire.bit_flip": _bit_flip,
    "wire.byte_drop": _byte_drop,
    "wire.byte_insert": _byte_insert,
    "wire.glue": _glue,
}
WITHIN: dict[str, Do] = {
    "wire.half_open": _half_open,
    "wire.stall": _device_stopped,
    "wire.bounce": _bounce,
    "power.device_cut": _device_cut,
    "power.brown_out": _device_cut,
    "flash.slow_erase": _device_stopped,
    "hub.crash": _hub_crash,
    "hub.power_cut": _hub_crash,
    "hub.restart_loop": _hub_again,
    "hub.stall": _hub_stopped,
    "hub.bay_dead": _bay_dead,
    "disk.slow_sync": _hub_stopped,
    "broker.restart": _broker_killed,
    "broker.delayed_puback": _broker_stopped,
}


def stop(live: Live, pid: int, s: float) -> None:
    """SIGSTOP, and SIGCONT so much later."""
    _send(pid, signal.SIGSTOP)
    live.later.after(s, lambda: _send(pid, signal.SIGCONT), always=True)


def _send(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def broker_pid(hub: Child | None) -> int | None:
    """The hub's mosquitto; None where the broker lives inside of the hub, or there is no hub."""
    if hub is None:
        return None
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError, ValueError):
                name, rest = (entry / "stat").read_text().rsplit(")", 1)
                if name.endswith("(mosquitto") and int(rest.split()[1]) == hub.process.pid:
                    return int(entry.name)
    return None
