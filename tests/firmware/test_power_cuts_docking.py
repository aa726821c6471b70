"""The power of the device goes at every storage operation of a whole docking; the next one finishes it."""

import pytest

from firmware.device import Device
from firmware.dock import Dock
from tests.kits.faulty_storage import AFTER, BEFORE, TORN, FaultyStorage, PowerCut
from tests.kits.memory_hub import HubSide, Kept, join
from tests.kits.wing import Seeded, Wing

MOVIE = Seeded("movie")(20000)
MADE = Seeded("made")(12000)


def prepare():
    wing = Wing()
    storage = FaultyStorage()
    device = Device(storage, Seeded("device"), lambda: 1000)
    wing.enrol(device, "ann")
    kept = Kept(wing)
    kept.approve(b"b" * 32, "cai", "see", [("video", MOVIE, "video/webm")])
    kept.approve(b"a" * 32, "ben", "first")
    post = device.write_post("reading", None, "hello")
    draft = device.begin_video("reading", None, "look", "video/webm")
    draft.append(MADE)
    return storage, kept, [post, draft.save()]


def docking(storage, kept, now=0, seed="dock"):
    device = Device(storage, Seeded(seed + "device"), lambda: 2000)
    dock, hub = Dock(device, Seeded(seed)), HubSide(kept, Seeded(seed + "hub"))
    now, _ = join(dock, hub, lambda: device.phase == "settled" and device.can_lift, now)
    return device, now


def operations():
    storage, kept, _ = prepare()
    before = storage.operations
    docking(storage, kept)
    return storage.operations - before


def check(storage, kept, items, now):
    device, now = docking(storage, kept, now, "second")
    assert kept.taken == items
    assert sorted(row["id"] for row in device.threads("reading")) == sorted([*items, b"a" * 32, b"b" * 32])
    for item in (b"a" * 32, b"b" * 32):
        assert len(device.thread(item)) == 1
    root = kept.statements[0].rendition("video").digest
    assert device.media(root)[2](0, len(MOVIE)) == MOVIE
    assert device.own_media(items[1])[2](0, len(MADE)) == MADE
    assert kept.receipts == {b"a" * 32: 1, b"b" * 32: 1}
    assert [entry.seq for entry in kept.journal] == list(range(len(kept.journal)))
    assert storage.names("part/") == [] and device.inbox.receipts() == []


@pytest.mark.parametrize("moment", [BEFORE, TORN, AFTER])
def test_a_power_cut_at_any_write_of_a_docking_loses_nothing_and_shows_nothing_twice(moment):
    total = operations()
    assert total > 20
    for operation in range(total):
        storage, kept, items = prepare()
        storage.cut_at, storage.moment = storage.operations + operation, moment
        with pytest.raises(PowerCut):
            docking(storage, kept)
        check(storage.survivors(keep_unsynced=operation % 2 == 0), kept, items, 200000)
