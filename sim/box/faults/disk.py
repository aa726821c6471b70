"""Faults of the hub's disk: it fills, fails to read, waits, keeps half a write, forgets, or is a copy of last week."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.box.faults import hub
from sim.box.faults.fault import Fault
from sim.box.flash import AFTER, TORN
from sim.box.kernel import DAY_MS, HOUR_MS
from sim.box.plan import Event

if TYPE_CHECKING:
    from sim.box.world import World

BACKUP_EVERY_MS = 6 * HOUR_MS
RESTORED_MS = 20 * 60_000  # until somebody has put the copy back


def _full(world: World, event: Event) -> None:
    fault = Fault(world, event)
    if not world.hub.on or world.hub.disk.full:
        fault.end()
        return

    def room_again() -> None:
        world.hub.disk.full = False

    fault.begin()
    world.hub.disk.full = True
    fault.on_end(room_again)
    fault.after(fault.whole("ms"), fault.end)


def _cut(world: World, event: Event, moment: str, keep: bool) -> None:
    fault = Fault(world, event)
    if not hub.cut(fault, fault.whole("operation"), moment, keep, lambda: hub.turned_on(fault, hub.BOOT_MS)):
        fault.end()


def _torn_write(world: World, event: Event) -> None:
    _cut(world, event, TORN, True)


def _lost_unsynced(world: World, event: Event) -> None:
    _cut(world, event, AFTER, False)


def _read_error(world: World, event: Event) -> None:
    """From the n-th operation on, the next reads of the blob store fail."""
    fault = Fault(world, event)
    box, times = world.hub, fault.whole("times")
    if not box.on:
        fault.end()
        return
    disk = box.disk
    first = disk.operations + fault.whole("operation")
    armed = [False]

    def look() -> None:
        if box.disk is not disk:
            fault.end()
            return
        if not armed[0] and disk.operations >= first:
            armed[0] = True
            disk.read_error(None, times)
        left = disk.read_errors_left
        if armed[0] and left < times:
            fault.begin()
        if armed[0] and not left:
            fault.end()

    fault.on_end(lambda: disk.read_error(None, 0))
    fault.listen(box.watchers, look)
    look()


def _slow_sync(world: World, event: Event) -> None:
    fault = Fault(world, event)
    box, left = world.hub, [fault.whole("times")]
    if not box.on or box.disk.slow_sync_ms:
        fault.end()
        return
    disk = [box.disk]
    seen = [disk[0].syncs]

    def look() -> None:
        if box.disk is not disk[0]:
            disk[0], seen[0] = box.disk, 0
        count = disk[0].syncs - seen[0]
        seen[0] = disk[0].syncs
        if count:
            fault.begin()
            left[0] -= count
        if left[0] <= 0:
            fault.end()

    def quick() -> None:
        box.disk.slow_sync_ms = 0

    box.disk.slow_sync_ms = fault.whole("ms")
    fault.on_end(quick)
    fault.listen(box.watchers, look)


def keep_copies(world: World, event: Event) -> None:
    """Somebody copies the hub's disk now and then: as often as a backup is made."""
    if world.copies is not None:
        return
    copies: list[tuple[int, dict[str, bytes]]] = []
    world.copies = copies

    def copy() -> None:
        if world.healed:
            return
        if world.hub.on:
            copies.append((world.kernel.now, world.hub.disk.snapshot()))
        world.kernel.after(BACKUP_EVERY_MS, copy)

    copy()


def _stale_copy_restored(world: World, event: Event) -> None:
    """The hub's disk is replaced by the newest copy that is as old as that; by the oldest where none is."""
    fault = Fault(world, event)
    if not world.copies or not world.hub.on:
        fault.end()
        return
    before = world.kernel.now - fault.whole("days") * DAY_MS
    old = [files for at_ms, files in world.copies if at_ms <= before]
    fault.begin()
    world.hub.turn_off()
    world.hub.replace_disk(old[-1] if old else world.copies[0][1])
    hub.turned_on(fault, RESTORED_MS)


HANDLERS = {
    "disk.full": _full,
    "disk.torn_write": _torn_write,
    "disk.lost_unsynced": _lost_unsynced,
    "disk.read_error": _read_error,
    "disk.slow_sync": _slow_sync,
    "disk.stale_copy_restored": _stale_copy_restored,
}
