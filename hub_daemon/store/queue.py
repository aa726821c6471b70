"""Moderation -> here: the SQL of the queue. Every change of an item's state is the one UPDATE in `move()`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub_daemon.store.db import Row, Tx

if TYPE_CHECKING:
    from hub_daemon.moderation.transitions import Transition

MOVE = """
UPDATE items SET
    state = :target,
    version = version + 1,
    changed_ms = :now,
    lease_owner = CASE :then WHEN 'take' THEN :person WHEN 'keep' THEN lease_owner ELSE NULL END,
    lease_until_ms = CASE :then WHEN 'drop' THEN 0 ELSE :until END
WHERE id = :item AND version = :version AND state = :source AND (
    :lease = 'any'
    OR (:lease = 'own' AND lease_owner = :person AND lease_until_ms > :now)
    OR (:lease = 'free' AND (lease_owner IS NULL OR lease_until_ms <= :now))
    OR (:lease = 'ended' AND lease_owner IS NOT NULL AND lease_until_ms <= :now)
)
"""


def move(tx: Tx, row: Transition, item: bytes, version: int, person: str, now_ms: int, until_ms: int) -> bool:
    """Carry out one row of the transition table; False (and nothing changed) when the item is no longer so."""
    done = tx.execute(
        MOVE,
        {
            "item": item,
            "version": version,
            "source": row.source,
            "target": row.target,
            "lease": row.lease,
            "then": row.then,
            "person": person,
            "now": now_ms,
            "until": until_ms,
        },
    )
    return done.rowcount == 1


def renew(tx: Tx, item: bytes, person: str, now_ms: int, until_ms: int) -> bool:
    """Activity of the holder makes the lease longer; the item and its version stay as they are."""
    done = tx.execute(
        "UPDATE items SET lease_until_ms = ? WHERE id = ? AND lease_owner = ? AND lease_until_ms > ?",
        (until_ms, item, person, now_ms),
    )
    return done.rowcount == 1


def item(tx: Tx, item_id: bytes) -> Row | None:
    found: Row | None = tx.execute("SELECT * FROM items WHERE id = ?", (item_id,)).fetchone()
    return found


def held_by(tx: Tx, person: str, now_ms: int) -> list[Row]:
    return tx.execute(
        "SELECT * FROM items WHERE lease_owner = ? AND lease_until_ms > ? ORDER BY changed_ms, id",
        (person, now_ms),
    ).fetchall()


CANDIDATES = """
SELECT items.*,
    (SELECT MAX(at_ms) FROM skips WHERE skips.item = items.id AND skips.person = :person) AS skipped_ms
FROM items
WHERE id != :skip AND (
    (state = 'pending' AND (lease_owner IS NULL OR lease_until_ms <= :now))
    OR (state = 'claimed' AND lease_until_ms <= :now)
    OR (state = 'awaiting_second' AND (lease_owner IS NULL OR lease_until_ms <= :now)
        AND NOT EXISTS (SELECT 1 FROM signatures
                        WHERE signatures.statement = items.open_statement AND signatures.person = :person))
)
ORDER BY skipped_ms IS NOT NULL, skipped_ms, received_ms > :overdue, priority DESC, received_ms, id
LIMIT 1
"""


def next_for(tx: Tx, person: str, now_ms: int, overdue_ms: int, skip: bytes) -> Row | None:
    """The item this person is dealt next: what is overdue first, then priority, then age; passed-back items last."""
    found: Row | None = tx.execute(
        CANDIDATES, {"person": person, "now": now_ms, "overdue": overdue_ms, "skip": skip}
    ).fetchone()
    return found


# statements and decisions (bodies and signatures are in items.py)


def set_open(tx: Tx, item_id: bytes, digest: bytes | None) -> None:
    tx.execute("UPDATE items SET open_statement = ? WHERE id = ?", (digest, item_id))


def set_in_force(tx: Tx, item_id: bytes, digest: bytes) -> None:
    tx.execute("UPDATE items SET statement = ?, open_statement = NULL WHERE id = ?", (digest, item_id))


def decided_since(tx: Tx, number: int) -> list[tuple[int, bytes]]:
    """(number, item) of every decision after decision `number`, in their order."""
    rows = tx.execute("SELECT id, item FROM decisions WHERE id > ? ORDER BY id", (number,))
    return [(row["id"], bytes(row["item"])) for row in rows]


def add_decision(
    tx: Tx,
    item_id: bytes,
    version: int,
    person: str,
    action: str,
    reason: int,
    words: str,
    digest: bytes,
    now_ms: int,
) -> None:
    tx.execute(
        "INSERT INTO decisions (item, item_version, person, action, reason, words, statement, at_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (item_id, version, person, action, reason, words, digest, now_ms),
    )


def drop_decisions(tx: Tx, item_id: bytes, digest: bytes, why: str, now_ms: int) -> None:
    tx.execute(
        "UPDATE decisions SET dropped_ms = ?, dropped_why = ? WHERE item = ? AND statement = ? AND dropped_ms IS NULL",
        (now_ms, why, item_id, digest),
    )


def decisions_of(tx: Tx, item_id: bytes) -> list[Row]:
    return tx.execute("SELECT * FROM decisions WHERE item = ? ORDER BY id", (item_id,)).fetchall()


# contacts


def strangers(tx: Tx, author: str, readers: list[str]) -> list[str]:
    """Those of `readers` who have never reached `author`, nor been reached, by an approved item."""
    known = {
        row[0]
        for row in tx.execute(
            "SELECT reader FROM contacts WHERE author = ? UNION SELECT author FROM contacts WHERE reader = ?",
            (author, author),
        )
    }
    return [reader for reader in readers if reader != author and reader not in known]


def add_contacts(tx: Tx, author: str, readers: list[str], item_id: bytes, now_ms: int) -> None:
    for reader in readers:
        if reader != author:
            tx.execute(
                "INSERT OR IGNORE INTO contacts (author, reader, item, since_ms) VALUES (?, ?, ?, ?)",
                (author, reader, item_id, now_ms),
            )


# readings and skips


def add_reading(tx: Tx, item_id: bytes, version: int, person: str, what: str, why: str, now_ms: int) -> None:
    tx.execute(
        "INSERT INTO readings (item, item_version, person, what, why, at_ms) VALUES (?, ?, ?, ?, ?, ?)",
        (item_id, version, person, what, why, now_ms),
    )


def last_reading_ms(tx: Tx, item_id: bytes, person: str, what: str) -> int:
    row = tx.execute(
        "SELECT MAX(at_ms) FROM readings WHERE item = ? AND person = ? AND what = ?", (item_id, person, what)
    ).fetchone()
    return int(row[0] or 0)


def readings_of(tx: Tx, item_id: bytes) -> list[Row]:
    return tx.execute("SELECT * FROM readings WHERE item = ? ORDER BY id", (item_id,)).fetchall()


def add_skip(tx: Tx, item_id: bytes, person: str, now_ms: int) -> None:
    tx.execute("INSERT INTO skips (item, person, at_ms) VALUES (?, ?, ?)", (item_id, person, now_ms))


# alerts


def add_alert(tx: Tx, item_id: bytes, learner: str, person: str, now_ms: int) -> int:
    done = tx.execute(
        "INSERT INTO alerts (item, learner, raised_by, raised_ms) VALUES (?, ?, ?, ?)",
        (item_id, learner, person, now_ms),
    )
    return int(done.lastrowid or 0)


def alert(tx: Tx, number: int) -> Row | None:
    found: Row | None = tx.execute("SELECT * FROM alerts WHERE id = ?", (number,)).fetchone()
    return found


def alerts_open(tx: Tx) -> list[Row]:
    return tx.execute("SELECT * FROM alerts WHERE second_ms IS NULL ORDER BY raised_ms").fetchall()


def acknowledge_alert(tx: Tx, number: int, person: str, now_ms: int) -> bool:
    done = tx.execute(
        "UPDATE alerts SET acknowledged_by = ?, acknowledged_ms = ? WHERE id = ? AND acknowledged_ms IS NULL",
        (person, now_ms, number),
    )
    return done.rowcount == 1


def close_alert(tx: Tx, number: int, person: str, told: str, now_ms: int) -> bool:
    done = tx.execute(
        "UPDATE alerts SET closed_by = ?, closed_ms = ?, told = ?"
        " WHERE id = ? AND acknowledged_ms IS NOT NULL AND closed_ms IS NULL",
        (person, now_ms, told, number),
    )
    return done.rowcount == 1


def second_alert(tx: Tx, number: int, person: str, now_ms: int) -> bool:
    """The second person, who must not be the one who closed it."""
    done = tx.execute(
        "UPDATE alerts SET second_by = ?, second_ms = ?"
        " WHERE id = ? AND closed_ms IS NOT NULL AND second_ms IS NULL AND closed_by != ?",
        (person, now_ms, number, person),
    )
    return done.rowcount == 1


# what the pages list


def counts(tx: Tx) -> dict[str, int]:
    return {row[0]: int(row[1]) for row in tx.execute("SELECT state, COUNT(*) FROM items GROUP BY state")}


def waiting(tx: Tx, limit: int) -> list[Row]:
    return tx.execute(
        "SELECT * FROM items WHERE state IN ('pending', 'claimed', 'awaiting_second', 'escalated')"
        " ORDER BY received_ms, id LIMIT ?",
        (limit,),
    ).fetchall()


def thread(tx: Tx, root: bytes, before_ms: int, limit: int) -> list[Row]:
    """The last approved messages of a thread that came before, oldest first, with their canonical text."""
    found = tx.execute(
        "SELECT items.*, (SELECT body FROM renditions WHERE renditions.item = items.id AND role = 'text') AS body"
        " FROM items WHERE (id = ? OR parent = ?) AND received_ms < ? AND state IN ('approved', 'delivered')"
        " ORDER BY received_ms DESC, id LIMIT ?",
        (root, root, before_ms, limit),
    ).fetchall()
    return found[::-1]


def times_to_decision_ms(tx: Tx, since_ms: int) -> list[int]:
    return [
        int(row[0])
        for row in tx.execute(
            "SELECT MIN(d.at_ms) - items.received_ms FROM decisions d JOIN items ON items.id = d.item"
            " WHERE d.at_ms >= ? GROUP BY d.item ORDER BY 1",
            (since_ms,),
        )
    ]


HISTORY = """
SELECT d.*, items.kind, items.author_learner, items.group_id, items.state
FROM decisions d JOIN items ON items.id = d.item
WHERE (:person = '' OR d.person = :person) AND (:action = '' OR d.action = :action)
    AND (:learner = '' OR items.author_learner = :learner) AND (:before = 0 OR d.id < :before)
ORDER BY d.id DESC LIMIT :limit
"""


def history(tx: Tx, person: str, action: str, learner: str, before: int, limit: int) -> list[Row]:
    return tx.execute(
        HISTORY, {"person": person, "action": action, "learner": learner, "before": before, "limit": limit}
    ).fetchall()


# accounts


def person_disabled(tx: Tx, person: str) -> bool:
    row = tx.execute("SELECT disabled_ms FROM people WHERE person = ?", (person,)).fetchone()
    return row is not None and row[0] is not None


def disable_person(tx: Tx, person: str, now_ms: int) -> bool:
    done = tx.execute("UPDATE people SET disabled_ms = ? WHERE person = ? AND disabled_ms IS NULL", (now_ms, person))
    return done.rowcount == 1
