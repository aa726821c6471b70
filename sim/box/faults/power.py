"""Faults of power: a device that loses it in the middle of a write, has none for days, or stands in a dead dock."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sim.box.devices import DeviceBox
from sim.box.faults.fault import Fault, device
from sim.box.flash import BEFORE
from sim.box.kernel import DAY_MS
from sim.box.plan import Event

if TYPE_CHECKING:
    from sim.box.world import World

TURNED_ON_MS = 20_000  # until a learner has noticed that the device is off
RESET_MS = 300  # a board that resets by itself


def cut(fault: Fault, box: DeviceBox, kind: str, operation: int, moment: str, keep: bool,
        then: Callable[[], None]) -> bool:  # fmt: skip
    """Cut the power at the n-th operation of the flash from now on, of this kind ("": of any), then do `then`.

    False when another cut is armed. Where the device loses its power otherwise before, nothing happens.
    """
    flash = box.flash
    if flash.cut_at is not None and not flash.dead:
        return False
    number = operation + (flash.op_kinds[kind] if kind else flash.operations)
    flash.cut_at, flash.cut_op, flash.moment, flash.keep_unsynced = number, kind, moment, keep

    def off(other: DeviceBox) -> None:
        if other is box:
            forget()
            if flash.dead:
                fault.begin()
                then()
            else:
                fault.end()

    def forget() -> None:
        if off in fault.world.on_device_off:
            fault.world.on_device_off.remove(off)
        if not flash.dead:
            flash.cut_at, flash.cut_op = None, ""

    fault.world.on_device_off.append(off)
    fault.on_end(forget)
    return True


def turned_on(fault: Fault, box: DeviceBox, ms: int = TURNED_ON_MS) -> None:
    """Somebody turns the device on again so much later; it still lies where it lay."""
    fault.on_end(box.turn_on)
    fault.after(ms, fault.end)


def _device_cut(world: World, event: Event) -> None:
    fault = Fault(world, event)
    box = device(fault)
    if box is None or not cut(fault, box, "", fault.whole("operation"), str(event.args["moment"]),
                              bool(event.args["keep"]), lambda: turned_on(fault, box)):  # fmt: skip
        fault.end()


def _brown_out(world: World, event: Event) -> None:
    """Each start gets as far as the same operation, and then the device resets."""
    fault = Fault(world, event)
    box = device(fault)
    if box is None:
        fault.end()
        return
    left = [fault.whole("times")]

    def again() -> None:
        left[0] -= 1
        if not left[0]:
            turned_on(fault, box, RESET_MS)
            return
        fault.after(RESET_MS, start)

    def start() -> None:
        arm()
        box.turn_on()

    def arm() -> None:
        if not cut(fault, box, "", fault.whole("operation"), BEFORE, False, again):
            fault.end()

    fault.on_end(box.turn_on)
    arm()


def _battery_empty_days(world: World, event: Event) -> None:
    fault = Fault(world, event)
    box = device(fault)
    if box is None or box.flat:
        fault.end()
        return

    def charged() -> None:
        box.flat = False
        box.turn_on()

    fault.begin()
    box.flat = True
    box.turn_off()
    fault.on_end(charged)
    fault.after(fault.whole("days") * DAY_MS, fault.end)


def _dock_rail_cut(world: World, event: Event) -> None:
    fault = Fault(world, event)
    fault.begin()
    for bay in world.docks.bays:
        bay.unplug()
    fault.on_end(world.docks.serve)
    for bay in world.docks.bays:
        fault.on_end(bay.plug)
    fault.after(fault.whole("ms"), fault.end)


HANDLERS = {
    "power.device_cut": _device_cut,
    "power.brown_out": _brown_out,
    "power.battery_empty_days": _battery_empty_days,
    "power.dock_rail_cut": _dock_rail_cut,
}
