"""Staff page -> here -> store: deals items and carries out decisions, each by one conditional UPDATE.

Every act is one transaction: the item moves by one row of `transitions.TABLE` if and only if it still has
the version, the state and the lease that the member of staff saw; its log row, decision and signature are in
the same transaction. Whoever comes second gets `Conflict` and nothing of theirs is done or lost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hub_daemon.limits import (
    LEASE_MS_MAX,
    OVERDUE_MS,
    READING_AGAIN_MS,
    THREAD_ABOVE_MAX,
    TOLD_CHARS_MAX,
    WHY_CHARS_MAX,
)
from hub_daemon.moderation import reasons, statements, transitions
from hub_daemon.moderation.errors import Conflict, NotAllowed, SamePerson, UnknownItem, Voided, WordsRefused, ago
from hub_daemon.moderation.statements import Signer
from hub_daemon.store import Row, Store, Tx, items, log, queue
from hub_daemon.store.items import Item, Rendition
from protocol.errors import Misuse
from protocol.records.roster import Roster

DONE_WORDS = {
    "approve": "approved",
    "return": "returned",
    "reject": "rejected",
    "recall": "recalled",
}
READERS = ("governor", "safer-custody")  # may read what was not dealt to them, with a reason, logged


@dataclass(frozen=True)
class Message:
    """An earlier message of the thread, as its readers have it."""

    author: str
    text: str
    kind: str
    at_ms: int


@dataclass(frozen=True)
class View:
    """An item as one person may see it. `content` is False where the bytes stay shut for them."""

    item: Item
    text: str
    renditions: tuple[Rendition, ...]
    marks: tuple[tuple[str, str], ...]
    thread: tuple[Message, ...]
    readers: tuple[str, ...]
    membership_version: int
    strangers: tuple[str, ...]
    signers_needed: int
    signed_by: tuple[str, ...]
    lease_until_ms: int
    held: bool
    content: bool
    events: tuple[str, ...]

    def rendition(self, role: str) -> Rendition | None:
        for entry in self.renditions:
            if entry.role == role:
                return entry
        return None


class Moderation:
    """The engine. `roster()` gives the roster in force, `clock()` unix milliseconds; `on_change(item)` is called
    after the commit of anything that may change a delivery list.
    """

    def __init__(
        self,
        store: Store,
        roster: Callable[[], Roster],
        blobs: object,
        clock: Callable[[], int],
        on_change: Callable[[bytes], object],
    ) -> None:
        self.store = store
        self.roster = roster
        self.blobs = blobs
        self.clock = clock
        self.on_change = on_change

    # dealing

    def deal(self, person: str, skip: bytes = b"") -> bytes | None:
        """The item this person holds already, or the next one for them, now held; None when nothing waits.

        `skip`: an item not to be given, although held (its decision is about to be sent).
        """
        self._must(person, "moderator")
        now = self.clock()
        with self.store.write() as tx:
            for row in queue.held_by(tx, person, now):
                if bytes(row["id"]) != skip and row["state"] in transitions.OPEN:
                    return bytes(row["id"])
            found = queue.next_for(tx, person, now, now - OVERDUE_MS, skip)
            if found is None:
                return None
            step = transitions.find("deal", found["state"])
            if step is None:
                raise Misuse(f"the queue offered an item in state {found['state']}")
            item = bytes(found["id"])
            if step.lease == transitions.ENDED:
                log.append(tx, now, "hub", "lease ended", item, f"held by {found['lease_owner']}")
            self._move(tx, step, found, found["version"], person, now)
            log.append(tx, now, person, "dealt", item, f"version {found['version'] + 1}")
            return item

    def renew(self, person: str, item: bytes) -> bool:
        """The holder is still at it. False when the lease is no longer theirs."""
        now = self.clock()
        with self.store.write() as tx:
            return queue.renew(tx, item, person, now, now + LEASE_MS_MAX)

    def release(self, person: str, item: bytes, version: int) -> None:
        """Pass the item back undecided; this person is dealt it last."""
        now = self.clock()
        with self.store.write() as tx:
            row = self._seen(tx, item, version, person, now)
            self._move(tx, self._step("release", row, now), row, version, person, now)
            queue.add_skip(tx, item, person, now)
            log.append(tx, now, person, "passed back", item)

    # reading

    def view(self, person: str, item: bytes, why: str = "") -> View:
        """What `person` may see of an item. Content only for its holder, or for a reader's role with a reason;
        the reading is committed to the log before this returns.
        """
        now = self.clock()
        roster = self.roster()
        with self.store.write() as tx:
            row = self._row(tx, item)
            held = row["lease_owner"] == person and row["lease_until_ms"] > now
            content = held or self._may_read(person, why)
            if content:
                self._note_reading(tx, row, person, "item", "dealt" if held else why, now)
                if held:
                    queue.renew(tx, item, person, now, now + LEASE_MS_MAX)
                    row = self._row(tx, item)
            return self._view(tx, row, roster, held, content)

    def open_media(self, person: str, item: bytes, role: str, why: str = "") -> Rendition:
        """The rendition whose bytes may now be shown to `person`; logged first. Refused as in `view`."""
        now = self.clock()
        with self.store.write() as tx:
            row = self._row(tx, item)
            held = row["lease_owner"] == person and row["lease_until_ms"] > now
            if not held and not self._may_read(person, why):
                raise NotAllowed("this item is not dealt to you, so its content stays shut")
            for entry in items.renditions(tx, item):
                if entry.role == role and entry.body is None:
                    if now - queue.last_reading_ms(tx, item, person, role) > READING_AGAIN_MS:
                        self._note_reading(tx, row, person, role, "dealt" if held else why, now)
                    return entry
        raise UnknownItem(f"the item has no {role}")

    def _may_read(self, person: str, why: str) -> bool:
        if not why.strip():
            return False
        return any(role in READERS for role in self.roles(person))

    def _note_reading(self, tx: Tx, row: Row, person: str, what: str, why: str, now: int) -> None:
        item = bytes(row["id"])
        why = why.strip()[:WHY_CHARS_MAX]
        queue.add_reading(tx, item, row["version"], person, what, why, now)
        log.append(tx, now, person, "read", item, f"{what}: {why}")

    def _view(self, tx: Tx, row: Row, roster: Roster, held: bool, content: bool) -> View:
        item = items.get(tx, bytes(row["id"]))
        assert item is not None
        version, audience = statements.readers(roster, item)
        new_to = queue.strangers(tx, item.author_learner, audience)
        found = tuple(items.renditions(tx, item.id))
        signed_by: tuple[str, ...] = ()
        needed = statements.signers_needed(found, new_to)
        if row["open_statement"] is not None:
            first = items.statement(tx, bytes(row["open_statement"]))
            if first is not None:
                signed_by = tuple(person for person, _ in first.signatures)
                needed = statements.decode(first.body).signers_needed
        thread: list[Message] = []
        if content and item.parent is not None:
            for above in queue.thread(tx, item.parent, item.received_ms, THREAD_ABOVE_MAX):
                body = bytes(above["body"] or b"").decode("utf-8", "replace")
                thread.append(Message(above["author_learner"], body, above["kind"], above["received_ms"]))
        return View(
            item=item,
            text=statements.text_of(found) if content else "",
            renditions=found if content else (),
            marks=tuple(items.marks(tx, item.id)) if content else (),
            thread=tuple(thread),
            readers=tuple(audience),
            membership_version=version,
            strangers=tuple(new_to),
            signers_needed=needed,
            signed_by=signed_by,
            lease_until_ms=row["lease_until_ms"] if held else 0,
            held=held,
            content=content,
            events=tuple(transitions.events_of(item.state)),
        )

    # deciding

    def approve(self, person: str, item: bytes, version: int, signer: Signer) -> str:
        """Sign that this item may go to its audience. Returns the new state: "approved" or "awaiting_second".

        Raises Conflict when the item moved on, Voided when a first approval no longer fits (it is dropped and
        the item stays with this person), NobodyToReach when the group has no other member.
        """
        now = self.clock()
        roster = self.roster()
        self._must(person, "moderator", signer)
        voided = ""
        state = ""
        with self.store.write() as tx:
            row = self._seen(tx, item, version, person, now)
            entry = items.get(tx, item)
            assert entry is not None
            renditions = items.renditions(tx, item)
            new_to = queue.strangers(tx, entry.author_learner, statements.readers(roster, entry)[1])
            if row["state"] == transitions.AWAITING_SECOND:
                first = items.statement(tx, bytes(row["open_statement"]))
                assert first is not None
                if person in [name for name, _ in first.signatures]:
                    raise SamePerson("you have signed this item already; the second signature is another person's")
                body = statements.again(first.body, entry, renditions, roster, new_to)
                if body != first.body:
                    voided = self._void(tx, row, first.digest, person, now)
            else:
                body = statements.approval(entry, version, renditions, roster, new_to, now // 1000)
            if not voided:
                state = self._sign_approval(tx, row, entry, body, person, signer, roster, now)
        if voided:
            raise Voided(item, transitions.CLAIMED, "", "", 0, now, now, voided)
        self.on_change(item)
        return state

    def _sign_approval(
        self, tx: Tx, row: Row, entry: Item, body: bytes, person: str, signer: Signer, roster: Roster, now: int
    ) -> str:
        version = row["version"]
        statement = statements.decode(body)
        digest = statements.digest(body)
        items.put_statement(tx, digest, entry.id, statement.item_version, statements.APPROVE, body, now)
        items.add_signature(tx, digest, person, signer.sign("decision", body), now)
        queue.add_decision(tx, entry.id, version, person, "approve", reasons.NONE, "", digest, now)
        signed = items.statement(tx, digest)
        assert signed is not None
        enough = len({name for name, _ in signed.signatures}) >= statement.signers_needed
        target = transitions.APPROVED if enough else transitions.AWAITING_SECOND
        self._move(tx, self._step("approve", row, now, target), row, version, person, now)
        if enough:
            text = statements.text_bytes(items.renditions(tx, entry.id))
            statements.gate_check(signed, text, roster, now // 1000)
            queue.set_in_force(tx, entry.id, digest)
            queue.add_contacts(tx, entry.author_learner, list(statement.audience.learners), entry.id, now)
        else:
            queue.set_open(tx, entry.id, digest)
        count = f"{len(signed.signatures)} of {statement.signers_needed}"
        log.append(tx, now, person, "approve", entry.id, f"statement {digest.hex()} signature {count}")
        return target

    def _void(self, tx: Tx, row: Row, digest: bytes, person: str, now: int) -> str:
        item = bytes(row["id"])
        why = "the group or the roster changed after the first approval"
        self._move(tx, self._step("void", row, now), row, row["version"], person, now)
        queue.set_open(tx, item, None)
        queue.drop_decisions(tx, item, digest, why, now)
        log.append(tx, now, "hub", "approval dropped", item, f"statement {digest.hex()}: {why}")
        return f"The first approval was dropped because {why}. Look again: your approval now counts as the first."

    def return_(
        self, person: str, item: bytes, version: int, signer: Signer, reason: int, words: str, language: str = "en"
    ) -> None:
        """Send the item back to its author with a coded ground and words."""
        self._answer("return", statements.RETURN, person, item, version, signer, reason, words, language)

    def reject(
        self, person: str, item: bytes, version: int, signer: Signer, reason: int, words: str, language: str = "en"
    ) -> None:
        """Refuse the item for good, with a coded ground, words, and how to appeal."""
        self._answer("reject", statements.REJECT, person, item, version, signer, reason, words, language)

    def _answer(
        self, event: str, action: int, person: str, item: bytes, version: int, signer: Signer, reason: int,
        words: str, language: str,
    ) -> None:
        now = self.clock()
        roster = self.roster()
        self._must(person, "moderator", signer)
        full = self.words(event, reason, words, language)
        with self.store.write() as tx:
            row = self._seen(tx, item, version, person, now)
            if row["open_statement"] is not None:
                signed = items.statement(tx, bytes(row["open_statement"]))
                if signed is not None and person in [name for name, _ in signed.signatures]:
                    raise SamePerson("you approved this item; another person decides now")
            entry = items.get(tx, item)
            assert entry is not None
            body = statements.answer(entry, version, action, reason, full, roster, now // 1000)
            digest = statements.digest(body)
            self._move(tx, self._step(event, row, now), row, version, person, now)
            items.put_statement(tx, digest, item, version, action, body, now)
            items.add_signature(tx, digest, person, signer.sign("decision", body), now)
            queue.add_decision(tx, item, version, person, event, reason, full, digest, now)
            stored = items.statement(tx, digest)
            assert stored is not None
            statements.gate_check(stored, None, roster, now // 1000)
            queue.set_in_force(tx, item, digest)
            log.append(tx, now, person, event, item, f"ground {reason} statement {digest.hex()}")
        self.on_change(item)

    def recall(
        self, person: str, item: bytes, version: int, signer: Signer, reason: int, words: str, language: str = "en"
    ) -> None:
        """Take an approved item back: it leaves every delivery list. One person may (the safe direction)."""
        now = self.clock()
        roster = self.roster()
        self._must(person, "moderator", signer)
        full = self.words("recall", reason, words, language)
        with self.store.write() as tx:
            row = self._row(tx, item)
            if row["version"] != version:
                raise self._conflict(tx, row, now)
            entry = items.get(tx, item)
            assert entry is not None
            body = statements.answer(entry, version, statements.RECALL, reason, full, roster, now // 1000)
            digest = statements.digest(body)
            self._move(tx, self._step("recall", row, now), row, version, person, now)
            items.put_statement(tx, digest, item, version, statements.RECALL, body, now)
            items.add_signature(tx, digest, person, signer.sign("decision", body), now)
            queue.add_decision(tx, item, version, person, "recall", reason, full, digest, now)
            items.set_statement(tx, item, None)
            log.append(tx, now, person, "recall", item, f"ground {reason} statement {digest.hex()}")
        self.on_change(item)

    def words(self, use: str, reason: int, own: str, language: str = "en") -> str:
        """What the learner will read, exactly; refused when a ground is unknown or the words do not fit."""
        reasons.reason(reason, use)
        if reason == reasons.OTHER and not own.strip():
            raise WordsRefused("Ground 9 needs words: write what the learner should change")
        until = statements.appeal_until(self.clock() // 1000) if use != "recall" else ""
        return statements.fitting(reasons.words_for_learner(reason, own, until, language))

    # people in danger

    def safeguard(self, person: str, item: bytes) -> int:
        """Raise an alert at once; an undecided item is held. Never refused for a version: it only ever raises.

        Returns the alert's number.
        """
        now = self.clock()
        with self.store.write() as tx:
            row = self._row(tx, item)
            step = transitions.find("safeguard", row["state"])
            if step is not None:
                if row["open_statement"] is not None:
                    digest = bytes(row["open_statement"])
                    queue.drop_decisions(tx, item, digest, "held: a person may be in danger", now)
                    queue.set_open(tx, item, None)
                self._move(tx, step, row, row["version"], person, now)
            number = queue.add_alert(tx, item, row["author_learner"], person, now)
            log.append(tx, now, person, "alert raised", item, f"alert {number}: a person may be in danger")
        self.on_change(item)
        return number

    def acknowledge(self, person: str, number: int) -> None:
        """Somebody has taken the alert, by name."""
        now = self.clock()
        with self.store.write() as tx:
            if not queue.acknowledge_alert(tx, number, person, now):
                raise self._alert_conflict(tx, number, now)
            log.append(tx, now, person, "alert acknowledged", self._alert_item(tx, number), f"alert {number}")

    def close_alert(self, person: str, number: int, told: str) -> None:
        """The alert's holder says who was told; a second person has to confirm."""
        told = told.strip()
        if not told or len(told) > TOLD_CHARS_MAX:
            raise WordsRefused("Write who was told and when, in at most 400 letters")
        now = self.clock()
        with self.store.write() as tx:
            if not queue.close_alert(tx, number, person, told, now):
                raise self._alert_conflict(tx, number, now)
            log.append(tx, now, person, "alert closed", self._alert_item(tx, number), f"alert {number}: {told}")

    def second_alert(self, person: str, number: int) -> None:
        """The second person: the alert leaves the top of the page, the item goes back to the queue."""
        now = self.clock()
        with self.store.write() as tx:
            alert = queue.alert(tx, number)
            if alert is not None and alert["closed_by"] == person:
                raise SamePerson("you closed this alert; another person has to confirm it")
            if not queue.second_alert(tx, number, person, now):
                raise self._alert_conflict(tx, number, now)
            item = self._alert_item(tx, number)
            log.append(tx, now, person, "alert confirmed", item, f"alert {number}")
            if item is not None:
                others = [a for a in queue.alerts_open(tx) if a["item"] is not None and bytes(a["item"]) == item]
                row = self._row(tx, item)
                step = transitions.find("resume", row["state"])
                if step is not None and not others:
                    self._move(tx, step, row, row["version"], person, now)
                    log.append(tx, now, "hub", "back in the queue", item)

    # guards

    def roles(self, person: str) -> tuple[str, ...]:
        """The roles the roster in force gives this person."""
        for member in self.roster().staff:
            if member.person == person:
                return tuple(member.roles)
        return ()

    def _must(self, person: str, role: str, signer: Signer | None = None) -> None:
        if role not in self.roles(person):
            raise NotAllowed(f"this needs the role {role} in the roster in force")
        if signer is not None:
            if signer.person != person:
                raise Misuse("a decision signed by another person's key")
            if not any(m.person == person and m.public == signer.public for m in self.roster().staff):
                raise NotAllowed("your key is not in the roster in force: ask an administrator")

    def _row(self, tx: Tx, item: bytes) -> Row:
        row = queue.item(tx, item)
        if row is None:
            raise UnknownItem("there is no such item")
        return row

    def _seen(self, tx: Tx, item: bytes, version: int, person: str, now: int) -> Row:
        """The row, if it is still as `person` saw it and held it; the UPDATE says so once more."""
        row = self._row(tx, item)
        held = row["lease_owner"] == person and row["lease_until_ms"] > now
        if row["version"] != version or not held:
            raise self._conflict(tx, row, now)
        return row

    def _step(self, event: str, row: Row, now: int, target: str | None = None) -> transitions.Transition:
        step = transitions.find(event, row["state"], target)
        if step is None:
            raise Conflict(
                bytes(row["id"]), row["state"], "", "", 0, row["changed_ms"], now,
                f"The item is {row['state'].replace('_', ' ')} now; it cannot be {event}ed.",
            )
        return step

    def _move(self, tx: Tx, step: transitions.Transition, row: Row, version: int, person: str, now: int) -> None:
        if not queue.move(tx, step, bytes(row["id"]), version, person, now, now + LEASE_MS_MAX):
            raise self._conflict(tx, self._row(tx, bytes(row["id"])), now)

    def _conflict(self, tx: Tx, row: Row, now: int) -> Conflict:
        item = bytes(row["id"])
        decisions = [d for d in queue.decisions_of(tx, item) if d["dropped_ms"] is None]
        if row["state"] not in transitions.OPEN and decisions:
            last = decisions[-1]
            words = (
                f"Decided {ago(now - last['at_ms'])} ago by another moderator: {DONE_WORDS[last['action']]}"
                + (f", ground {last['reason']}" if last["reason"] else "")
                + ". Nothing of yours was lost."
            )
            return Conflict(
                item, row["state"], last["person"], last["action"], last["reason"], last["at_ms"], now, words
            )
        if row["state"] == transitions.ESCALATED:
            words = "Held: a person may be in danger. It is not decided until the alert is closed."
        elif row["lease_owner"] is not None and row["lease_until_ms"] > now:
            words = "The item was dealt to another moderator after your time with it ended."
        else:
            words = "Your time with this item ended, or it changed since you saw it. It is back in the queue."
        words += " Nothing of yours was lost."
        return Conflict(item, row["state"], row["lease_owner"] or "", "", 0, row["changed_ms"], now, words)

    def _alert_item(self, tx: Tx, number: int) -> bytes | None:
        alert = queue.alert(tx, number)
        return None if alert is None or alert["item"] is None else bytes(alert["item"])

    def _alert_conflict(self, tx: Tx, number: int, now: int) -> Conflict:
        alert = queue.alert(tx, number)
        if alert is None:
            return Conflict(b"", "", "", "", 0, now, now, "There is no such alert.")
        by = alert["second_by"] or alert["closed_by"] or alert["acknowledged_by"] or ""
        return Conflict(b"", "", by, "", 0, now, now, "Another person was faster with this alert; look at it again.")
