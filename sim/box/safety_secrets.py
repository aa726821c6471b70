"""Wires, storage, logs and ciphers -> here: no words in the open, and no nonce twice.

Both look at every byte, so they watch only the runs that ask for it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hub_daemon.store import log
from protocol.crypto import nacl
from sim.box.devices import DeviceBox
from sim.box.docks import Docking
from sim.box.ports import DOWN, UP, Lane

if TYPE_CHECKING:
    from sim.box.safety_hub import Fail
    from sim.box.world import World

CANARY = re.compile(rb"\[([a-z0-9]+\.d\d+\.[a-z]+\d+)\]")  # what sim.box.learners.text_of begins every text with
TAIL_BYTES = 48  # as long as a canary may be: it may come in two pieces


class Canaries:
    """Looks for the words of messages where nobody may find them."""

    def __init__(self, world: World, fail: Fail) -> None:
        self.world = world
        self._fail = fail
        before = world.docks.on_seat

        def seat(docking: Docking) -> None:
            if docking.wire is not None:
                for direction in (UP, DOWN):
                    self._watch(docking.wire.lane(direction), f"the wire {direction} of {docking.id}")
            before(docking)

        world.docks.on_seat = seat

    def _watch(self, lane: Lane, where: str) -> None:
        before, tail = lane.watch, b""

        def look(data: bytes) -> None:
            nonlocal tail
            tail += data
            self.look(tail, where)
            tail = tail[-TAIL_BYTES:]
            if before is not None:
                before(data)

        lane.watch = look

    def look(self, data: bytes, where: str) -> None:
        """Bytes in which no message may be found."""
        found = CANARY.search(data)
        if found is not None:
            self._fail("S10", f"the words of {found[1].decode()} are in {where}")

    def row(self, entry: log.Entry) -> None:
        self.look(entry.detail.encode(), f"row {entry.seq} of the hub's log")

    def change(self, box: DeviceBox, change: tuple[Any, ...]) -> None:
        """A device may keep its own learner's words, and in the inbox those of what it may have."""
        op, name, _, data = change
        if op not in ("write", "blob_write"):
            return
        for found in CANARY.finditer(data):
            event = found[1].decode()
            if event.partition(".")[0] == box.learner:
                continue
            message = self.world.ledger.messages.get(event)
            if message is None or name != "inbox/" + message.item.hex():
                self._fail("S10", f"the words of {event} are in {name} of {box.name}")


class Nonces:
    """Every pair of key and nonce that sealed something, with the digest of what it sealed."""

    def __init__(self, fail: Fail) -> None:
        self._fail = fail
        self._sealed: dict[bytes, bytes] = {}

    def note(self, key: bytes, nonce: bytes, ad: bytes, plaintext: bytes) -> None:
        pair = hashlib.sha256(bytes(key) + bytes(nonce)).digest()[:16]
        whole = hashlib.sha256(len(ad).to_bytes(4, "big") + bytes(ad) + bytes(plaintext)).digest()[:8]
        if self._sealed.setdefault(pair, whole) != whole:
            self._fail("S11", f"nonce {bytes(nonce).hex()} sealed two different things under one key")

    @contextmanager
    def watching(self) -> Iterator[None]:
        """While this lasts, every sealing of the backend is noted."""
        before: Callable[..., bytes] = nacl.seal

        def seal(key: bytes, nonce: bytes, ad: bytes, plaintext: bytes) -> bytes:
            self.note(key, nonce, ad, plaintext)
            return before(key, nonce, ad, plaintext)

        nacl.seal = seal
        try:
            yield
        finally:
            nacl.seal = before
