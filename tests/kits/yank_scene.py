"""Where every yank begins: a wing, a device and a hub with something to say each way, as plain bytes.

Ann's device holds a post that staff have since recalled, two posts of its own on their way (one a video of two
leaves), and a journal. The hub has a newer roster, an approved post and an approved video (a still, and two leaves)
for it. Made once, by the production code, from one seed; a run begins from a copy.
"""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

from firmware.device import Device
from firmware.dock import Dock
from hub_daemon.blobs import BlobStore
from hub_daemon.keys import HubKeys
from hub_daemon.store import Store, blobs, items
from protocol.limits import CHUNK_BYTES, LEAF_BYTES
from tests.kits.exchange_side import ExchangeSide
from tests.kits.faulty_storage import FaultyStorage
from tests.kits.hub import HubWing
from tests.kits.memory_hub import join
from tests.kits.wing import START_S, Seeded

START_MS = START_S * 1000
TEXT = "A letter from the library: the reading group meets on Thursday."
CAPTION = "How the heron fishes."
VIDEO = Seeded("video")(LEAF_BYTES + CHUNK_BYTES + 1700)
STILL = Seeded("still")(900)
RECALLED = "This one should not have gone out."


@dataclass(frozen=True)
class Saved:
    """One thing that the device saved, as it stood in its storage: what must reach the hub."""

    item: bytes
    sealed: bytes
    blob_root: bytes | None
    blob: bytes | None


@dataclass(frozen=True)
class Scene:
    """Bytes of both ends, and what must have come of them in the end."""

    keys: HubKeys
    hub_files: dict[str, bytes]
    device_files: dict[str, bytes]
    device_blobs: dict[str, bytes]
    device: bytes
    saved: tuple[Saved, ...]
    shown: dict[bytes, tuple[str, bytes | None]]  # item -> (text, root of its video)
    media: dict[bytes, bytes]  # root -> bytes, of what staff approved
    recalled: bytes
    roster_version: int
    now: int  # milliseconds since START_MS


class _Maker:
    """Two enrolled devices and their hub, before anything is cut."""

    def __init__(self, directory: Path) -> None:
        self.wing = HubWing(directory, random=Seeded("hub"), clock_ms=self.clock_ms)
        self.now = 0
        self.devices = {name: Device(FaultyStorage(), Seeded(name), lambda: START_S) for name in ("ann", "ben")}
        for name, device in self.devices.items():
            certificate = self.wing.certify(device.identity.ed25519, device.identity.x25519, name)
            device.commit_enrolment(certificate, self.wing.signed_rosters())

    def clock_ms(self) -> int:
        return START_MS + getattr(self, "now", 0)

    def dock(self, name: str) -> None:
        """One whole visit on a perfect wire."""
        device = self.devices[name]
        exchange = self.wing.exchange()
        dock = Dock(device, Seeded(name + str(self.now)))
        hub = ExchangeSide(exchange, random=Seeded("hub" + str(self.now)), clock_ms=self.clock_ms)
        self.now, _ = join(dock, hub, lambda: device.phase == "settled" and device.can_lift, self.now)
        dock.restart()
        hub.end()
        self.now += 60_000

    def render(self, item: bytes) -> None:
        """The media worker's part for ben's video: renditions in the blob store and in the database."""
        store, kept = self.wing.store, self.wing.blobs
        found = [items.Rendition("text", hashlib.sha256(CAPTION.encode()).digest(), len(CAPTION), "text/plain",
                                 CAPTION.encode())]  # fmt: skip
        with store.write() as tx:
            for role, data, media_type in (("still", STILL, "image/jpeg"), ("video", VIDEO, "video/webm")):
                root = kept.add(data)
                blobs.put(tx, root, len(data), "rendition", item, self.clock_ms())
                found.append(items.Rendition(role, root, len(data), media_type))
            assert items.to_pending(tx, item, found, [], self.clock_ms())


def _record(device: Device, text: str, size: int) -> bytes:
    draft = device.begin_video("reading", None, text, "video/webm")
    draft.append(Seeded(text)(size))
    item: bytes = draft.save()
    return item


def make_scene() -> Scene:
    """Takes about a second."""
    with tempfile.TemporaryDirectory() as made:
        directory = Path(made)
        maker = _Maker(directory)
        wing, ann, ben = maker.wing, maker.devices["ann"], maker.devices["ben"]
        recalled = ben.write_post("reading", None, RECALLED)
        maker.dock("ben")
        wing.ingest()
        wing.approve(recalled)
        maker.dock("ann")
        assert [row["id"] for row in ann.threads("reading")] == [recalled]
        post = ben.write_post("reading", None, TEXT)
        video = _record(ben, CAPTION, 5000)
        maker.dock("ben")
        maker.render(video)
        wing.ingest()
        wing.approve(post)
        wing.approve(video)
        entry = wing.item(recalled)
        assert entry is not None
        wing.moderation().recall("may", recalled, entry.version, wing.staff["may"][0], 1, "")
        wing.new_roster()
        mine = [ann.write_post("reading", None, "Is there a place left in the group?"),
                _record(ann, "My answer, spoken", LEAF_BYTES + CHUNK_BYTES + 1200)]  # fmt: skip
        assert wing.roster is not None
        version = wing.roster.version
        wing.store.close()
        storage = ann.storage
        assert isinstance(storage, FaultyStorage)
        return Scene(
            keys=wing.keys,
            hub_files=_files(directory),
            device_files=dict(storage.files),
            device_blobs={name: bytes(data) for name, data in storage.blobs.items()},
            device=ann.identity.device,
            saved=tuple(_saved(ann, item) for item in mine),
            shown={post: (TEXT, None), video: (CAPTION, _root(wing.store.path.parent, VIDEO))},
            media={_root(directory, VIDEO): VIDEO, _root(directory, STILL): STILL},
            recalled=recalled,
            roster_version=version,
            now=maker.now,
        )


def _files(directory: Path) -> dict[str, bytes]:
    paths = [directory / "hub.sqlite3", *(path for path in (directory / "blobs").rglob("*") if path.is_file())]
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in paths}


def _root(directory: Path, data: bytes) -> bytes:
    root: bytes = BlobStore(directory / "blobs").add(data)  # is there: nothing changes
    return root


def _saved(device: Device, item: bytes) -> Saved:
    sealed = device.outbox.sealed(item)
    assert sealed is not None and hashlib.sha256(sealed).digest() == item
    own = device.outbox.own[item]
    if own.blob is None:
        return Saved(item, sealed, None, None)
    root, size = own.blob[0], own.blob[1]
    data = device.storage.blob_read("blob/" + root.hex(), 0, size)
    assert len(data) == size
    return Saved(item, sealed, root, data)


__all__ = ["START_MS", "Saved", "Scene", "Store", "make_scene"]
