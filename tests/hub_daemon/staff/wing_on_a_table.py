"""A real wing without devices, for the tests of the queue and the staff page: store, blobs, people, moderation.

Nothing here stands in for our own parts; items are put where the exchange and the media worker put theirs.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import time
from pathlib import Path
from typing import Any

from hub_daemon import keys, people
from hub_daemon.blobs import BlobStore
from hub_daemon.enrolment import Enrolment
from hub_daemon.moderation import Moderation
from hub_daemon.people import People, Signer
from hub_daemon.store import Store, items
from hub_daemon.wing import Wing

PHRASES = {
    "ann": "heron moss lantern quay",
    "ben": "copper violin thaw meadow",
    "cat": "granite kestrel plum ferry",
}
NAMES = {"ann": "Ann Archer", "ben": "Ben Boyd", "cat": "Cat Cole"}
LEARNERS = {"dai": "Dai P", "eve": "Eve R", "finn": "Finn T", "gus": "Gus W"}


class WingOnATable:
    """`hub` as hub_daemon.staff.context wants it. `now_ms` can be moved forward."""

    wing = "a-wing"

    def __init__(self, data: Path, undo_s: int = 0) -> None:
        self.data = data
        self.undo_s = undo_s
        self.late_ms = 0
        self.frozen_ms: int | None = None
        self.store = Store(data / "hub.sqlite3")
        self.blobs = BlobStore(data / "blobs")
        self.people = People(self.store, self.clock, memory=64 * 1024)
        self.changed: list[bytes] = []
        self.moderation = Moderation(self.store, self.people.roster, self.blobs, self.clock, self.changed.append)
        self.keys = keys.load_or_make(data / "keys")
        self.members = Wing(self.store, self.keys, self.wing)
        self.enrolment = Enrolment(self.store, self.members, self.keys, self.clock)
        self._seq = itertools.count()

    def clock(self) -> int:
        now = int(time.time() * 1000) if self.frozen_ms is None else self.frozen_ms
        return now + self.late_ms

    def bays(self) -> list[dict[str, object]]:
        return [
            {"bay": "bay-1", "state": "docked", "device": "1f00ba4dcafe0001", "learner": "dai", "progress": "settled"},
            {"bay": "bay-2", "state": "empty", "device": None, "learner": None, "progress": None},
        ]

    def health(self) -> dict[str, object]:
        return {"broker": "running", "database": "ok", "media": "idle"}

    def settle(self) -> WingOnATable:
        """Three members of staff, four learners, one group."""
        for person, phrase in PHRASES.items():
            roles = ("moderator", "administrator") if person != "cat" else ("moderator", "safer-custody")
            self.people.create(person, NAMES[person], roles, phrase)
        ann, ben = self.signer("ann"), self.signer("ben")
        self.people.bootstrap(self.wing, self.keys, ann, ben)
        changes = [people.with_learner(one, name) for one, name in LEARNERS.items()]
        self.change(*changes, people.with_group("writers", "Writers' circle", tuple(LEARNERS)))
        return self

    def signer(self, person: str) -> Signer:
        if not hasattr(self, "_signers"):
            self._signers: dict[str, Signer] = {}
        if person not in self._signers:
            self._signers[person] = self.people.unlock(person, PHRASES[person])
        return self._signers[person]

    def change(self, *changes: Any) -> None:
        number = self.people.propose(self.signer("ann"), people.all_of(*changes), "test")
        self.people.countersign(number, self.signer("ben"))

    def post(
        self, text: str, author: str = "dai", group: str | None = "writers", parent: bytes | None = None,
        age_ms: int = 0, marks: tuple[tuple[str, str], ...] = (), extra: tuple[items.Rendition, ...] = (),
        kind: str = "post",
    ) -> bytes:
        """An item that is pending, as the exchange and the media worker leave it."""
        item = hashlib.sha256(os.urandom(16) + next(self._seq).to_bytes(4, "big")).digest()
        now = self.clock() - age_ms
        body = text.encode()
        renditions = list(extra)
        if body:
            renditions.append(
                items.Rendition("text", hashlib.sha256(body).digest(), len(body), "text/plain;charset=utf-8", body)
            )
        with self.store.write() as tx:
            items.insert(
                tx,
                items.Item(
                    item, kind, author, bytes(8), group, parent, now, "ingested", 1, text, None, None, now, None
                ),
            )
            assert items.to_pending(tx, item, renditions, marks, now)
        return item

    def video(self, movie: bytes, sheet: bytes, still: bytes, media_type: str = "video/webm", **values: Any) -> bytes:
        made = tuple(
            items.Rendition(role, self.blobs.add(data), len(data), kind)
            for role, data, kind in (
                ("video", movie, media_type), ("contact", sheet, "image/jpeg"), ("still", still, "image/jpeg"),
            )
        )
        return self.post(values.pop("text", ""), extra=made, kind="video", **values)

    def seen(self, item: bytes) -> str:
        """What a page that was loaded now would show of the readers."""
        return self.moderation.view("nobody", item).seen

    def acquaint(self) -> None:
        """Everybody has written to everybody before: text takes one signature."""
        with self.store.write() as tx:
            for author in LEARNERS:
                for reader in LEARNERS:
                    if author != reader:
                        tx.execute("INSERT OR IGNORE INTO contacts VALUES (?, ?, ?, 0)", (author, reader, bytes(32)))
