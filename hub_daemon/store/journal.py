"""The journals that devices handed over: append-only, contiguous, chained; the exchange verifies before it appends."""

from __future__ import annotations

from hub_daemon.store.db import Tx


def position(tx: Tx, device: bytes) -> tuple[int, bytes]:
    """(next sequence number, hash of the newest entry): (0, 32 zero bytes) for a device without a journal here."""
    row = tx.execute("SELECT journal_next, journal_head FROM devices WHERE device = ?", (device,)).fetchone()
    if row is None or row["journal_head"] is None:
        return 0, bytes(32)
    return int(row["journal_next"]), bytes(row["journal_head"])


def append(tx: Tx, device: bytes, entries: list[tuple[int, bytes, bytes]], sign1: bytes, now_ms: int) -> None:
    """Append verified (seq, entry bytes, hash), contiguous from `position`, with the signature over the last hash."""
    tx.execute("INSERT OR IGNORE INTO devices (device) VALUES (?)", (device,))
    for seq, entry, digest in entries:
        tx.execute(
            "INSERT INTO journal (device, seq, entry, hash, received_ms) VALUES (?, ?, ?, ?, ?)",
            (device, seq, entry, digest, now_ms),
        )
    last = entries[-1]
    tx.execute(
        "INSERT INTO journal_heads (device, seq, sign1, received_ms) VALUES (?, ?, ?, ?)",
        (device, last[0], sign1, now_ms),
    )
    tx.execute(
        "UPDATE devices SET journal_next = ?, journal_head = ? WHERE device = ?",
        (last[0] + 1, last[2], device),
    )


def hash_at(tx: Tx, device: bytes, seq: int) -> bytes | None:
    row = tx.execute("SELECT hash FROM journal WHERE device = ? AND seq = ?", (device, seq)).fetchone()
    return None if row is None else bytes(row["hash"])


def entries(tx: Tx, device: bytes, first: int, count_max: int) -> list[bytes]:
    """Entries as they came, from `first` on."""
    rows = tx.execute(
        "SELECT entry FROM journal WHERE device = ? AND seq >= ? ORDER BY seq LIMIT ?",
        (device, first, count_max),
    )
    return [bytes(row["entry"]) for row in rows]
