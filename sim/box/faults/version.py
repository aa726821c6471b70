"""Faults of versions: an end that is older or newer than the other says and hears what it does not know.

There is one version of Perch so far. What a second one would change for the first is a name of software, kinds of
messages and kinds of records: those are said here by the real ends, over the real wire.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from hub_daemon.store import db
from protocol import cbor
from protocol.records import topics
from sim.box.devices import DeviceBox
from sim.box.faults import hub
from sim.box.faults.fault import Fault, device
from sim.box.flash import MOMENTS
from sim.box.plan import Event

if TYPE_CHECKING:
    from sim.box.world import World

SAYS_MS = 60  # after the hub knows that the device is there
OLDER, NEWER = "perch 0.0.1", "perch 99.0.0"
UNKNOWN_KIND = "novelty"
UNKNOWN_RECORD = cbor.dumps({"novelty": 99, "of": "a later version"})


def _once_a_docking(fault: Fault, say: Callable[[DeviceBox], None]) -> None:
    """Say something in each docking of the device, soon after the hub knows that it is there."""
    world = fault.world
    said = [""]

    def docked(box: DeviceBox) -> None:
        docking = world.docks.of_device(box.name)
        if box.learner == fault.event.who and docking is not None and docking.id != said[0]:
            said[0] = docking.id
            fault.after(SAYS_MS, lambda: say(box))

    world.on_docked.append(docked)
    fault.on_end(lambda: world.on_docked.remove(docked))


def _say(fault: Fault, box: DeviceBox, kind: str, payload: bytes | None, software: str) -> None:
    if box.act("say", kind=kind, payload=payload, software=software).get("said"):
        fault.begin()


def _old_firmware_new_hub(world: World, event: Event) -> None:
    """The device names older software, and the hub says something that it does not know."""
    fault = Fault(world, event)

    def say(box: DeviceBox) -> None:
        _say(fault, box, "hello", None, OLDER)
        if world.hub.on:
            prefix = topics.prefix(world.plan.wing.name, box.id)
            world.hub.say(f"{prefix}{topics.DOWN}/{UNKNOWN_KIND}", UNKNOWN_RECORD)

    _for_a_device(fault, say)


def _new_firmware_old_hub(world: World, event: Event) -> None:
    """The device names newer software, and says something that the hub does not know."""
    fault = Fault(world, event)

    def say(box: DeviceBox) -> None:
        _say(fault, box, "hello", None, NEWER)
        _say(fault, box, UNKNOWN_KIND, UNKNOWN_RECORD, NEWER)

    _for_a_device(fault, say)


def _unknown_record_type(world: World, event: Event) -> None:
    """Records of no kind that the hub knows, where it expects one that it does."""
    fault = Fault(world, event)

    def say(box: DeviceBox) -> None:
        for number in range(fault.whole("times")):
            kind = topics.UP_KINDS[1 + number % (len(topics.UP_KINDS) - 1)]
            _say(fault, box, kind, UNKNOWN_RECORD, NEWER)
        if fault.begun:
            fault.end()

    _for_a_device(fault, say)


def _for_a_device(fault: Fault, say: Callable[[DeviceBox], None]) -> None:
    if device(fault) is None:
        fault.end()
    else:
        _once_a_docking(fault, say)


def _schema_migration_crash(world: World, event: Event) -> None:
    """The hub is updated: it starts on a database without its last migration, and loses its power as it migrates."""
    fault = Fault(world, event)
    box = world.hub
    if not box.on or box.disk.full or box.disk.cut_at is not None:  # nobody updates a hub that has such trouble
        fault.end()
        return
    with box.disk.mounted():
        _undo_last_migration(world)
    box.turn_off()
    operation = fault.whole("operation")
    box.disk.cut_at, box.disk.moment = operation // len(MOMENTS) % START_OPERATIONS, MOMENTS[operation % len(MOMENTS)]
    disk = box.disk
    box.turn_on()
    if box.cut_disk is disk:
        fault.begin()
        hub.turned_on(fault, hub.BOOT_MS)
    else:
        disk.cut_at = None
        fault.end()


START_OPERATIONS = 1  # of a hub that starts: the commit of its migration


def _undo_last_migration(world: World) -> None:
    """The database as the version before had it; what the last migration added is lost."""
    number, _, script = db.migrations()[-1]
    with world.hub.store.write() as tx:
        for statement in db.split_statements(script):
            words = [word for line in statement.splitlines() if not line.startswith("--") for word in line.split()]
            assert words[:2] == ["CREATE", "TABLE"], "the last migration does more than this can undo"
            tx.execute(f"DROP TABLE {words[2]}")
        tx.execute("DELETE FROM migrations WHERE number = ?", (number,))


HANDLERS = {
    "version.old_firmware_new_hub": _old_firmware_new_hub,
    "version.new_firmware_old_hub": _new_firmware_old_hub,
    "version.schema_migration_crash": _schema_migration_crash,
    "version.unknown_record_type": _unknown_record_type,
}
