"""Small facts about this hub that outlive a start (the wing's name, whether it was bootstrapped)."""

from __future__ import annotations

from hub_daemon.store.db import Tx


def get(tx: Tx, key: str) -> bytes | None:
    row = tx.execute("SELECT value FROM settings WHERE key = ?", (key,)).fetchone()
    return None if row is None else bytes(row["value"])


def put(tx: Tx, key: str, value: bytes) -> None:
    tx.execute(
        "INSERT INTO settings VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (key, value),
    )
