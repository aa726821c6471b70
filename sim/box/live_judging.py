"""Files of a live run -> here -> outcome: what hub and devices have stored, held to the oracle's rules at the end.

Nothing runs any more. The hub's database is read with plain SQL, the devices' folders as files; what they say is told
to the oracle in the order in which it was committed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import cbor2

from hub_daemon.store import Store, Tx
from sim.box.oracle import Oracle, Wrong

CRC_BYTES = 4  # behind what a device stores
Failure = tuple[str, str]  # (invariant, words)


class Judging:
    """`failures` grows. `hub` is the hub's folder; `name(item)` says an item in words."""

    def __init__(self, wing: str, hub: Path, hub_x25519: bytes, name: Callable[[bytes], str]) -> None:
        self.failures: list[Failure] = []
        self.oracle = Oracle(wing, hub_x25519)
        self.items: dict[bytes, str] = {}  # every item of the hub, with its state
        self._name = name
        with contextlib.closing(Store(hub / "hub.sqlite3")) as store, store.read() as tx:
            self._hub(tx)

    def sure(self, about: str, check: Callable[..., object], *values: object) -> bool:
        """Whether the oracle has nothing against it; if it has, that is a failure."""
        try:
            check(*values)
        except Wrong as wrong:
            self.failures.append((wrong.invariant, f"{about}: {wrong.words}"))
            return False
        return True

    def _hub(self, tx: Tx) -> None:
        for signed, register in tx.execute("SELECT signed, register FROM rosters ORDER BY version").fetchall():
            self.sure("a roster", self.oracle.roster, signed, register)
        for sealed, device in tx.execute("SELECT sealed, device FROM envelopes ORDER BY received_ms").fetchall():
            self.sure("an envelope", self.oracle.letter, sealed, device)
        for item, body, sign1s in self._decisions(tx):
            self.sure(self._name(item), self.oracle.decided, body, sign1s)
        self.items = {row[0]: row[1] for row in tx.execute("SELECT id, state FROM items").fetchall()}
        for item, state in self.items.items():
            said = self.oracle.state.get(item)
            shown = {"delivered": "approved"}.get(state, state)
            if shown in ("approved", "returned", "rejected", "recalled") and said != shown:
                self.failures.append(("S1", f"{self._name(item)} is {state}, and signed as {said or 'nothing'}"))

    @staticmethod
    def _decisions(tx: Tx) -> Iterator[tuple[bytes, bytes, list[bytes]]]:
        """(item, body, signatures) of each statement, in the order of their last signatures."""
        order = (
            "SELECT s.digest, s.item, s.body FROM statements s JOIN signatures g ON g.statement = s.digest"
            " GROUP BY s.digest ORDER BY max(g.signed_ms), s.decided_ms, s.rowid"
        )
        for digest, item, body in tx.execute(order).fetchall():
            rows = tx.execute("SELECT sign1 FROM signatures WHERE statement = ? ORDER BY signed_ms", (digest,))
            yield item, body, [row[0] for row in rows.fetchall()]

    def saved(self, items: dict[bytes, str], known: Callable[[str], bool]) -> None:
        """S4: everything that a device's page said was saved is at the hub, and nothing that nobody tried to save."""
        for item, event in items.items():
            if item not in self.items:
                self.failures.append(("S4", f"{event} was saved, and never came to the hub"))
        for item, letter in self.oracle.letters.items():
            if item not in items and not known(letter.text):
                self.failures.append(("S9", f"{self._name(item)} is from nobody: {letter.text[:40]!r}"))

    def device(self, learner: str, folder: Path, now_s: int) -> None:
        """S1, S2, S3, L3: this device holds what its learner may have, as staff signed it, and all of it."""
        held = set()
        for path in sorted((folder / "inbox").iterdir()):
            if len(path.name) != 64:
                continue  # a file that a kill left unfinished; the device forgets it at its next start
            _, _, bundle = cbor2.loads(path.read_bytes()[:-CRC_BYTES])
            item = bytes.fromhex(path.name)
            if self.sure(f"{self._name(item)} on the device of {learner}", self.oracle.may_keep, learner, bundle):
                held.add(item)
        for item in self.oracle.shown_to(learner, now_s):
            if item not in held:
                self.failures.append(("L3", f"{self._name(item)} is not on the device of {learner}"))
        for item in sorted(held):
            if self.oracle.state.get(item) == "recalled":
                self.failures.append(("S1", f"{self._name(item)} was recalled, and is on the device of {learner}"))
