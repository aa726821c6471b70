"""Tickets: whatever a power cut, a crash or a backup does to either end, the next docking is one round trip."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware.device import Device as FirmwareDevice
from firmware.identity import TICKET, Identity
from firmware.storage import MemoryStorage
from hub_daemon.limits import RESUME_MS_MAX
from hub_daemon.store import Store, tickets
from hub_daemon.store.db import Tx
from protocol.session import RESUME, Session
from tests.kits.docked import DockedDevice, wait_for
from tests.kits.hub import Bayline, HubProcess, HubWing, now_ms
from tests.kits.wing import Wing

DAY_MS = 24 * 3600 * 1000
DEVICE = b"d" * 8
ONE, TWO = bytes([1]) * 32, bytes([2]) * 32


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "hub.sqlite3")
    yield made
    made.close()


# the store


def test_a_ticket_is_good_for_a_day_by_the_hubs_clock_and_not_before_it_was_made(store: Store) -> None:
    with store.write() as tx:
        assert tickets.find(tx, DEVICE, 5000) is None
        tickets.put(tx, DEVICE, ONE, 5000)
        assert tickets.find(tx, DEVICE, 5000) == ONE
        assert tickets.find(tx, DEVICE, 5000 + RESUME_MS_MAX) == ONE
        assert tickets.find(tx, DEVICE, 5001 + RESUME_MS_MAX) is None
        assert tickets.find(tx, DEVICE, 4999) is None


def test_the_day_begins_when_the_device_is_lifted_and_the_next_ticket_replaces_the_last(store: Store) -> None:
    with store.write() as tx:
        tickets.put(tx, DEVICE, ONE, 0)
        tickets.lifted(tx, DEVICE, DAY_MS)
        assert tickets.find(tx, DEVICE, 2 * DAY_MS) == ONE
        tickets.put(tx, DEVICE, TWO, 2 * DAY_MS)
        assert tickets.find(tx, DEVICE, 2 * DAY_MS) == TWO
        tickets.keep_only(tx, [DEVICE, b"another8"])
        assert tickets.find(tx, DEVICE, 2 * DAY_MS) == TWO
        tickets.keep_only(tx, [b"another8"])
        assert tickets.find(tx, DEVICE, 2 * DAY_MS) is None
        tickets.lifted(tx, DEVICE, 2 * DAY_MS)  # lifting a device that was revoked brings nothing back
        assert tickets.find(tx, DEVICE, 2 * DAY_MS) is None


# what happens to both ends


class RollBack(Exception):
    """Ends a transaction whose content was only for the test."""


class Pair:
    """A device's real storage and the hub's real table, and sessions between them."""

    def __init__(self, tx: Tx, wing: Wing, storage: MemoryStorage) -> None:
        self.tx, self.wing, self.storage = tx, wing, storage
        self.now_ms = 10 * DAY_MS
        self.identity = Identity(storage, os.urandom)
        self.backups: list[tuple[bytes | None, tuple[bytes, int] | None]] = []
        self.keys: list[bytes] = []

    def hub_row(self) -> tuple[bytes, int] | None:
        row = self.tx.execute("SELECT ticket, seen_ms FROM tickets WHERE device = ?", (DEVICE,)).fetchone()
        return None if row is None else (bytes(row[0]), row[1])

    def dock(self, device_commits: bool = True, hub_commits: bool = True) -> str:
        """A handshake, one message each way and the confirmation; a cut takes what is not committed."""
        self.backups.append((self.storage.read(TICKET), self.hub_row()))
        device, hub_public = self.identity, self.wing.roster.hub_x25519
        a = Session(
            True, device.x25519_private, os.urandom, RESUME if device.ticket else "IK", hub_public,
            ticket=device.ticket,
        )  # fmt: skip
        b = Session(
            False, self.wing.hub_private, os.urandom, find_ticket=lambda _: tickets.find(self.tx, DEVICE, self.now_ms)
        )
        b.receive(a.to_send())
        a.receive(b.to_send())
        assert a.up, "the device is up after one round trip"
        if hub_commits:
            b.receive(a.to_send())
            assert b.up and a.ticket == b.ticket and a.pattern == b.pattern
            tickets.put(self.tx, DEVICE, b.ticket, self.now_ms)
        if device_commits:
            device.ticket = a.ticket
            device.keep_ticket()
        assert a._sender is not None and a._receiver is not None
        self.keys += [a._sender._key, a._receiver._key]
        self.identity = Identity(self.storage, os.urandom)  # the power went, or not: the storage is what counts
        return a.pattern

    def put_back(self, device: bool, hub: bool, backup: int) -> None:
        ticket, row = self.backups[backup] if self.backups else (None, None)
        if device:
            self.storage.remove(TICKET)
            if ticket is not None:
                self.storage.write(TICKET, ticket)
            self.identity = Identity(self.storage, os.urandom)
        if hub:
            tickets.keep_only(self.tx, [])
            if row is not None:
                tickets.put(self.tx, DEVICE, *row)


STEPS = {
    "dock": lambda pair: pair.dock(),
    "device loses power": lambda pair: pair.dock(device_commits=False),
    "hub is killed": lambda pair: pair.dock(hub_commits=False),
    "both": lambda pair: pair.dock(False, False),
    "old device": lambda pair: pair.put_back(True, False, 0),
    "old hub": lambda pair: pair.put_back(False, True, 0),
    "old both": lambda pair: pair.put_back(True, True, -1),
    "a day and an hour": lambda pair: setattr(pair, "now_ms", pair.now_ms + DAY_MS + 3_600_000),
    "clock goes back": lambda pair: setattr(pair, "now_ms", pair.now_ms - 2 * DAY_MS),
}


@pytest.mark.parametrize("length", [3, pytest.param(4, marks=pytest.mark.soak)])
def test_after_any_mishaps_the_next_docking_is_one_round_trip_and_the_one_after_it_resumes(
    store: Store, length: int
) -> None:
    wing = Wing()
    storage = MemoryStorage()
    wing.enrol(FirmwareDevice(storage, os.urandom, lambda: 1000), "ann")
    fresh = dict(storage.files)
    count = 0
    for more in itertools.product(STEPS, repeat=length - 1):
        steps = ("dock", *more)  # before the first docking there is nothing to disagree about
        count += 1
        storage.files = dict(fresh)
        with contextlib.suppress(RollBack), store.write() as tx:
            pair = Pair(tx, wing, storage)
            for step in steps:
                STEPS[step](pair)
            pair.dock()
            assert pair.dock() == RESUME, steps
            assert len(set(pair.keys)) == len(pair.keys), steps
            raise RollBack
    assert count == len(STEPS) ** (length - 1)


def test_both_ends_put_back_from_one_backup_resume_with_the_old_ticket_under_keys_never_used(store: Store) -> None:
    wing = Wing()
    storage = MemoryStorage()
    wing.enrol(FirmwareDevice(storage, os.urandom, lambda: 1000), "ann")
    with store.write() as tx:
        pair = Pair(tx, wing, storage)
        pair.dock()
        for _ in range(20):
            assert pair.dock() == RESUME
            pair.put_back(True, True, 1)
        assert len(set(pair.keys)) == len(pair.keys) == 42


# the whole hub


class Rig:
    def __init__(self, data: Path) -> None:
        self.wing = HubWing(data)
        self.line = Bayline()
        self.hub = HubProcess(data, {"left": self.line.path})
        self.hub.start()
        self.ann = self.wing.device("ann")

    def visit(self) -> str:
        """Seat, settle, lift; returns the pattern that the session came up with."""
        ups, statuses = len(self.ann.ups), len(self.ann.statuses)
        self.ann.seat(self.line.fd)
        assert wait_for(lambda: any(one.phase == "settled" for one in self.ann.statuses[statuses:]))
        self.ann.lift()
        assert len(self.ann.ups) == ups + 1
        return self.ann.ups[-1]

    def close(self) -> None:
        self.ann.lift()
        self.hub.stop()
        self.line.close()
        self.wing.store.close()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path)
    yield made
    made.close()


def test_a_device_comes_back_to_a_hub_that_was_killed_or_lost_the_ticket_and_staff_see_which(rig: Rig) -> None:
    assert [rig.visit(), rig.visit()] == ["IK", RESUME]
    rig.hub.kill()
    rig.hub.start()
    assert rig.visit() == RESUME
    with rig.wing.store.write() as tx:
        assert tickets.find(tx, rig.ann.keys.id, now_ms()) == rig.ann.ticket
        tickets.keep_only(tx, [])
    assert [rig.visit(), rig.visit()] == ["IK", RESUME]
    said = [line for line in rig.hub.log.read_text().splitlines() if " docked left " in line]
    assert [line.endswith(" ann resumed") for line in said] == [False, True, True, False, True]
    assert "refused" not in rig.hub.log.read_text()


def test_a_revoked_device_does_not_come_back_and_its_ticket_is_gone(rig: Rig) -> None:
    rig.visit()
    rig.wing.devices[0].revoked = True
    rig.wing.new_roster()
    assert wait_for(lambda: ticket_of(rig) is None)
    rig.ann.seat(rig.line.fd)
    assert wait_for(lambda: "DeviceRevoked" in rig.hub.log.read_text())
    assert rig.ann.ups == ["IK"]


def ticket_of(rig: Rig) -> bytes | None:
    with rig.wing.store.read() as tx:
        return tickets.find(tx, rig.ann.keys.id, now_ms())


def test_a_device_that_was_stolen_with_its_ticket_alone_gets_nowhere(rig: Rig) -> None:
    rig.visit()
    # the bay notices by itself that nobody is there any more, and then the ticket's day begins
    assert wait_for(lambda: "lifted left: " in rig.hub.log.read_text())
    thief = DockedDevice("a-wing", HubWing(rig.wing.data / "other").enrol("ann"), rig.wing.keys.x25519_public, "ann")
    thief.ticket = rig.ann.ticket
    thief.seat(rig.line.fd)
    assert wait_for(lambda: "DeviceUnknown" in rig.hub.log.read_text())
    thief.lift()
    assert thief.ups == []


def test_a_register_that_a_bay_read_first_still_ends_the_docking_and_the_ticket(tmp_path: Path) -> None:
    wing = HubWing(tmp_path)
    try:
        ann, exchange = wing.device("ann"), wing.exchange()
        exchange.refresh(now_ms())
        exchange.docked(ann.keys.id, now_ms(), ONE)
        closed: list[str] = []
        exchange.on_close = lambda device, why: closed.append(why)
        wing.devices[0].revoked = True
        wing.new_roster()
        assert exchange.wing.load()  # as a bay does before it accepts anybody
        exchange.refresh(now_ms())
        assert closed == ["DeviceRevoked"]
        with wing.store.read() as tx:
            assert tickets.find(tx, ann.keys.id, now_ms()) is None
    finally:
        wing.store.close()
