"""Faults of the hub and its bays: it loses power, is killed, hangs, has no memory; a port dies or changes its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sim.box.faults.fault import Fault
from sim.box.flash import AFTER
from sim.box.plan import Event

if TYPE_CHECKING:
    from sim.box.hub import BayBox
    from sim.box.world import World

BOOT_MS = 30_000  # a Pi, from power to the daemon
RESTART_MS = 2_000  # the daemon alone, by its supervisor


def cut(fault: Fault, operation: int, moment: str, keep: bool, then: Callable[[], None]) -> bool:
    """The hub dies at the n-th operation of its disk from now on; then do `then`. False when it is off, or will die.

    Where the hub goes off otherwise before, nothing happens.
    """
    world, disk = fault.world, fault.world.hub.disk
    if not world.hub.on or disk.cut_at is not None:
        return False
    disk.cut_at, disk.moment, disk.keep_unsynced = disk.operations + operation, moment, keep

    def off() -> None:
        forget()
        if world.hub.cut_disk is disk:
            fault.begin()
            then()
        else:
            fault.end()

    def forget() -> None:
        if off in world.on_hub_off:
            world.on_hub_off.remove(off)
        disk.cut_at = None

    world.on_hub_off.append(off)
    fault.on_end(forget)
    return True


def turned_on(fault: Fault, ms: int) -> None:
    """The hub starts again so much later."""
    fault.on_end(fault.world.hub.turn_on)
    fault.after(ms, fault.end)


def _power_cut(world: World, event: Event) -> None:
    fault = Fault(world, event)
    moment, keep = str(event.args["moment"]), bool(event.args["keep"])
    if not cut(fault, fault.whole("operation"), moment, keep, lambda: turned_on(fault, BOOT_MS)):
        fault.end()


def _crash(world: World, event: Event) -> None:
    """Killed: what it has written is the kernel's to keep."""
    fault = Fault(world, event)
    if not cut(fault, fault.whole("operation"), AFTER, True, lambda: turned_on(fault, fault.whole("down_ms"))):
        fault.end()


def _stall(world: World, event: Event) -> None:
    fault = Fault(world, event)
    hub, ms = world.hub, fault.whole("ms")
    if not hub.on:
        fault.end()
        return

    def on() -> None:
        hub.stalled_until = min(hub.stalled_until, world.kernel.now)
        for bay in hub.bays.values():
            bay.port.wake(world.kernel.now)

    fault.begin()
    hub.stalled_until = max(hub.stalled_until, world.kernel.now + ms)
    fault.on_end(on)
    fault.after(ms, fault.end)


def _restart_loop(world: World, event: Event) -> None:
    fault = Fault(world, event)
    hub = world.hub
    left = [fault.whole("times")]

    def die() -> None:
        if hub.on:
            fault.begin()
            hub.turn_off()
        left[0] -= 1
        if left[0]:
            fault.after(RESTART_MS, start)
        else:
            turned_on(fault, RESTART_MS)

    def start() -> None:
        hub.turn_on()
        fault.after(fault.whole("up_ms"), die)

    if not hub.on:
        fault.end()
        return
    fault.on_end(hub.turn_on)
    die()


def _memory_low(world: World, event: Event) -> None:
    fault = Fault(world, event)
    hub, times = world.hub, fault.whole("times")
    if hub.memory_refusals:
        fault.end()
        return

    def look() -> None:
        if hub.memory_refusals < times:
            fault.begin()
        if not hub.memory_refusals:
            fault.end()

    def enough() -> None:
        hub.memory_refusals = 0

    hub.memory_refusals = times
    fault.on_end(enough)
    fault.listen(hub.watchers, look)


def _bay_dead(world: World, event: Event) -> None:
    fault = Fault(world, event)
    bay = world.hub.bays[event.who]
    fault.begin()
    bay.unplug()
    fault.on_end(world.docks.serve)
    fault.on_end(bay.plug)
    fault.after(fault.whole("ms"), fault.end)


def _bay_swapped(world: World, event: Event) -> None:
    """Two ports come back under each other's names."""
    fault = Fault(world, event)
    bay = world.hub.bays[event.who]
    others = [one for one in world.hub.bays.values() if one is not bay]
    if not others:
        fault.end()
        return
    other = others[fault.whole("pick") % len(others)]
    fault.begin()
    _swap(bay, other)
    fault.on_end(lambda: _swap(bay, other))


def _swap(bay: BayBox, other: BayBox) -> None:
    for one in (bay, other):
        one.unplug()
    bay.path, other.path = other.path, bay.path
    for one in (bay, other):
        one.plug()


HANDLERS = {
    "hub.power_cut": _power_cut,
    "hub.crash": _crash,
    "hub.stall": _stall,
    "hub.restart_loop": _restart_loop,
    "hub.bay_dead": _bay_dead,
    "hub.bay_swapped": _bay_swapped,
    "hub.memory_low": _memory_low,
}
