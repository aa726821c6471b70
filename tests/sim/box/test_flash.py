"""The simulated flash against a second, slower account of what a power cut leaves; and under MicroPython."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.storage import MemoryStorage
from sim.box.flash import AFTER, MOMENTS, TORN, Flash, PowerCut
from tests.kits import micropython
from tests.kits.cost import steps
from tests.sim.box.both.test_storages import changes, do

Change = tuple[str, str, int, bytes]

BOTH = Path(__file__).parent / "both" / "test_storages.py"


class Redone:
    """What is certain, and the writes since, in order: a cut leaves the first and some of the second."""

    def __init__(self) -> None:
        self.now = MemoryStorage()
        self.certain: dict[str, bytes] = {}
        self.since: list[tuple[str, int, bytes]] = []

    def do(self, change: Change) -> None:
        op, name, offset, data = change
        do(self.now, change)
        if op == "blob_write":
            self.since.append((name, offset, data))
        elif op == "blob_sync":
            self._settle(name, name)
        elif op == "blob_commit":
            self.certain.pop(name, None)
            self._settle(name, data.decode())
        elif op == "remove":
            self.certain.pop(name, None)
            self._forget(name)

    def _settle(self, part: str, final: str) -> None:
        self._forget(part)
        self._forget(final)
        self.certain[final] = bytes(self.now.blobs[final])

    def _forget(self, name: str) -> None:
        self.since = [write for write in self.since if write[0] != name]

    def left(self, kept: int) -> dict[str, bytearray]:
        storage = MemoryStorage()
        storage.blobs = {name: bytearray(data) for name, data in self.certain.items()}
        for name, offset, data in self.since[:kept]:
            storage.blob_write(name, offset, data)
        return storage.blobs


@settings(deadline=None)
@given(st.integers(0, 2**31 - 1), st.integers(0, 79), st.sampled_from(MOMENTS))
def test_a_cut_anywhere_leaves_what_was_synced_and_any_first_part_of_the_rest(
    seed: int, cut_at: int, moment: str
) -> None:
    flash, told = Flash(cut_at=cut_at, moment=moment), Redone()
    for change in changes(seed, 80):
        number = flash.operations
        try:
            do(flash, change)
        except PowerCut:
            assert number == cut_at
            if moment == AFTER:
                told.do(change)
            elif moment == TORN and change[0] == "blob_write":
                told.do((*change[:3], change[3][: len(change[3]) // 2]))
            break
        told.do(change)
    assert flash.unsynced == len(told.since)
    assert flash.survivors(True).files == flash.files == told.now.files
    assert flash.survivors(True).blobs == told.now.blobs
    assert flash.survivors(False).blobs == told.left(0)
    for kept in range(flash.unsynced + 1):
        assert flash.survivors(kept).blobs == told.left(kept)


def test_a_write_and_a_sync_cost_the_same_whatever_the_size_of_the_file() -> None:
    def cost(size: int) -> int:
        flash = Flash({}, {"part/p": bytes(size)})

        def work() -> None:
            for _ in range(20):
                flash.blob_write("part/p", size // 2, b"x" * 100)
            flash.blob_sync("part/p")

        taken = steps(work)
        assert sum(len(change[3]) for change in flash.changes) == 2000
        return taken

    assert cost(1_000) == cost(1_000_000)


def test_the_same_holds_under_micropython() -> None:
    micropython.run_test_file(BOTH, heap="2m")


@pytest.mark.parametrize("heap", ["160k"])
def test_a_flash_and_its_changes_fit_beside_a_device(heap: str) -> None:
    done = micropython.run_source(
        "from sim.box.flash import Flash\n"
        "flash = Flash()\n"
        "for turn in range(200):\n"
        "    flash.blob_write('part/p', turn % 4 * 4096, bytes(4096))\n"
        "    if turn % 4 == 3: flash.blob_sync('part/p'); flash.take_changes()\n"
        "print('fits', flash.blob_size('part/p'))\n",
        heap=heap,
    )
    assert done.stdout.strip() == "fits 16384"
