"""Which blobs are complete on the disk. The bytes are in hub_daemon.blobs; a row here says they may be counted on."""

from __future__ import annotations

from hub_daemon.store.db import Tx


def put(tx: Tx, root: bytes, size: int, use: str, item: bytes | None, now_ms: int) -> None:
    """Note a committed blob; `use` is "envelope" (what a device sent) or "rendition". Again changes nothing."""
    tx.execute(
        "INSERT OR IGNORE INTO blobs (root, size, use, item, committed_ms) VALUES (?, ?, ?, ?, ?)",
        (root, size, use, item, now_ms),
    )


def size(tx: Tx, root: bytes) -> int | None:
    """The size of a committed blob, or None."""
    row = tx.execute("SELECT size FROM blobs WHERE root = ?", (root,)).fetchone()
    return None if row is None else int(row["size"])
