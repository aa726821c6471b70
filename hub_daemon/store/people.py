"""Staff signing keys, sealed under pass phrases, and roster changes that wait for a second administrator."""

from __future__ import annotations

from dataclasses import dataclass

from hub_daemon.store.db import Row, Tx


@dataclass(frozen=True)
class Person:
    """One staff account. `roles` are the words of the roster; `kdf` is CBOR of salt and costs (hub_daemon.people)."""

    person: str
    name: str
    roles: tuple[str, ...]
    public: bytes
    sealed_seed: bytes
    kdf: bytes
    created_ms: int


@dataclass(frozen=True)
class Proposal:
    """A roster body signed by one administrator; `base_version` is the version that it follows."""

    id: int
    base_version: int
    body: bytes
    register: bytes
    why: str
    person: str
    sign1: bytes
    created_ms: int
    state: str


def insert(tx: Tx, person: Person) -> None:
    tx.execute(
        "INSERT INTO people (person, name, roles, public, sealed_seed, kdf, created_ms) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            person.person,
            person.name,
            " ".join(person.roles),
            person.public,
            person.sealed_seed,
            person.kdf,
            person.created_ms,
        ),
    )


def get(tx: Tx, person: str) -> Person | None:
    row = tx.execute("SELECT * FROM people WHERE person = ?", (person,)).fetchone()
    return None if row is None else _person(row)


def everybody(tx: Tx) -> list[Person]:
    return [_person(row) for row in tx.execute("SELECT * FROM people ORDER BY person")]


def set_sealed_seed(tx: Tx, person: str, sealed_seed: bytes, kdf: bytes) -> None:
    """A new pass phrase for the same key."""
    tx.execute("UPDATE people SET sealed_seed = ?, kdf = ? WHERE person = ?", (sealed_seed, kdf, person))


def propose(tx: Tx, proposal: Proposal) -> int:
    """Keep a proposal (its `id` and `state` are ignored); returns its number."""
    cursor = tx.execute(
        "INSERT INTO roster_proposals (base_version, body, register, why, person, sign1, created_ms, state)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, 'open')",
        (
            proposal.base_version,
            proposal.body,
            proposal.register,
            proposal.why,
            proposal.person,
            proposal.sign1,
            proposal.created_ms,
        ),
    )
    return int(cursor.lastrowid or 0)


def proposal(tx: Tx, number: int) -> Proposal | None:
    row = tx.execute("SELECT * FROM roster_proposals WHERE id = ?", (number,)).fetchone()
    return None if row is None else _proposal(row)


def open_proposals(tx: Tx) -> list[Proposal]:
    return [_proposal(row) for row in tx.execute("SELECT * FROM roster_proposals WHERE state = 'open' ORDER BY id")]


def close_proposal(tx: Tx, number: int, state: str) -> bool:
    """open -> done, refused or outdated; False when it was no longer open."""
    changed = tx.execute("UPDATE roster_proposals SET state = ? WHERE id = ? AND state = 'open'", (state, number))
    return changed.rowcount == 1


def _person(row: Row) -> Person:
    return Person(
        row["person"],
        row["name"],
        tuple(row["roles"].split()),
        bytes(row["public"]),
        bytes(row["sealed_seed"]),
        bytes(row["kdf"]),
        row["created_ms"],
    )


def _proposal(row: Row) -> Proposal:
    return Proposal(
        row["id"],
        row["base_version"],
        bytes(row["body"]),
        bytes(row["register"]),
        row["why"],
        row["person"],
        bytes(row["sign1"]),
        row["created_ms"],
        row["state"],
    )
