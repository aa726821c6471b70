"""Envelopes: those in custody, and those whose blob is still arriving.

An envelope is in custody when its row stands in `envelopes`, which is written in one transaction with its item.
"""

from __future__ import annotations

from dataclasses import dataclass

from hub_daemon.store.db import Row, Tx


@dataclass(frozen=True)
class Envelope:
    """`item` is SHA-256 of `sealed`. The blob fields are None for a post."""

    item: bytes
    device: bytes
    counter: int
    sealed: bytes
    blob_root: bytes | None
    blob_size: int | None
    media_type: str | None
    received_ms: int


@dataclass(frozen=True)
class Arriving:
    """An envelope that is verified but waits for its blob."""

    item: bytes
    device: bytes
    counter: int
    sealed: bytes
    blob_root: bytes
    blob_size: int
    received_ms: int


def insert(tx: Tx, envelope: Envelope) -> None:
    """Take custody; raises IntegrityError when the item or the device's counter is already taken."""
    tx.execute(
        "INSERT INTO envelopes (item, device, counter, sealed, blob_root, blob_size, media_type, received_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            envelope.item,
            envelope.device,
            envelope.counter,
            envelope.sealed,
            envelope.blob_root,
            envelope.blob_size,
            envelope.media_type,
            envelope.received_ms,
        ),
    )
    tx.execute("DELETE FROM arriving WHERE item = ?", (envelope.item,))


def get(tx: Tx, item: bytes) -> Envelope | None:
    row = tx.execute("SELECT * FROM envelopes WHERE item = ?", (item,)).fetchone()
    return None if row is None else _envelope(row)


def at_counter(tx: Tx, device: bytes, counter: int) -> bytes | None:
    """The item that took this counter of this device, in custody or arriving."""
    row = tx.execute(
        "SELECT item FROM envelopes WHERE device = ? AND counter = ?"
        " UNION SELECT item FROM arriving WHERE device = ? AND counter = ?",
        (device, counter, device, counter),
    ).fetchone()
    return None if row is None else bytes(row["item"])


def put_arriving(tx: Tx, arriving: Arriving) -> None:
    tx.execute(
        "INSERT OR IGNORE INTO arriving (item, device, counter, sealed, blob_root, blob_size, received_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            arriving.item,
            arriving.device,
            arriving.counter,
            arriving.sealed,
            arriving.blob_root,
            arriving.blob_size,
            arriving.received_ms,
        ),
    )


def arriving_of(tx: Tx, device: bytes) -> list[Arriving]:
    """What this device still owes us the blob of, in the order of its counters."""
    return [_arriving(row) for row in tx.execute("SELECT * FROM arriving WHERE device = ? ORDER BY counter", (device,))]


def remove_arriving(tx: Tx, item: bytes) -> None:
    tx.execute("DELETE FROM arriving WHERE item = ?", (item,))


def count_since(tx: Tx, device: bytes, since_ms: int) -> int:
    """How many envelopes this device handed over since a time: the daily limit's question."""
    row = tx.execute("SELECT COUNT(*) FROM envelopes WHERE device = ? AND received_ms >= ?", (device, since_ms))
    return int(row.fetchone()[0])


def _envelope(row: Row) -> Envelope:
    root = None if row["blob_root"] is None else bytes(row["blob_root"])
    return Envelope(
        bytes(row["item"]),
        bytes(row["device"]),
        row["counter"],
        bytes(row["sealed"]),
        root,
        row["blob_size"],
        row["media_type"],
        row["received_ms"],
    )


def _arriving(row: Row) -> Arriving:
    return Arriving(
        bytes(row["item"]),
        bytes(row["device"]),
        row["counter"],
        bytes(row["sealed"]),
        bytes(row["blob_root"]),
        row["blob_size"],
        row["received_ms"],
    )
