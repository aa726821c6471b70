"""Items, their renditions, and the statements staff signed about them.

State changes outside moderation are here (`to_pending`, `refuse_technical`, `delivered`); moderation's own are in
queue.py. Every change is one conditional UPDATE on state and version.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hub_daemon.store import log
from hub_daemon.store.db import Row, Tx


@dataclass(frozen=True)
class Item:
    """One thing in the queue. `id` is the envelope's digest; `text` is what the learner wrote, not the rendition."""

    id: bytes
    kind: str
    author_learner: str
    device: bytes
    group_id: str | None
    parent: bytes | None
    received_ms: int
    state: str
    version: int
    text: str
    blob_root: bytes | None
    refusal: str | None
    changed_ms: int
    statement: bytes | None


@dataclass(frozen=True)
class Rendition:
    """What people get to see. Roles: "text" (body here), "video", "still" and "contact" (a blob named `digest`).

    "contact" is the contact sheet for staff; it is never part of a statement and never leaves the hub.
    """

    role: str
    digest: bytes
    length: int
    media_type: str
    body: bytes | None = None


@dataclass(frozen=True)
class SignedStatement:
    digest: bytes
    item: bytes
    item_version: int
    action: int
    body: bytes
    decided_ms: int
    signatures: tuple[tuple[str, bytes], ...]  # (person, COSE_Sign1), in the order they signed


def insert(tx: Tx, item: Item) -> None:
    """A new item; raises IntegrityError when the id is already there."""
    tx.execute(
        "INSERT INTO items (id, kind, author_learner, device, group_id, parent, received_ms, state, version, text,"
        " blob_root, refusal, changed_ms, statement) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            item.id,
            item.kind,
            item.author_learner,
            item.device,
            item.group_id,
            item.parent,
            item.received_ms,
            item.state,
            item.version,
            item.text,
            item.blob_root,
            item.refusal,
            item.changed_ms,
            item.statement,
        ),
    )


DELIVERED_STATES = ("approved", "delivered", "returned", "rejected")  # whose statement somebody may hold


def get(tx: Tx, item: bytes) -> Item | None:
    row = tx.execute("SELECT * FROM items WHERE id = ?", (item,)).fetchone()
    return None if row is None else _item(row)


def in_state(tx: Tx, state: str, count_max: int = 100) -> list[Item]:
    """Items of one state, oldest first."""
    rows = tx.execute("SELECT * FROM items WHERE state = ? ORDER BY received_ms, rowid LIMIT ?", (state, count_max))
    return [_item(row) for row in rows]


def next_ingested(tx: Tx) -> Item | None:
    """The oldest item that has no renditions yet: the media worker's next."""
    found = in_state(tx, "ingested", 1)
    return found[0] if found else None


def of_device(tx: Tx, device: bytes, count_max: int) -> list[Item]:
    """The newest `count_max` items that this device handed over, newest first."""
    rows = tx.execute(
        "SELECT * FROM items WHERE device = ? ORDER BY received_ms DESC, rowid DESC LIMIT ?",
        (device, count_max),
    )
    return [_item(row) for row in rows]


def counts(tx: Tx) -> dict[str, int]:
    """How many items are in each state."""
    return {row[0]: row[1] for row in tx.execute("SELECT state, COUNT(*) FROM items GROUP BY state")}


def to_pending(
    tx: Tx, item: bytes, renditions: Iterable[Rendition], marks: Iterable[tuple[str, str]], now_ms: int
) -> bool:
    """ingested -> pending with its renditions and machine marks; False when the item is no longer ingested.

    Video, still and contact renditions must already be in the blob store (and in `blobs`).
    """
    changed = tx.execute(
        "UPDATE items SET state = 'pending', version = version + 1, changed_ms = ? WHERE id = ? AND state = 'ingested'",
        (now_ms, item),
    )
    if changed.rowcount != 1:
        return False
    tx.execute("DELETE FROM renditions WHERE item = ?", (item,))
    for rendition in renditions:
        tx.execute(
            "INSERT INTO renditions (item, role, digest, length, media_type, body) VALUES (?, ?, ?, ?, ?, ?)",
            (item, rendition.role, rendition.digest, rendition.length, rendition.media_type, rendition.body),
        )
    for name, detail in marks:
        tx.execute(
            "INSERT OR IGNORE INTO marks (item, name, detail) VALUES (?, ?, ?)",
            (item, name, log.inert(detail)),
        )
    log.append(tx, now_ms, "hub", "pending", item)
    return True


def refuse_technical(tx: Tx, item: bytes, name: str, words: str, now_ms: int) -> bool:
    """ingested -> refused: the media worker could make nothing of it. `name` is the refusal's class name."""
    changed = tx.execute(
        "UPDATE items SET state = 'refused', version = version + 1, changed_ms = ?, refusal = ?"
        " WHERE id = ? AND state = 'ingested'",
        (now_ms, name, item),
    )
    if changed.rowcount != 1:
        return False
    log.append(tx, now_ms, "hub", "refused", item, f"{name}: {words}")
    return True


def delivered(tx: Tx, item: bytes, now_ms: int) -> bool:
    """approved -> delivered, at the first verified receipt of somebody who is not the author."""
    changed = tx.execute(
        "UPDATE items SET state = 'delivered', version = version + 1, changed_ms = ? WHERE id = ?"
        " AND state = 'approved'",
        (now_ms, item),
    )
    return changed.rowcount == 1


def renditions(tx: Tx, item: bytes) -> list[Rendition]:
    """All renditions of an item, by role."""
    rows = tx.execute("SELECT * FROM renditions WHERE item = ? ORDER BY role", (item,))
    return [
        Rendition(
            row["role"],
            bytes(row["digest"]),
            row["length"],
            row["media_type"],
            None if row["body"] is None else bytes(row["body"]),
        )
        for row in rows
    ]


def text(tx: Tx, item: bytes) -> bytes | None:
    """The canonical text rendition's bytes, or None."""
    row = tx.execute("SELECT body FROM renditions WHERE item = ? AND role = 'text'", (item,)).fetchone()
    return None if row is None or row["body"] is None else bytes(row["body"])


def marks(tx: Tx, item: bytes) -> list[tuple[str, str]]:
    rows = tx.execute("SELECT name, detail FROM marks WHERE item = ? ORDER BY name, detail", (item,))
    return [(row["name"], row["detail"]) for row in rows]


def put_statement(
    tx: Tx, digest: bytes, item: bytes, item_version: int, action: int, body: bytes, decided_ms: int
) -> None:
    """Keep a statement's body; the same body again changes nothing."""
    tx.execute(
        "INSERT OR IGNORE INTO statements (digest, item, item_version, action, body, decided_ms)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (digest, item, item_version, action, body, decided_ms),
    )


def add_signature(tx: Tx, statement: bytes, person: str, sign1: bytes, now_ms: int) -> None:
    """One person's signature; raises IntegrityError when that person has already signed."""
    tx.execute(
        "INSERT INTO signatures (statement, person, sign1, signed_ms) VALUES (?, ?, ?, ?)",
        (statement, person, sign1, now_ms),
    )


def set_statement(tx: Tx, item: bytes, statement: bytes | None) -> None:
    """Name the statement in force of an item (None: none, so that no delivery list can carry it)."""
    tx.execute("UPDATE items SET statement = ? WHERE id = ?", (statement, item))


def statement(tx: Tx, digest: bytes) -> SignedStatement | None:
    row = tx.execute("SELECT * FROM statements WHERE digest = ?", (digest,)).fetchone()
    return None if row is None else _statement(tx, row)


def statements_of(tx: Tx, item: bytes) -> list[SignedStatement]:
    """Everything that was ever stated about an item, oldest first."""
    rows = tx.execute("SELECT * FROM statements WHERE item = ? ORDER BY decided_ms, rowid", (item,)).fetchall()
    return [_statement(tx, row) for row in rows]


def thread(tx: Tx, root: bytes, states: Sequence[str] = ("approved", "delivered")) -> list[Item]:
    """A thread's root and replies in the given states, oldest first."""
    rows = tx.execute("SELECT * FROM items WHERE id = ? OR parent = ? ORDER BY received_ms, rowid", (root, root))
    return [item for item in map(_item, rows) if item.state in states]


def _statement(tx: Tx, row: Row) -> SignedStatement:
    signed = tx.execute(
        "SELECT person, sign1 FROM signatures WHERE statement = ? ORDER BY signed_ms, person",
        (row["digest"],),
    )
    return SignedStatement(
        bytes(row["digest"]),
        bytes(row["item"]),
        row["item_version"],
        row["action"],
        bytes(row["body"]),
        row["decided_ms"],
        tuple((one["person"], bytes(one["sign1"])) for one in signed),
    )


def _item(row: Row) -> Item:
    def blob(name: str) -> bytes | None:
        return None if row[name] is None else bytes(row[name])

    return Item(
        bytes(row["id"]),
        row["kind"],
        row["author_learner"],
        bytes(row["device"]),
        row["group_id"],
        blob("parent"),
        row["received_ms"],
        row["state"],
        row["version"],
        row["text"],
        blob("blob_root"),
        row["refusal"],
        row["changed_ms"],
        blob("statement"),
    )
