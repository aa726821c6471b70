"""The yank finds what it is there to find: each test breaks one promise in the production code, and a cut shows it.

The breakages are what a hurried hand might write: an acknowledgement before the commit, a count before the sync, a
transfer that begins anew, an outbox emptied by sending.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from firmware import views
from firmware.device import Device
from firmware.fetching import Fetching
from firmware.inbox import FOLDER, PART, Inbox
from firmware.journal import Journal
from firmware.outbox import name_of
from firmware.sending import Sending
from hub_daemon.blobs import BlobStore, Part
from hub_daemon.store import Store
from protocol.limits import CHUNK_BYTES
from tests.kits.yank import DEVICE, DOWN, HUB, REOPENED, SILENCE, UP, Plan, PowerLoss, WireCut, try_plans, whole


def stride(direction: str, step: int, seat: str = REOPENED) -> list[Plan]:
    return [(WireCut(direction, at, seat),) for at in range(0, len(whole().wire[direction]), step)]


def finds(plans: list[Plan], words: str) -> None:
    """Some of these cuts break a promise, and the witness says which."""
    broken: list[str] = []
    for plan in plans:
        broken += try_plans([plan])
        if any(words in line for line in broken):
            return
    raise AssertionError(broken or "nothing was found")


def test_nothing_is_found_in_the_code_as_it_is() -> None:
    assert try_plans([*stride(UP, 3001), *stride(DOWN, 3001)]) == []


def test_custody_before_the_commit_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextlib.contextmanager
    def late(self: Any) -> Iterator[Any]:
        """What was written is committed when the next writing begins."""
        if self._depth:
            yield self._writer
            return
        if self._writer.in_transaction:
            self._writer.execute("COMMIT")
        self._writer.execute("BEGIN IMMEDIATE")
        self._depth = 1
        try:
            yield self._writer
        finally:
            self._depth = 0

    monkeypatch.setattr(Store, "write", late)
    finds([(WireCut(UP, 2000, SILENCE),)], "custody said for")


def test_a_receipt_before_the_bundle_is_durable_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Inbox.receive

    class Forgetful:
        def __init__(self, storage: Any) -> None:
            self._storage = storage

        def __getattr__(self, name: str) -> Any:
            return getattr(self._storage, name)

        def write(self, name: str, data: Any) -> None:
            if not name.startswith(FOLDER):
                self._storage.write(name, data)

    def early(self: Any, data: bytes) -> bytes:
        kept, self._storage = self._storage, Forgetful(self._storage)
        try:
            return right(self, data)
        finally:
            self._storage = kept

    monkeypatch.setattr(Inbox, "receive", early)
    finds([(WireCut(DOWN, 100, SILENCE),)], "a receipt for what is not durable")


def test_chunks_counted_before_the_disk_has_them_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def hopeful(self: Part) -> None:
        self.stored_chunks += self.unsynced
        self.unsynced = 0

    monkeypatch.setattr(Part, "sync", hopeful)
    finds([(WireCut(UP, 100, SILENCE),)], "custody said for")


def test_a_transfer_that_begins_anew_on_the_device_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Fetching._open

    def anew(self: Any, root: bytes, size: int) -> None:
        self._device.storage.remove(PART + name_of(root))
        right(self, root, size)

    monkeypatch.setattr(Fetching, "_open", anew)
    finds(stride(DOWN, 1500), "sent again though durable")


def test_a_transfer_that_begins_anew_on_the_hub_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = BlobStore.open_part

    def anew(self: BlobStore, root: bytes, size: int) -> Part:
        (self.directory / "parts" / root.hex()).unlink(missing_ok=True)
        return right(self, root, size)

    monkeypatch.setattr(BlobStore, "open_part", anew)
    finds(stride(UP, 1500), "sent again though durable")


def test_a_chunk_counted_alone_though_its_leaf_is_not_whole_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Part.append

    def eager(self: Part, chunk: Any) -> None:
        right(self, chunk)
        self.sync()

    monkeypatch.setattr(Part, "append", eager)
    plans: list[Plan] = [(PowerLoss(HUB, at, "after", False),) for at in range(whole().operations[HUB])][::-1]
    finds(plans, "sent again though durable")


def test_an_outbox_emptied_by_sending_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Sending.step

    def trusting(self: Any, now: int) -> bool:
        result = right(self, now)
        if self._current is not None:
            self._device.outbox.custody(self._current, None, 0)
        return result

    monkeypatch.setattr(Sending, "step", trusting)
    finds(stride(UP, 300), "lost on both sides")


def test_a_journal_that_is_not_synced_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Device.log

    class Lazy:
        def __init__(self, storage: Any) -> None:
            self._storage = storage

        def __getattr__(self, name: str) -> Any:
            return getattr(self._storage, name)

        def blob_sync(self, name: str) -> None:
            pass

    def lazy(self: Any, action: str, detail: str = "") -> None:
        journal: Journal = self.journal
        kept, journal._storage = journal._storage, Lazy(journal._storage)  # type: ignore[assignment]
        try:
            right(self, action, detail)
        finally:
            journal._storage = kept

    monkeypatch.setattr(Device, "log", lazy)
    plans: list[Plan] = [(PowerLoss(DEVICE, at, "after", False),) for at in range(0, whole().operations[DEVICE], 4)]
    finds(plans, "the hub's journal is not what the device wrote")


def test_a_message_shown_twice_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = views.thread

    def twice(device: Any, root: bytes) -> list[dict[str, Any]]:
        return [row for row in right(device, root) for _ in range(2)]

    monkeypatch.setattr(views, "thread", twice)
    finds([(WireCut(DOWN, 100, SILENCE),)], "shown twice")


def test_wrong_bytes_that_are_kept_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Part.append

    def careless(self: Part, chunk: Any) -> None:
        data = bytearray(chunk)
        if len(data) == CHUNK_BYTES:
            data[100] ^= 1
        right(self, bytes(data))

    monkeypatch.setattr(Part, "append", careless)
    finds([(WireCut(UP, 100, SILENCE),)], "custody said for")
