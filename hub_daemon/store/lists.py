"""What the hub remembers per device: its delivery list's version, its counters, its receipts."""

from __future__ import annotations

from dataclasses import dataclass

from hub_daemon.store.db import Row, Tx


@dataclass(frozen=True)
class DeviceState:
    """`list_content` is the digest of the list's content: the same content keeps the same version."""

    device: bytes
    counter_max: int
    journal_next: int
    journal_head: bytes | None
    list_version: int
    list_signed: bytes | None
    list_issued_s: int
    list_content: bytes | None
    docked_ms: int | None


@dataclass(frozen=True)
class Receipt:
    """The newest verified receipt of a device for an item; state 1 committed, 2 removed."""

    device: bytes
    item: bytes
    statement: bytes
    state: int
    list_version: int
    signed: bytes
    received_ms: int


def device_state(tx: Tx, device: bytes) -> DeviceState:
    """What is known of a device; a device never seen has zeros."""
    row = tx.execute("SELECT * FROM devices WHERE device = ?", (device,)).fetchone()
    if row is None:
        return DeviceState(device, -1, 0, None, 0, None, 0, None, None)

    def blob(name: str) -> bytes | None:
        return None if row[name] is None else bytes(row[name])

    return DeviceState(
        device,
        row["counter_max"],
        row["journal_next"],
        blob("journal_head"),
        row["list_version"],
        blob("list_signed"),
        row["list_issued_s"],
        blob("list_content"),
        row["docked_ms"],
    )


def _ensure(tx: Tx, device: bytes) -> None:
    tx.execute("INSERT OR IGNORE INTO devices (device) VALUES (?)", (device,))


def put_list(tx: Tx, device: bytes, version: int, signed: bytes, issued_s: int, content: bytes) -> bool:
    """A new list; False (and no change) unless its version is above the one before."""
    _ensure(tx, device)
    changed = tx.execute(
        "UPDATE devices SET list_version = ?, list_signed = ?, list_issued_s = ?, list_content = ?"
        " WHERE device = ? AND list_version < ?",
        (version, signed, issued_s, content, device, version),
    )
    return changed.rowcount == 1


def raise_list_version(tx: Tx, device: bytes, version: int) -> None:
    """A device that saw a newer list than we remember (we were put back from a backup): go on above it."""
    _ensure(tx, device)
    tx.execute(
        "UPDATE devices SET list_version = ?, list_signed = NULL, list_content = NULL"
        " WHERE device = ? AND list_version < ?",
        (version, device, version),
    )


def raise_counter(tx: Tx, device: bytes, counter: int) -> None:
    _ensure(tx, device)
    tx.execute("UPDATE devices SET counter_max = MAX(counter_max, ?) WHERE device = ?", (counter, device))


def note_docked(tx: Tx, device: bytes, now_ms: int) -> None:
    _ensure(tx, device)
    tx.execute("UPDATE devices SET docked_ms = ? WHERE device = ?", (now_ms, device))


def put_receipt(tx: Tx, receipt: Receipt) -> None:
    """Keep a verified receipt; a removal replaces a commit, an older list version never replaces a newer."""
    tx.execute(
        "INSERT INTO receipts (device, item, statement, state, list_version, signed, received_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (device, item) DO UPDATE SET statement = excluded.statement,"
        " state = excluded.state, list_version = excluded.list_version, signed = excluded.signed,"
        " received_ms = excluded.received_ms WHERE excluded.list_version >= receipts.list_version",
        (
            receipt.device,
            receipt.item,
            receipt.statement,
            receipt.state,
            receipt.list_version,
            receipt.signed,
            receipt.received_ms,
        ),
    )


def receipt_of(tx: Tx, device: bytes, item: bytes) -> Receipt | None:
    """The newest receipt of this device for this item."""
    row = tx.execute("SELECT * FROM receipts WHERE device = ? AND item = ?", (device, item)).fetchone()
    return None if row is None else _receipt(row)


def receipts_of_device(tx: Tx, device: bytes) -> dict[bytes, Receipt]:
    return {receipt.item: receipt for receipt in _receipts(tx, "device", device)}


def receipts_of_item(tx: Tx, item: bytes) -> list[Receipt]:
    return _receipts(tx, "item", item)


def _receipts(tx: Tx, which: str, key: bytes) -> list[Receipt]:
    if which == "device":
        rows = tx.execute("SELECT * FROM receipts WHERE device = ?", (key,))
    else:
        rows = tx.execute("SELECT * FROM receipts WHERE item = ? ORDER BY received_ms", (key,))
    return [_receipt(row) for row in rows]


def _receipt(row: Row) -> Receipt:
    return Receipt(
        bytes(row["device"]),
        bytes(row["item"]),
        bytes(row["statement"]),
        row["state"],
        row["list_version"],
        bytes(row["signed"]),
        row["received_ms"],
    )
