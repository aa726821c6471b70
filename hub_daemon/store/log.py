"""The hub's log: one row for everything that was done, written in the same transaction as the act itself.

Each row carries its RFC 6962 leaf hash; `root` is the Merkle tree hash over all of them (RFC 6962 section 2.1).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from hub_daemon.limits import LOG_DETAIL_CHARS_MAX, LOG_PAGE_ROWS_MAX
from hub_daemon.store.db import Row, Tx
from protocol import cbor


@dataclass(frozen=True)
class Entry:
    """One row. `actor` is a person, "device:<hex>" or "hub"; `action` a short code; `item` an item id or None."""

    seq: int
    at_ms: int
    actor: str
    action: str
    item: bytes | None
    detail: str
    leaf: bytes

    def encode(self) -> bytes:
        """The bytes the leaf hash is taken over."""
        return cbor.dumps({1: self.seq, 2: self.at_ms, 3: self.actor, 4: self.action, 5: self.item, 6: self.detail})


def inert(text: str) -> str:
    """`text` bounded and without anything that could break a line or hide in one."""
    bounded = text[:LOG_DETAIL_CHARS_MAX]
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in bounded)[:LOG_DETAIL_CHARS_MAX]


def append(tx: Tx, at_ms: int, actor: str, action: str, item: bytes | None = None, detail: str = "") -> Entry:
    """Add one row and return it."""
    seq = int(tx.execute("SELECT COALESCE(MAX(seq), -1) + 1 FROM log").fetchone()[0])
    entry = Entry(seq, at_ms, inert(actor), inert(action), item, inert(detail), b"")
    leaf = hashlib.sha256(b"\x00" + entry.encode()).digest()
    tx.execute(
        "INSERT INTO log (seq, at_ms, actor, action, item, detail, leaf) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (entry.seq, entry.at_ms, entry.actor, entry.action, entry.item, entry.detail, leaf),
    )
    return Entry(seq, at_ms, entry.actor, entry.action, item, entry.detail, leaf)


def of_item(tx: Tx, item: bytes) -> list[Entry]:
    """The history of one item, oldest first."""
    rows = tx.execute("SELECT * FROM log WHERE item = ? ORDER BY seq LIMIT ?", (item, LOG_PAGE_ROWS_MAX))
    return [_entry(row) for row in rows]


def since(tx: Tx, seq: int, rows_max: int = LOG_PAGE_ROWS_MAX) -> list[Entry]:
    """Rows from `seq` on, oldest first, at most `rows_max`."""
    rows = tx.execute("SELECT * FROM log WHERE seq >= ? ORDER BY seq LIMIT ?", (seq, min(rows_max, LOG_PAGE_ROWS_MAX)))
    return [_entry(row) for row in rows]


def size(tx: Tx) -> int:
    return int(tx.execute("SELECT COUNT(*) FROM log").fetchone()[0])


def root(tx: Tx) -> bytes:
    """The Merkle tree hash over all leaves; SHA-256 of nothing for an empty log."""
    stack: list[tuple[int, bytes]] = []
    for row in tx.execute("SELECT leaf FROM log ORDER BY seq"):
        node = (0, bytes(row["leaf"]))
        while stack and stack[-1][0] == node[0]:
            left = stack.pop()
            node = (node[0] + 1, hashlib.sha256(b"\x01" + left[1] + node[1]).digest())
        stack.append(node)
    if not stack:
        return hashlib.sha256(b"").digest()
    result = stack.pop()[1]
    while stack:
        result = hashlib.sha256(b"\x01" + stack.pop()[1] + result).digest()
    return result


def first_edited(tx: Tx) -> int | None:
    """The first row whose leaf is not the hash of what it says, or None: an edit behind our back."""
    for place, row in enumerate(tx.execute("SELECT * FROM log ORDER BY seq")):
        entry = _entry(row)
        if entry.seq != place or hashlib.sha256(b"\x00" + entry.encode()).digest() != entry.leaf:
            return place
    return None


def _entry(row: Row) -> Entry:
    item = None if row["item"] is None else bytes(row["item"])
    return Entry(row["seq"], row["at_ms"], row["actor"], row["action"], item, row["detail"], bytes(row["leaf"]))
