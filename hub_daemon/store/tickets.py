"""The tickets that devices come back with: one per device, the newest, good for RESUME_MS_MAX by the hub's clock.

A ticket that is gone, old or not the device's costs that docking nothing (protocol.session says why), so whatever is in
doubt is not used, and a database put back from a backup locks nobody out.
"""

from __future__ import annotations

from collections.abc import Iterable

from hub_daemon.limits import RESUME_MS_MAX
from hub_daemon.store.db import Tx


def put(tx: Tx, device: bytes, ticket: bytes, now_ms: int) -> None:
    """The next one, in the place of the one before: each is used once."""
    tx.execute(
        "INSERT INTO tickets (device, ticket, seen_ms) VALUES (?, ?, ?) ON CONFLICT (device) DO UPDATE SET"
        " ticket = excluded.ticket, seen_ms = excluded.seen_ms",
        (device, ticket, now_ms),
    )


def find(tx: Tx, device: bytes, now_ms: int) -> bytes | None:
    """The device's ticket; None when there is none, or it is too old or from the future."""
    row = tx.execute("SELECT ticket, seen_ms FROM tickets WHERE device = ?", (device,)).fetchone()
    if row is None or not 0 <= now_ms - row["seen_ms"] <= RESUME_MS_MAX or len(row["ticket"]) != 32:
        return None
    return bytes(row["ticket"])


def lifted(tx: Tx, device: bytes, now_ms: int) -> None:
    """The docking ended: its ticket's day begins now."""
    tx.execute("UPDATE tickets SET seen_ms = ? WHERE device = ?", (now_ms, device))


def keep_only(tx: Tx, devices: Iterable[bytes]) -> None:
    """Forget those of every other device: it was revoked, or its time is over."""
    kept = set(devices)
    for row in tx.execute("SELECT device FROM tickets").fetchall():
        if bytes(row["device"]) not in kept:
            tx.execute("DELETE FROM tickets WHERE device = ?", (row["device"],))
