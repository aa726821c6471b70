"""Breaking an approval, end to end: the hub's own database and blobs, the real exchange, the real device.

An honest hub keeps what it cannot prove off every list (tests/hub_daemon/test_exchange.py). Here the hub is stolen: its
program lists whatever its database says, signed with the hub's own release key, which a thief has too. What the thief
has not are the keys of staff, so the recipient's device must show nothing, and say in its journal why. Each test first
sees the same item shown untouched, so that it can fail.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from firmware.device import Device
from firmware.dock import Dock
from firmware.storage import MemoryStorage
from firmware.sync import Sync
from hub_daemon.delivery import Delivery, Passed
from hub_daemon.in_force import Entry, InForce
from hub_daemon.store import Tx, items
from protocol import blob
from protocol.errors import Refusal
from protocol.records.statement import TEXT, Rendition, Statement
from sim import recordings
from tests.kits.exchange_side import ExchangeSide
from tests.kits.hub import HubWing
from tests.kits.memory_hub import join

WORDS = "Have you read it too?"


class Stolen:
    """A wing whose hub lists everything to everybody, unverified. ann writes; ben and cai read, each time on a new
    device, so that nothing is there from an earlier visit.
    """

    def __init__(self, data: Path) -> None:
        self.wing = HubWing(data)
        self.wing.groups["pair"] = ["ann", "ben"]
        self.ann = self.new_device("ann")

    def new_device(self, learner: str) -> Device:
        device = Device(MemoryStorage(), os.urandom, lambda: 1000)
        certificate = self.wing.certify(device.identity.ed25519, device.identity.x25519, learner)
        device.commit_enrolment(certificate, self.wing.signed_rosters())
        return device

    def dock(self, device: Device, change: Callable[[str, bytes], bytes] = lambda kind, payload: payload) -> None:
        """One whole visit, until the device has nothing left to do."""
        dock, hub = Dock(device, os.urandom), ExchangeSide(self.wing.exchange(), change)
        join(dock, hub, lambda: device.status()["phase"] == "settled")
        dock.restart()

    def edit(self, statement: str, *values: object) -> None:
        """One change of the database, with a tool of the thief's own: no rule of ours is kept by it."""
        with contextlib.closing(sqlite3.connect(self.wing.data / "hub.sqlite3")) as database, database:
            assert database.execute(statement, values).rowcount > 0, "the database was not edited"

    def approved_post(self, group: str = "reading") -> bytes:
        item = self.ann.write_post(group, None, WORDS)
        return self._approve(item)

    def approved_video(self) -> bytes:
        draft = self.ann.begin_video("reading", None, WORDS, "video/webm")
        draft.append(recordings.make(seconds=1.0, size=(160, 120)))
        return self._approve(draft.save())

    def _approve(self, item: bytes) -> bytes:
        self.dock(self.ann)
        self.wing.ingest()
        self.wing.approve(item)
        return item

    def statement(self, item: bytes) -> Statement:
        with self.wing.store.read() as tx:
            entry = items.get(tx, item)
            assert entry is not None and entry.statement is not None
            signed = items.statement(tx, entry.statement)
        assert signed is not None
        return Statement.decode(signed.body)

    def forge(self, item: bytes, changed: Statement) -> None:
        """Put `changed` in the place of the statement in force, so that every digest in the database agrees."""
        body = changed.encode()
        before, digest = self.statement(item).digest(), hashlib.sha256(body).digest()
        self.edit("UPDATE statements SET digest = ?, body = ? WHERE digest = ?", digest, body, before)
        self.edit("UPDATE signatures SET statement = ? WHERE statement = ?", digest, before)
        self.edit("UPDATE items SET statement = ? WHERE id = ?", digest, item)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stolen]:
    def lists_everything(self: Delivery, tx: Tx, entry: Entry, *rest: object) -> Passed:
        signed = items.statement(tx, entry.statement)
        assert signed is not None
        return Passed(1 << 40, tuple((one.digest, one.length) for one in Statement.decode(signed.body).renditions))

    def everybodys(self: InForce, tx: Tx, learner: str) -> list[Entry]:
        of_learner(self, tx, learner)
        return sorted({entry for entries in self._of.values() for entry in entries.values()}, reverse=True)

    of_learner = InForce.of
    monkeypatch.setattr(InForce, "of", everybodys)
    monkeypatch.setattr(Delivery, "_passes", lists_everything)
    made = Stolen(tmp_path)
    yield made
    made.wing.store.close()


def shown(device: Device, item: bytes) -> bool:
    """Whether the learner's page has this thread, in a list or by its address."""
    listed = any(row["id"] == item for group, _ in device.groups() for row in device.threads(group))
    assert listed == bool(device.thread(item)), "the list and the thread disagree"
    return listed


def journaled(device: Device) -> list[str]:
    return [entry.detail for entry in device.journal_entries(0, 1000) if entry.action == "refused"]


def plays(device: Device, rendition: Rendition) -> bytes | None:
    """The bytes that the page would get, or None when it is refused them."""
    try:
        _, size, read = device.media(rendition.digest)
    except Refusal:
        return None
    return read(0, size)


def reader_who_sees(hub: Stolen, item: bytes, learner: str = "ben") -> Device:
    """The control: a device that docks while nothing is touched shows the item and has nothing to say."""
    device = hub.new_device(learner)
    hub.dock(device)
    assert shown(device, item) and device.thread(item)[0]["text"] == WORDS
    assert journaled(device) == []
    return device


def test_a_text_with_one_changed_byte_is_not_shown(hub: Stolen) -> None:
    item = hub.approved_post()
    reader_who_sees(hub, item)
    hub.edit("UPDATE renditions SET body = ? WHERE item = ? AND role = 'text'", WORDS.encode()[:-1] + b"!", item)
    device = hub.new_device("ben")
    hub.dock(device)
    assert not shown(device, item)
    assert journaled(device) == ["RenditionDiffers"]


def test_a_changed_text_whose_digest_was_changed_with_it_is_not_shown(hub: Stolen) -> None:
    item = hub.approved_post()
    reader_who_sees(hub, item)
    changed, words = hub.statement(item), WORDS.encode()[:-1] + b"!"
    rendition = changed.rendition(TEXT)
    assert rendition is not None
    rendition.digest = hashlib.sha256(words).digest()
    hub.edit("UPDATE renditions SET body = ? WHERE item = ? AND role = 'text'", words, item)
    hub.forge(item, changed)
    device = hub.new_device("ben")
    hub.dock(device)
    assert not shown(device, item)
    assert journaled(device) == ["SignatureRefused"]


def test_a_post_is_not_shown_to_a_learner_whom_staff_did_not_name(hub: Stolen) -> None:
    item = hub.approved_post("pair")
    reader_who_sees(hub, item)
    device = hub.new_device("cai")
    hub.dock(device)
    assert not shown(device, item)
    assert journaled(device) == ["NotInAudience"]


def test_a_statement_with_another_audience_is_not_shown(hub: Stolen) -> None:
    item = hub.approved_post("pair")
    reader_who_sees(hub, item)
    wider = hub.statement(item)
    wider.audience.learners = ["ann", "ben", "cai"]
    hub.forge(item, wider)
    for learner in ("ben", "cai"):
        device = hub.new_device(learner)
        hub.dock(device)
        assert not shown(device, item), learner
        assert journaled(device) == ["SignatureRefused"], learner


def test_a_video_that_one_person_signed_instead_of_two_is_not_shown(hub: Stolen) -> None:
    item = hub.approved_video()
    video = hub.statement(item).rendition("video")
    assert video is not None
    assert plays(reader_who_sees(hub, item), video) == hub.wing.blobs.read(video.digest)
    hub.edit("DELETE FROM signatures WHERE person = 'moe'")
    device = hub.new_device("ben")
    hub.dock(device)
    assert not shown(device, item) and plays(device, video) is None
    assert journaled(device) == ["TooFewSigners"]


def test_a_video_whose_two_signatures_are_one_persons_is_not_shown(hub: Stolen) -> None:
    item = hub.approved_video()
    reader_who_sees(hub, item)
    hub.edit(
        "UPDATE signatures SET sign1 = (SELECT sign1 FROM signatures WHERE person = 'may') WHERE person = 'moe'"
    )
    device = hub.new_device("ben")
    hub.dock(device)
    assert not shown(device, item)
    assert journaled(device) == ["TooFewSigners"]


@pytest.mark.parametrize(("refitted", "name"), [(False, "ChunkDigest"), (True, "ManifestRefused")])
def test_a_video_with_one_changed_byte_is_not_played(
    hub: Stolen, monkeypatch: pytest.MonkeyPatch, refitted: bool, name: str
) -> None:
    """In the second case the thief makes the manifest fit the changed bytes; the root is signed all the same."""
    item = hub.approved_video()
    video = hub.statement(item).rendition("video")
    assert video is not None
    assert plays(reader_who_sees(hub, item), video) is not None
    data = bytearray(hub.wing.blobs.read(video.digest))
    data[len(data) // 2] ^= 1
    path = hub.wing.blobs.path(video.digest)
    path.write_bytes(data)
    if refitted:
        builder = blob.Builder()
        builder.feed(bytes(data))
        path.with_name(path.name + ".leaves").write_bytes(builder.finish().leaves)
    refused: list[str] = []
    heard = Sync._refused
    monkeypatch.setattr(
        Sync, "_refused", lambda self, topic, refusal: (refused.append(refusal.name), heard(self, topic, refusal))
    )
    device = hub.new_device("ben")
    hub.dock(device)
    assert name in refused
    assert plays(device, video) is None and not device.inbox.has_blob(video.digest)
    row = device.thread(item)[0]
    assert row["video"] is None and row["video_coming"], "the page does not offer it"


def test_an_older_delivery_list_served_again_brings_nothing_back(hub: Stolen) -> None:
    item = hub.approved_post()
    device = hub.new_device("ben")
    lists: list[bytes] = []

    def keep(kind: str, payload: bytes) -> bytes:
        if kind == "list":
            lists.append(payload)
        return payload

    hub.dock(device, keep)
    assert shown(device, item) and journaled(device) == []
    entry = hub.wing.item(item)
    assert entry is not None
    hub.wing.moderation().recall("may", item, entry.version, hub.wing.staff["may"][0], 1, "")
    hub.dock(device)
    assert not shown(device, item), "recalled"
    hub.dock(device, lambda kind, payload: lists[0] if kind == "list" else payload)
    assert not shown(device, item)
    assert journaled(device) == ["list ListOlder"]
