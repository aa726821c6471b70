"""Plan -> here -> world: every fault of sim/box/catalogue.py, one module for each family."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.box.faults import broker, clock, disk, flash, hub, learner, power, staff, version, wire

if TYPE_CHECKING:
    from sim.box.world import Handler

HANDLERS: dict[str, Handler] = {
    **wire.HANDLERS, **power.HANDLERS, **clock.HANDLERS, **flash.HANDLERS, **disk.HANDLERS, **hub.HANDLERS,
    **broker.HANDLERS, **staff.HANDLERS, **learner.HANDLERS, **version.HANDLERS,
}  # fmt: skip

# what must be kept from the first instant on, where a plan has such a fault
PREPARE: dict[str, Handler] = {
    "wire.replay_old_session": wire.record_sessions,
    "disk.stale_copy_restored": disk.keep_copies,
}
