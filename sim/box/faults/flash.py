"""Faults of a device's storage: it fills, wears out, rots, is slow, and keeps half of a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.box.faults import power
from sim.box.faults.fault import Fault, device
from sim.box.flash import TORN
from sim.box.plan import Event

if TYPE_CHECKING:
    from sim.box.world import World


def _bit_rot(world: World, event: Event) -> None:
    fault = Fault(world, event)
    box = device(fault)
    if box is None:
        fault.end()
        return
    names = sorted(name for name in (*box.flash.files, *box.flash.blobs) if box.flash.blob_size(name))
    if not names:
        fault.end()
        return
    name = names[fault.whole("pick") % len(names)]
    bit = fault.whole("bit") % (box.flash.blob_size(name) * 8)
    box.flash.rot(name, bit // 8, 1 << bit % 8)
    fault.once()


def _torn_page(world: World, event: Event) -> None:
    fault = Fault(world, event)
    box = device(fault)
    if box is None or not power.cut(fault, box, "blob_write", fault.whole("operation"), TORN, True,
                                    lambda: power.turned_on(fault, box)):  # fmt: skip
        fault.end()


def _full(world: World, event: Event) -> None:
    fault = Fault(world, event)
    box = device(fault)
    if box is None or box.flash.full_bytes_max is not None:
        fault.end()
        return

    def room_again() -> None:
        box.flash.full_bytes_max = None

    fault.begin()
    box.flash.full_bytes_max = box.flash.used_bytes() + fault.whole("bytes")
    fault.on_end(room_again)
    fault.after(fault.whole("ms"), fault.end)


def _worn_out_block(world: World, event: Event) -> None:
    fault = Fault(world, event)
    box = device(fault)
    if box is None or box.flash.worn_at is not None:
        fault.end()
        return
    flash = box.flash
    first, times = flash.operations + fault.whole("operation"), fault.whole("times")
    flash.worn_at, flash.worn_times = first, times

    def mended() -> None:
        flash.worn_at = None

    def look() -> None:
        if flash.operations > first:
            fault.begin()
        if flash.operations >= first + times or box.flash is not flash:
            fault.end()

    fault.on_end(mended)
    fault.listen(box.watchers, look)


def _slow_erase(world: World, event: Event) -> None:
    """Each of the next operations keeps the device busy; what it says comes after it."""
    fault = Fault(world, event)
    box = device(fault)
    if box is None:
        fault.end()
        return
    flash = [box.flash]
    seen, left = [box.flash.operations], [fault.whole("times")]

    def look() -> None:
        if box.flash is not flash[0]:  # it has been off
            flash[0], seen[0] = box.flash, 0
        count = min(left[0], box.flash.operations - seen[0])
        seen[0] = box.flash.operations
        if count:
            fault.begin()
            box.busy(count * fault.whole("ms"))
            left[0] -= count
        if not left[0]:
            fault.end()

    fault.listen(box.watchers, look)


HANDLERS = {
    "flash.bit_rot": _bit_rot,
    "flash.torn_page": _torn_page,
    "flash.full": _full,
    "flash.worn_out_block": _worn_out_block,
    "flash.slow_erase": _slow_erase,
}
