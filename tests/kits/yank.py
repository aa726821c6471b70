"""One docking with cuts, both ends real, in one process and in virtual time: for the tests that yank at every byte.

The device is firmware Device and Dock over a storage in memory that can lose its power; the hub is the real stack,
filter and Exchange over real SQLite and real blob files on a disk that can. Between them a wire that carries exactly so
many bytes each way and is then lifted. Nothing is random and no clock is read: the same cut is the same run.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import itertools
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from firmware.device import Device
from firmware.dock import Dock
from hub_daemon import exchange as exchanges
from hub_daemon.blobs import BlobStore
from hub_daemon.exchange import Exchange
from hub_daemon.limits import DEVICE_SILENT_MS_MAX
from hub_daemon.store import Store
from hub_daemon.wing import Wing
from protocol.blob import LEAF_CHUNKS
from protocol.records.hello import Status
from tests.kits.exchange_side import ExchangeSide
from tests.kits.faulty_disk import FaultyDisk
from tests.kits.faulty_storage import FaultyStorage, PowerCut
from tests.kits.hub import WING
from tests.kits.wing import START_S, Seeded
from tests.kits.yank_scene import START_MS, Scene, make_scene
from tests.kits.yank_witness import Witness

UP, DOWN = "up", "down"
# what a cut of the wire is, and how the device is seated again
SOON = "soon"  # 40 ms later: the link lives and goes on
SILENCE = "silence"  # after both ends took each other for gone
REOPENED = "reopened"  # at once, on ports that were opened anew
DEVICE = "device"  # the device lost its power at that byte: all of it is rebuilt from its storage
HUB = "hub"  # the hub lost its power at that byte
SEATS = (SOON, SILENCE, REOPENED, DEVICE, HUB)

PIECE_BYTES = 600  # carried in a step of ...
PIECE_MS = 2  # ... so long: 3 Mbaud
FLIGHT_BYTES = 1200  # what is on the wire, and lost when it is lifted
SOON_MS = 40
SILENCE_MS = DEVICE_SILENT_MS_MAX + 1000
END_MS = 120_000  # of virtual time after the last cut; then it does not complete


@dataclass(frozen=True)
class WireCut:
    """The wire is lifted when `count` bytes of `direction` have arrived; seated again as `seat` says."""

    direction: str
    count: int
    seat: str


@dataclass(frozen=True)
class PowerLoss:
    """Power goes at operation `operation` (counted from the last cut) of the storage of `end`, DEVICE or HUB."""

    end: str
    operation: int
    moment: str
    keep_unsynced: bool


Cut = WireCut | PowerLoss


class Visit:
    """A device at a dock, from its seat until everything is done. `wire` is what arrived since the last cut."""

    def __init__(self, scene: Scene, directory: Path, ticket: bool = True) -> None:
        self.scene = scene
        self.now = scene.now
        self.wire = {UP: bytearray(), DOWN: bytearray()}
        self.cuts = 0  # how many happened: fewer than asked for when everything was done before
        self.operations = {DEVICE: 0, HUB: 0}  # of the storages, when everything was done
        self._disks = 0
        self._random = Seeded("visit")
        self._directory = directory
        self._queues = {UP: bytearray(), DOWN: bytearray()}
        self._settled = False
        self.witness = Witness(scene, directory / "witness")
        files = dict(scene.device_files)
        if not ticket:
            del files["keys/ticket"]
        self.storage = FaultyStorage(files, scene.device_blobs)
        self.disk = FaultyDisk(directory / "hub0", scene.hub_files)
        self._off = {DEVICE, HUB}
        self.store: Store | None = None

    # the ends

    def _power_up(self) -> None:
        """Start whatever is without power, from its storage alone."""
        if HUB in self._off:
            self.store = self.disk.open_store()
            wing = Wing(self.store, self.scene.keys, WING)
            self.exchange = Exchange(self.store, self.scene.keys, BlobStore(self.disk.directory / "blobs"), wing)
            self._open_hub_port()
            self._off.remove(HUB)
        if DEVICE in self._off:
            self.device = Device(self.storage, self._random, lambda: START_S + self.now // 1000)
            self.dock = Dock(self.device, self._random)
            self._off.remove(DEVICE)
        self.witness.look(self.device, self.storage, self.disk)

    def _open_hub_port(self) -> None:
        self.hub = ExchangeSide(self.exchange, self._said, self._random, lambda: START_MS + self.now, self._heard)

    def _heard(self, kind: str, payload: bytes) -> None:
        self.witness.heard(kind, payload, self.storage)

    def _said(self, kind: str, payload: bytes) -> bytes:
        self.witness.said(kind, payload, self.disk)
        if kind == "hello":
            self._settled = Status.decode(payload).phase == "settled"
        return payload

    def _close_hub(self) -> None:
        """What the end of a process does: descriptors close, nothing is written."""
        if self.store is None:
            return
        for docking in self.exchange.dockings.values():
            if docking.part is not None:
                docking.part.close()
        self.store.close()

    def close(self) -> None:
        self._close_hub()
        shutil.rmtree(self._directory, ignore_errors=True)

    # the run

    def run(self, *cuts: Cut) -> None:
        """The whole visit with these cuts, one after the other, and the witness asked at each."""
        for cut in (*cuts, None):
            if not self._until(cut):
                break
            self.cuts += 1
        self._arm(None)
        self.operations = {DEVICE: self.storage.operations, HUB: self.disk.operations}
        self.witness.complete(self.device, self.storage, self.disk)

    def _until(self, cut: Cut | None) -> bool:
        """Go on until the cut has happened; False when everything is done before."""
        self.wire = {UP: bytearray(), DOWN: bytearray()}
        end = self.now + END_MS
        with self.disk.mounted(), _short_syncs():
            self._arm(cut)
            try:
                self._power_up()
                while self.now < end:
                    if self._step(cut):
                        assert isinstance(cut, WireCut)
                        self._lift(cut.seat)
                        return True
                    if self.complete:
                        return False
            except PowerCut:
                assert isinstance(cut, PowerLoss)
                self._lose(cut.end, cut.keep_unsynced)
                return True
        raise AssertionError(f"not complete after {END_MS} ms: {self._how_far()}")

    @property
    def complete(self) -> bool:
        """The learner may lift the device, and the hub has nothing to wait for."""
        return (
            self.device.phase == "settled" and self.device.can_lift and self._settled
            and not self.device.journal.waiting() and not self._queues[UP] and not self._queues[DOWN]
            and not self.hub.stack.unacked()
        )  # fmt: skip

    def _how_far(self) -> str:
        journal, hub = self.device.journal.waiting(), "settled" if self._settled else "not settled"
        return f"device {self.device.phase}, {journal} journal entries wait; hub {hub}"

    def _arm(self, cut: Cut | None) -> None:
        self.storage.cut_at = self.disk.cut_at = None
        if isinstance(cut, PowerLoss):
            end = self.storage if cut.end == DEVICE else self.disk
            end.cut_at, end.moment = end.operations + cut.operation, cut.moment

    def _step(self, cut: Cut | None) -> bool:
        """What happens at this instant; whether the wire was lifted at the byte of `cut`."""
        moved = False
        for direction, source, target in ((UP, self.dock, self.hub), (DOWN, self.hub, self.dock)):
            queue = self._queues[direction]
            while len(queue) < FLIGHT_BYTES and (data := source.to_send(self.now)):
                queue += data
            piece = bytes(queue[:PIECE_BYTES])
            left = len(piece) + 1
            if isinstance(cut, WireCut) and cut.direction == direction:
                left = cut.count - len(self.wire[direction])
            piece = piece[:left]
            if piece:
                moved = True
                self.wire[direction] += piece
                target.receive(piece, self.now)
                del queue[: len(piece)]
            if left <= len(piece):
                return True
        self._pass(PIECE_MS if moved else self._idle_ms())
        return False

    def _idle_ms(self) -> int:
        """To the next deadline of either end."""
        times = [at for at in (self.dock.next_deadline(), self.hub.next_deadline()) if at is not None]
        return max(1, min(1000, min(times) - self.now)) if times else 1

    def _pass(self, ms: int) -> None:
        self.now += ms
        self.dock.tick(self.now)
        self.hub.tick(self.now)

    # after a cut

    def _cut(self) -> None:
        """What was on the wire is gone, and the witness sees what is durable."""
        self._queues = {UP: bytearray(), DOWN: bytearray()}
        self.witness.cut(self.storage, self.disk)

    def _lift(self, seat: str) -> None:
        """The wire is out, what was on it is gone; then it is in again."""
        if seat in (DEVICE, HUB):
            self._lose(seat, True)
            return
        self._cut()
        self.witness.look(self.device, self.storage, self.disk)
        if seat == REOPENED:
            self._settled = False
            self.hub.end()
            self._open_hub_port()
            self.dock.restart()
            return
        end = self.now + (SOON_MS if seat == SOON else SILENCE_MS)
        while self.now < end:
            self.dock.to_send(self.now)
            self.hub.to_send(self.now)
            self._pass(min(self._idle_ms(), end - self.now))
        if seat == SILENCE:
            assert not self.dock.stack.up and not self.hub.stack.up
            self._settled = False

    def _lose(self, end: str, keep_unsynced: bool) -> None:
        """The power of one end goes; what its storage still has is what it starts from again."""
        self._cut()
        self._settled = False
        self._off.add(end)
        if end == DEVICE:
            self.storage = self.storage.survivors(keep_unsynced)
        else:
            files = self.disk.survivors(keep_unsynced)
            self._close_hub()
            shutil.rmtree(self.disk.directory)
            self._disks += 1
            self.disk = FaultyDisk(self._directory / f"hub{self._disks}", files)


@contextlib.contextmanager
def _short_syncs() -> Iterator[None]:
    """The hub waits for its disk at every leaf: a blob of two leaves then has every state that a long one has."""
    before = exchanges.SYNC_CHUNKS
    exchanges.SYNC_CHUNKS = LEAF_CHUNKS
    try:
        yield
    finally:
        exchanges.SYNC_CHUNKS = before


# many of them

Plan = tuple[Cut, ...]
BATCH_PLANS = 50
RUNS_A_COLLECTION = 20
_count = itertools.count(1)
MEMORY = Path("/dev/shm")  # an fsync costs nothing there; what a cut leaves is the kit's to say, not the kernel's


@functools.cache
def scene() -> Scene:
    """The one starting state of this process."""
    return make_scene()


def run(*cuts: Cut, ticket: bool = True) -> Visit:
    """One visit with these cuts; AssertionError when a promise is broken. Without a ticket the device docks with IK."""
    directory = Path(tempfile.mkdtemp(prefix="perch-yank-", dir=MEMORY if MEMORY.is_dir() else None))
    visit = Visit(scene(), directory, ticket)
    if next(_count) % RUNS_A_COLLECTION == 0:
        gc.collect()  # a visit is full of circles, and nothing looks at those that are frozen
    gc.freeze()  # a device collects often; what was there before it need not be looked at each time
    try:
        visit.run(*cuts)
    finally:
        visit.close()
        gc.unfreeze()
    return visit


@functools.cache
def whole(ticket: bool = True) -> Visit:
    """The visit that nothing cuts: how many bytes and operations there are to cut at."""
    return run(ticket=ticket)


def try_plans(plans: list[Plan], ticket: bool = True) -> list[str]:
    """What broke, one line for each plan that did; a plan of one cut must have been cut."""
    broken = []
    for plan in plans:
        try:
            visit = run(*plan, ticket=ticket)
            assert visit.cuts == 1 or len(plan) > 1, "the cut did not happen"
        except Exception as error:
            cuts = ", ".join(repr(cut) for cut in plan)
            broken.append(f"run({cuts}, ticket={ticket}): {type(error).__name__}: {error}")
    return broken


def try_all(plans: Iterable[Plan], ticket: bool = True) -> list[str]:
    """As `try_plans`, on every core of this machine."""
    waiting = list(plans)
    batches = [waiting[at : at + BATCH_PLANS] for at in range(0, len(waiting), BATCH_PLANS)]
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
        return [line for broken in pool.map(functools.partial(try_plans, ticket=ticket), batches) for line in broken]
