"""Enrolment windows, from opened to done; every step is one conditional UPDATE on the state."""

from __future__ import annotations

from dataclasses import dataclass

from hub_daemon.store.db import Row, Tx


@dataclass(frozen=True)
class Window:
    """One enrolment. States: open, digits, confirmed, granted; over: done, refused, expired."""

    id: int
    bay: str
    learner: str
    opened_by: str
    opened_ms: int
    expires_ms: int
    state: str
    digits: str | None
    device: bytes | None
    ed25519: bytes | None
    x25519: bytes | None
    model: str | None
    base_version: int | None
    roster_body: bytes | None
    register: bytes | None
    person_a: str | None
    sign1_a: bytes | None
    person_b: str | None
    certificate: bytes | None
    changed_ms: int

    @property
    def device_hex(self) -> str:
        return "" if self.device is None else self.device.hex()


def insert(tx: Tx, bay: str, learner: str, opened_by: str, now_ms: int, expires_ms: int) -> int:
    cursor = tx.execute(
        "INSERT INTO enrolments (bay, learner, opened_by, opened_ms, expires_ms, state, changed_ms)"
        " VALUES (?, ?, ?, ?, ?, 'open', ?)",
        (bay, learner, opened_by, now_ms, expires_ms, now_ms),
    )
    return int(cursor.lastrowid or 0)


def get(tx: Tx, number: int) -> Window | None:
    row = tx.execute("SELECT * FROM enrolments WHERE id = ?", (number,)).fetchone()
    return None if row is None else _window(row)


def live(tx: Tx) -> list[Window]:
    """Everything that is not over, oldest first."""
    rows = tx.execute("SELECT * FROM enrolments WHERE state IN ('open', 'digits', 'confirmed', 'granted') ORDER BY id")
    return [_window(row) for row in rows]


def live_of_bay(tx: Tx, bay: str) -> Window | None:
    row = tx.execute(
        "SELECT * FROM enrolments WHERE bay = ? AND state IN ('open', 'digits', 'confirmed', 'granted')"
        " ORDER BY id DESC LIMIT 1",
        (bay,),
    ).fetchone()
    return None if row is None else _window(row)


def expire(tx: Tx, now_ms: int) -> list[Window]:
    """Shut what is past its time; returns those. What was granted stays granted, but no longer live."""
    rows = tx.execute(
        "SELECT * FROM enrolments WHERE expires_ms <= ? AND state IN ('open', 'digits', 'confirmed')", (now_ms,)
    ).fetchall()
    tx.execute(
        "UPDATE enrolments SET state = 'expired', changed_ms = ? WHERE expires_ms <= ?"
        " AND state IN ('open', 'digits', 'confirmed')",
        (now_ms, now_ms),
    )
    tx.execute(
        "UPDATE enrolments SET state = 'done', changed_ms = ? WHERE expires_ms <= ? AND state = 'granted'",
        (now_ms, now_ms),
    )
    return [_window(row) for row in rows]


def offered(
    tx: Tx, number: int, digits: str, device: bytes, ed25519: bytes, x25519: bytes, model: str, now_ms: int
) -> None:
    """A device is at the bay: new digits, and whatever was confirmed for others before is void."""
    tx.execute(
        "UPDATE enrolments SET state = 'digits', digits = ?, device = ?, ed25519 = ?, x25519 = ?, model = ?,"
        " base_version = NULL, roster_body = NULL, register = NULL, person_a = NULL, sign1_a = NULL,"
        " changed_ms = ? WHERE id = ? AND state IN ('open', 'digits', 'confirmed')",
        (digits, device, ed25519, x25519, model, now_ms, number),
    )


def granted_again(tx: Tx, number: int, digits: str, now_ms: int) -> None:
    """The device that was granted is back before it committed: new digits, which somebody there compares."""
    tx.execute(
        "UPDATE enrolments SET digits = ?, changed_ms = ? WHERE id = ? AND state = 'granted'", (digits, now_ms, number)
    )


def confirmed(
    tx: Tx, number: int, base_version: int, body: bytes, register: bytes, person: str, sign1: bytes, now_ms: int
) -> None:
    tx.execute(
        "UPDATE enrolments SET state = 'confirmed', base_version = ?, roster_body = ?, register = ?,"
        " person_a = ?, sign1_a = ?, changed_ms = ? WHERE id = ? AND state = 'digits'",
        (base_version, body, register, person, sign1, now_ms, number),
    )


def back_to_digits(tx: Tx, number: int, now_ms: int) -> None:
    """The confirmation is void, the device is still there."""
    tx.execute(
        "UPDATE enrolments SET state = 'digits', base_version = NULL, roster_body = NULL, register = NULL,"
        " person_a = NULL, sign1_a = NULL, changed_ms = ? WHERE id = ? AND state = 'confirmed'",
        (now_ms, number),
    )


def reopen(tx: Tx, number: int, now_ms: int) -> None:
    """The device left: digits and confirmation are void."""
    tx.execute(
        "UPDATE enrolments SET state = 'open', digits = NULL, device = NULL, ed25519 = NULL, x25519 = NULL,"
        " model = NULL, base_version = NULL, roster_body = NULL, register = NULL, person_a = NULL,"
        " sign1_a = NULL, changed_ms = ? WHERE id = ? AND state IN ('digits', 'confirmed')",
        (now_ms, number),
    )


def granted(tx: Tx, number: int, person: str, certificate: bytes, now_ms: int) -> None:
    tx.execute(
        "UPDATE enrolments SET state = 'granted', person_b = ?, certificate = ?, changed_ms = ?"
        " WHERE id = ? AND state = 'confirmed'",
        (person, certificate, now_ms, number),
    )


def set_state(tx: Tx, number: int, state: str, now_ms: int) -> None:
    tx.execute("UPDATE enrolments SET state = ?, changed_ms = ? WHERE id = ?", (state, now_ms, number))


def _window(row: Row) -> Window:
    return Window(**{name: row[name] for name in Window.__dataclass_fields__})
