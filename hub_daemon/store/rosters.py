"""Signed rosters by version, each with the body of the register whose digest it names."""

from __future__ import annotations

from dataclasses import dataclass

from hub_daemon.store.db import Row, Tx


@dataclass(frozen=True)
class StoredRoster:
    version: int
    signed: bytes
    register: bytes


def put(tx: Tx, version: int, signed: bytes, register: bytes, now_ms: int) -> None:
    """A new version; raises IntegrityError when it is already there: a version is written once."""
    tx.execute(
        "INSERT INTO rosters (version, signed, register, committed_ms) VALUES (?, ?, ?, ?)",
        (version, signed, register, now_ms),
    )


def newest(tx: Tx) -> StoredRoster | None:
    row = tx.execute("SELECT * FROM rosters ORDER BY version DESC LIMIT 1").fetchone()
    return None if row is None else _roster(row)


def newest_version(tx: Tx) -> int:
    """0 while the wing has no roster."""
    return int(tx.execute("SELECT COALESCE(MAX(version), 0) FROM rosters").fetchone()[0])


def since(tx: Tx, version: int, count_max: int = 1000) -> list[StoredRoster]:
    """The versions after `version`, in order: what a device missed."""
    rows = tx.execute("SELECT * FROM rosters WHERE version > ? ORDER BY version LIMIT ?", (version, count_max))
    return [_roster(row) for row in rows]


def _roster(row: Row) -> StoredRoster:
    return StoredRoster(row["version"], bytes(row["signed"]), bytes(row["register"]))
