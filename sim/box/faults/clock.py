"""Faults of clocks: those of devices drift, go back, go ahead, forget the date or wrap; that of the hub steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.box.faults.fault import Fault, device
from sim.box.plan import Event

if TYPE_CHECKING:
    from sim.box.world import World

TICKS = 1 << 30  # MicroPython's counter of milliseconds begins anew there


def _drift(world: World, event: Event) -> None:
    fault = Fault(world, event)
    box = device(fault)
    ppm = fault.whole("ppm")
    if box is None or not ppm:
        fault.end()
        return

    def change(by: int) -> None:
        box.clock_drift_ppm += by

    fault.begin()
    change(ppm)
    fault.on_end(lambda: change(-ppm))


def _ahead(world: World, event: Event, s: int) -> None:
    """The device's clock is set on by `s` seconds, until somebody sets it right."""
    fault = Fault(world, event)
    box = device(fault)
    if box is None:
        fault.end()
        return

    def change(by: int) -> None:
        box.clock_ahead_s += by

    fault.begin()
    change(s)
    fault.on_end(lambda: change(-s))


def _rollback(world: World, event: Event) -> None:
    _ahead(world, event, -int(event.args["s"]))


def _jump_forward(world: World, event: Event) -> None:
    _ahead(world, event, int(event.args["s"]))


def _epoch_zero(world: World, event: Event) -> None:
    """The date is lost: the clock begins at zero."""
    box = world.of_learner.get(event.who)
    _ahead(world, event, 0 if box is None else -box.clock_s())


class Ticks:
    """A device's milliseconds as firmware/main.py adds them up from a counter that wraps.

    `wraps_ms` after its start the counter begins anew. What the device is given must not show it.
    """

    def __init__(self, now: int, wraps_ms: int) -> None:
        self._ahead = TICKS - wraps_ms - now
        self._last = self._counter(now)
        self._now = 0
        self.wrapped = False

    def _counter(self, now: int) -> int:
        return (now + self._ahead) % TICKS

    def __call__(self, now: int) -> int:
        counter = self._counter(now)
        self.wrapped |= counter < self._last
        difference = counter - self._last
        self._now += (difference + TICKS // 2) % TICKS - TICKS // 2  # as time.ticks_diff
        self._last = counter
        return self._now


def _tick_wrap(world: World, event: Event) -> None:
    """The device starts anew, with a counter that wraps soon after it has begun to work."""
    fault = Fault(world, event)
    box = device(fault)
    if box is None or not box.on:
        fault.end()
        return
    box.turn_off()
    ticks: list[Ticks] = []

    def count(now: int) -> int:
        if not ticks:  # it counts from its first work on: a device that only lies there is asked for no time
            ticks.append(Ticks(now, fault.whole("ms")))
        return ticks[0](now)

    def look() -> None:
        if ticks and ticks[0].wrapped:
            fault.begin()

    def restored() -> None:
        box.ticks = lambda now: now
        box.turn_off()
        box.turn_on()

    box.ticks = count
    fault.listen(box.watchers, look)
    fault.on_end(restored)
    box.turn_on()


def _hub_ntp_step(world: World, event: Event) -> None:
    fault = Fault(world, event)
    step_ms = fault.whole("s") * 1000

    def change(by: int) -> None:
        world.hub.clock_ahead_ms += by

    fault.begin()
    change(step_ms)
    fault.on_end(lambda: change(-step_ms))


HANDLERS = {
    "clock.drift": _drift,
    "clock.rollback": _rollback,
    "clock.jump_forward": _jump_forward,
    "clock.epoch_zero": _epoch_zero,
    "clock.tick_wrap": _tick_wrap,
    "clock.hub_ntp_step": _hub_ntp_step,
}
