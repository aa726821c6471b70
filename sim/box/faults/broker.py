"""Faults of the broker: it restarts, forgets, says things twice, is slow, and drops what does not fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sim.box.faults.fault import Fault
from sim.box.plan import Event

if TYPE_CHECKING:
    from sim.box.broker import Broker
    from sim.box.world import World

RECONNECT_MS = 1_000  # the exchange's client waits so long
PAUSE_MS = 50  # between two times at which the broker is slow


def _restart(world: World, event: Event) -> None:
    fault = Fault(world, event)
    hub = world.hub
    if not hub.on or not hub.broker_up:
        fault.end()
        return

    def start() -> None:
        if hub.on and not hub.broker_up:
            hub.start_broker()

    fault.begin()
    hub.stop_broker()
    fault.on_end(start)
    fault.after(fault.whole("down_ms"), fault.end)


def _lost_session(world: World, event: Event) -> None:
    fault = Fault(world, event)
    hub = world.hub
    if not hub.on or not hub.broker_up:
        fault.end()
        return
    fault.begin()
    hub.lose_session()
    fault.on_end(hub.find_session)
    fault.after(RECONNECT_MS, fault.end)


def _next_messages(
    world: World, event: Event, arm: Callable[[Broker, int], None], left: Callable[[Broker], int]
) -> None:
    """Something is done to the next messages of this broker; how many are left, as it says itself."""
    fault = Fault(world, event)
    hub, times = world.hub, fault.whole("times")
    broker = hub.broker
    if not hub.on or left(broker):
        fault.end()
        return

    def look() -> None:
        if left(broker) < times:
            fault.begin()
        if not left(broker) or broker is not hub.broker:
            fault.end()

    arm(broker, times)
    fault.on_end(lambda: arm(broker, 0))
    fault.listen(hub.watchers, look)


def _duplicate_publish(world: World, event: Event) -> None:
    _next_messages(
        world, event, lambda broker, times: broker.duplicate_next(times, 0), lambda broker: broker.duplicates_left
    )


def _full_queue(world: World, event: Event) -> None:
    _next_messages(world, event, lambda broker, times: broker.drop_next(times), lambda broker: broker.drops_left)


def _delayed_puback(world: World, event: Event) -> None:
    """The broker answers nothing for a while, again and again."""
    fault = Fault(world, event)
    hub, broker = world.hub, world.hub.broker
    left = [fault.whole("times")]

    def hold() -> None:
        if not hub.on or hub.broker is not broker:
            fault.end()
            return
        fault.begin()
        hub.hold_broker(broker, True)
        fault.after(fault.whole("ms"), go_on)

    def go_on() -> None:
        hub.hold_broker(broker, False)
        left[0] -= 1
        if left[0]:
            fault.after(PAUSE_MS, hold)
        else:
            fault.end()

    fault.on_end(lambda: hub.hold_broker(broker, False))
    hold()


HANDLERS = {
    "broker.restart": _restart,
    "broker.lost_session": _lost_session,
    "broker.duplicate_publish": _duplicate_publish,
    "broker.delayed_puback": _delayed_puback,
    "broker.full_queue": _full_queue,
}
