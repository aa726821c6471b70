"""Attack -> here -> store: an administrator of the machine, who edits the database as another process does.

What is put in is there for good, except what would keep everybody from docking: a forged roster is taken away again
before anybody has to ask why, as somebody would who does not want to be found.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from hub_daemon.store import Store, Tx, log
from protocol import cbor
from protocol.records import signing, statement
from protocol.records.delivery_list import DeliveryList, Listed
from protocol.records.roster import Register, Roster
from protocol.records.signing import unpack_signed
from protocol.records.statement import Audience, Rendition, Statement
from sim.box.attackers.attack import Attack
from sim.box.attackers.speaker import Keys
from sim.box.disk import DATABASE

LOOK_MS = 10 * 60_000  # they look what came of it this often ...
LOOKS_MAX = 48  # ... until something tells of it, or for so long
FORGED = "this was never approved"
ITEM = (
    "INSERT INTO items (id, kind, author_learner, device, group_id, parent, received_ms, state, version, text,"
    " changed_ms, statement) VALUES (?, 'post', ?, ?, ?, NULL, ?, 'approved', 4, ?, ?, ?)"
)


Edit = Callable[["EditedDatabase", Tx], None]


class EditedDatabase(Attack):
    """`table` says where. Everything is tried that would show a learner what nobody approved."""

    def start(self) -> None:
        hub = self.world.hub
        self._learner = self.random.choice(self.world.plan.wing.learners)
        self._group = next(
            (name for name, members in self.world.plan.wing.groups.items() if self._learner in members), "g00"
        )
        if not hub.on:
            self.end()
            return
        self._undo: Callable[[Tx], None] | None = None
        self._item: bytes | None = None  # that was put in
        self._again: Edit | None = None  # what is put in anew each time that nothing came of it
        self.begin()
        self._edit(TABLES[str(self.event.args["table"])])
        self._rows = self._size()
        self.after(LOOK_MS, self._look)

    def _edit(self, edit: Edit) -> None:
        """In a transaction of another process."""
        store = Store(Path(os.fspath(self.world.hub.disk.directory)) / DATABASE)
        try:
            with store.write() as tx:
                edit(self, tx)
        finally:
            store.close()
        self.world.hub.news()  # the hub looks twice a second for what other processes did

    def _size(self) -> int:
        with self.world.hub.store.read() as tx:
            return log.size(tx)

    def leave(self) -> None:
        if self.begun and not self.over:
            self._look(LOOKS_MAX)
        super().leave()

    def _look(self, looks: int = 1) -> None:
        """Whether the hub says something of it, and whether anybody shows it."""
        if not self.world.hub.on and looks < LOOKS_MAX:
            self.after(LOOK_MS, lambda: self._look(looks + 1))
            return
        told = self._told() if self.world.hub.on else ""
        if not told and looks < LOOKS_MAX:
            if self._again is not None:
                self._edit(self._again)
            self.after(LOOK_MS, lambda: self._look(looks + 1))
            return
        undo, self._undo = self._undo, None
        if undo is not None and self.world.hub.on:
            self._edit(lambda attack, tx: undo(tx))
        shown = 0
        for box in self.world.of_learner.values():
            shown += sum(FORGED in row[2] for row in box.look().get("shown", ()))
        self.end(shown=shown, told=told)

    def _told(self) -> str:
        """What the hub has said of this edit since: names of refusals, or what is wrong with its log."""
        table = str(self.event.args["table"])
        if table == "roster":
            since = self.world.trace.entries[self._since :]
            told = any("WingRefused" in str(one.fields["words"]) for one in since if one.kind == "report")
            return "WingRefused" if told else ""
        with self.world.hub.store.read() as tx:
            if table == "log":
                edited = log.first_edited(tx)
                return "" if edited is None else f"row {edited} is edited"
            action = "list damaged" if table == "lists" else "withheld"
            sql = "SELECT detail FROM log WHERE seq >= ? AND action = ? AND item IS ? ORDER BY seq"
            rows = tx.execute(sql, (self._rows, action, self._item)).fetchall()
        return " ".join(sorted({str(row[0]).split(": ")[1] for row in rows}))

    # what is put in

    def statement(self, words: str) -> Statement:
        """An approval for the whole group, in nobody's name."""
        text = words.encode()
        now_s = self.world.hub.clock() // 1000
        roster = self.world.hub.rooms.wing.roster
        group = roster.group(self._group)
        readers = [] if group is None else [one for one in group.members if one != self._learner]
        return Statement(
            wing=roster.wing, item=self.entropy(32), item_version=3, action=statement.APPROVE,
            renditions=[Rendition(role=statement.TEXT, digest=signing.digest(text), length=len(text),
                                  media_type="text/plain")],
            audience=Audience(group=self._group, membership_version=0 if group is None else group.version,
                              learners=readers or [self._learner]),
            author=self._learner, parent=None, signers_needed=1, expires_s=now_s + 86_400, reason=0, words="",
            roster_version=roster.version, decided_s=now_s,
        )  # fmt: skip

    def put(self, tx: Tx, said: Statement, sign1s: dict[str, bytes], named: bytes | None = None) -> None:
        """An approved item with this statement, as the hub itself would have it."""
        self._item = said.item
        now_ms, text, digest = self.world.hub.clock(), FORGED.encode(), said.digest()
        nobody = hashlib.sha256(self.name.encode()).digest()[:8]
        tx.execute(ITEM, (said.item, self._learner, nobody, self._group, now_ms, FORGED, now_ms, named or digest))
        tx.execute("INSERT INTO renditions VALUES (?, 'text', ?, ?, 'text/plain', ?)",
                   (said.item, signing.digest(text), len(text), text))  # fmt: skip
        if named is None:
            tx.execute("INSERT INTO statements VALUES (?, ?, 3, ?, ?, ?)",
                       (digest, said.item, statement.APPROVE, said.encode(), now_ms))  # fmt: skip
            for person, sign1 in sign1s.items():
                tx.execute("INSERT INTO signatures VALUES (?, ?, ?, ?)", (digest, person, sign1, now_ms))
        person = next(iter(sign1s), self.world.plan.wing.moderators[0])
        tx.execute(
            "INSERT INTO decisions (item, item_version, person, action, reason, words, statement, at_ms)"
            " VALUES (?, 3, ?, 'approve', 0, '', ?, ?)", (said.item, person, named or digest, now_ms),
        )  # fmt: skip

    def lent(self, tx: Tx) -> tuple[bytes, bytes, bytes] | None:
        """(digest, body, signature) of an approval that staff did sign."""
        sql = (
            "SELECT s.digest, s.body, g.sign1 FROM statements s JOIN signatures g ON g.statement = s.digest"
            " WHERE s.action = 1 ORDER BY s.decided_ms, s.digest, g.person LIMIT 1"
        )
        row = tx.execute(sql).fetchone()
        return None if row is None else (bytes(row[0]), bytes(row[1]), bytes(row[2]))


def _items(attack: EditedDatabase, tx: Tx) -> None:
    """An item that says that it is approved, under the statement of another."""
    lent = attack.lent(tx)
    attack.put(tx, attack.statement(FORGED), {}, None if lent is None else lent[0])


def _decisions(attack: EditedDatabase, tx: Tx) -> None:
    """An approval whose signature is a stranger's, in the name of a moderator."""
    said = attack.statement(FORGED)
    keys = Keys(attack.entropy(32), attack.entropy(32))
    attack.put(tx, said, {attack.world.plan.wing.moderators[0]: statement.sign(said, keys.seed, keys.ed25519)})


def _bundles(attack: EditedDatabase, tx: Tx) -> None:
    """An approval with a moderator's own signature, which is of something else; and its text is another one."""
    lent = attack.lent(tx)
    sign1 = bytes(64) if lent is None else lent[2]
    attack.put(tx, attack.statement("harmless"), {attack.world.plan.wing.moderators[0]: sign1})


def _lists(attack: EditedDatabase, tx: Tx) -> None:
    """A device's stored list with one more item, as fresh as can be, under the hub's signature of the one before."""
    said = attack.statement(FORGED)
    attack._again = _lists
    box = attack.world.of_learner[attack._learner]
    row = tx.execute("SELECT list_signed FROM devices WHERE device = ?", (box.id,)).fetchone()
    if row is None or row[0] is None:
        return
    body, sign1s = unpack_signed(bytes(row[0]))
    held = DeliveryList.decode(body)
    rows = {one.item: one.statement for one in held.items}
    rows[said.item] = said.digest()
    made = DeliveryList(
        wing=held.wing, device=held.device, version=held.version, issued_s=held.issued_s,
        roster_version=held.roster_version, own=held.own,
        items=[Listed(item=item, statement=rows[item]) for item in sorted(rows)],
    )  # fmt: skip
    tx.execute(
        "UPDATE devices SET list_signed = ?, list_issued_s = ? WHERE device = ?",
        (cbor.dumps([made.encode(), sign1s]), attack.world.hub.clock() // 1000, box.id),
    )


def _roster(attack: EditedDatabase, tx: Tx) -> None:
    """The next roster with one administrator's signature; and an approval by whom it names."""
    row = tx.execute("SELECT version, signed, register FROM rosters ORDER BY version DESC LIMIT 1").fetchone()
    version, now = int(row[0]) + 1, Roster.decode(unpack_signed(bytes(row[1]))[0])
    register = Register.decode(bytes(row[2]))
    made = Roster(
        version=version, wing=now.wing, issued_s=attack.world.hub.clock() // 1000, hub_x25519=now.hub_x25519,
        hub_ed25519=now.hub_ed25519, staff=now.staff, learners=now.learners, groups=now.groups,
        register_digest=register.digest(),
    )  # fmt: skip
    body = made.encode()
    one = attack.world.provision.signers[attack.world.plan.wing.administrators[0]]
    signed = signing.pack_signed(body, [one.sign(signing.ROSTER, body)])
    tx.execute("INSERT INTO rosters VALUES (?, ?, ?, ?)", (version, signed, bytes(row[2]), attack.world.hub.clock()))

    def undo(again: Tx) -> None:
        again.execute("DELETE FROM rosters WHERE version = ? AND signed = ?", (version, signed))

    attack._undo = undo


def _log(attack: EditedDatabase, tx: Tx) -> None:
    """A row of the log that says something else, with its trigger out of the way for a moment."""
    trigger = tx.execute("SELECT sql FROM sqlite_master WHERE name = 'log_is_not_changed'").fetchone()[0]
    tx.execute("DROP TRIGGER log_is_not_changed")
    tx.execute("UPDATE log SET detail = 'nothing happened' WHERE seq = (SELECT MAX(seq) FROM log)")
    tx.execute(trigger)


TABLES: dict[str, Edit] = {
    "items": _items, "decisions": _decisions, "bundles": _bundles, "lists": _lists, "roster": _roster, "log": _log,
}  # fmt: skip
