"""Hub -> here -> oracle: every row of the hub's log, every commit and every word to a device, as it comes.

The database is read with plain SQL. What was committed is told to the oracle as bytes; what the hub says is held to
what the oracle allows at that very moment.
"""

from __future__ import annotations

import hashlib
import re
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import cbor2

from hub_daemon.store import Tx, log
from sim.box.disk import Disk
from sim.box.oracle import Decision, Oracle, Wrong

if TYPE_CHECKING:
    from sim.box.world import World

# where an item may go from where it is, in one step; written down again here, and from nobody
ONE_WAY = {
    "ingested": ("pending", "refused"),
    "pending": ("claimed", "escalated"),
    "claimed": ("claimed", "pending", "awaiting_second", "approved", "returned", "rejected", "escalated"),
    "awaiting_second": ("awaiting_second", "claimed", "approved", "returned", "rejected", "escalated"),
    "escalated": ("pending",),
    "approved": ("delivered", "recalled"),
    "delivered": ("recalled",),
    "returned": (),
    "rejected": (),
    "recalled": (),
    "refused": (),
}
STAFF_STATES = ("approved", "returned", "rejected", "recalled")  # what only signatures of staff make of an item
CAME_BACK = {"returned", "rejected", "recalled", "refused"}
DECISIONS = ("approve", "return", "reject", "recall")
STATEMENT = re.compile(r"statement ([0-9a-f]{64})")
DAY_MS = 86_400_000
LIST_ITEMS_MAX = 200
ARRIVING_MAX = 64
GLIMPSES = 8  # what a power cut would leave is looked at for the first custodies, and then ...
GLIMPSE_EVERY = 256  # ... for every so many

Fail = Callable[[str, str], None]


class HubWatch:
    """`custody` is every item that the hub has taken, `ever` the states that each was in, `roots` whose media is whose.

    `lenient` after somebody edited the database or put an old one back: only what devices are told is judged then.
    """

    def __init__(self, world: World, oracle: Oracle, fail: Fail) -> None:
        self.world = world
        self.oracle = oracle
        self.custody: dict[bytes, str] = {}  # item -> device's id in hex
        self.refused: set[bytes] = set()  # what the hub refused by name
        self.ever: dict[bytes, set[str]] = {}
        self.roots: dict[bytes, Decision] = {}  # of renditions that were ever approved
        self.marks: dict[bytes, set[str]] = {}  # how their chunks begin -> who may have them
        self.lists: dict[bytes, dict[bytes, bytes]] = {}  # device -> what the hub last said that it may hold
        self.list_ms: dict[bytes, int] = {}  # ... and when
        self.lenient = False
        self._fail = fail
        self._now: dict[bytes, tuple[str, int]] = {}
        self._touched: set[bytes] = set()
        self._judged: dict[bytes, tuple[int, dict[bytes, bytes]]] = {}
        self._decisions = 0
        self._today: dict[str, deque[int]] = {}
        self._glimpses = 0
        self._commits = 0

    def _sure(self, about: str, check: Callable[..., object], *args: object) -> None:
        try:
            check(*args)
        except Wrong as wrong:
            if not self.lenient:
                self._fail(wrong.invariant, f"{about}: {wrong.words}")

    # what was committed

    def row(self, entry: log.Entry) -> None:
        """A new row of the log."""
        if entry.item is not None:
            self._sure(self.world.ledger.name(entry.item), self._row, entry, entry.item)
        elif entry.action in ("enrolled", "roster in force"):
            self.learn_rosters()

    def _row(self, entry: log.Entry, item: bytes) -> None:
        self._touched.add(item)
        if entry.action == "custody":
            self._custody(entry, item)
        elif entry.action in DECISIONS:
            self._decided(entry)
        elif entry.action == "refused" and entry.actor.startswith("device:"):
            self.refused.add(item)

    def learn_rosters(self) -> None:
        """Tell the oracle of rosters that came into force."""
        with self.world.hub.store.read() as tx:
            sql = "SELECT signed, register FROM rosters WHERE version > ? ORDER BY version"
            for row in tx.execute(sql, (self.oracle.newest,)).fetchall():
                self._sure("the roster", self.oracle.roster, bytes(row[0]), bytes(row[1]))
                self._decisions += 1

    def _custody(self, entry: log.Entry, item: bytes) -> None:
        device = entry.actor[7:]
        if item in self.custody:
            raise Wrong("S4", "taken into custody twice")
        self.custody[item] = device
        with self.world.hub.store.read() as tx:
            row = tx.execute("SELECT sealed, device FROM envelopes WHERE item = ?", (item,)).fetchone()
        if row is None or hashlib.sha256(row[0]).digest() != item:
            raise Wrong("S5", "in custody by the log, and its envelope is not there")
        self._one_more_today(device, entry.at_ms)
        self.learn_rosters()
        letter = self.oracle.letter(bytes(row[0]), bytes.fromhex(device))
        meant = self.world.ledger.by_item.get(item)
        if meant is not None and (letter.text, letter.learner) != (meant.text, meant.learner):
            raise Wrong("S9", f"the envelope has not what {meant.learner} wrote")

    def _one_more_today(self, device: str, at_ms: int) -> None:
        today = self._today.setdefault(device, deque())
        today.append(at_ms)
        while today[0] <= at_ms - DAY_MS:
            today.popleft()
        if len(today) > self.world.plan.wing.envelopes_per_day_max and not self.world.hub.clock_ahead_ms:
            raise Wrong("S12", f"{len(today)} envelopes of one device in 24 hours")

    def full_today(self, device: str) -> bool:
        """Whether this device has handed over as much as a day allows: the rest waits with it."""
        return len(self._today.get(device, ())) >= self.world.plan.wing.envelopes_per_day_max

    def answered(self, item: bytes) -> bool:
        """Whether the device need not hold this any more: the hub has it, refused it, or sent back its thread."""
        if item in self.custody or item in self.refused:
            return True
        message = self.world.ledger.by_item.get(item)
        thread = None if message is None or message.parent is None else message.parent
        return thread is not None and (thread in self.refused or bool(CAME_BACK & self.ever.get(thread, set())))

    def _decided(self, entry: log.Entry) -> None:
        self.learn_rosters()
        self._decisions += 1
        found = STATEMENT.search(entry.detail)
        digest = bytes.fromhex(found[1]) if found else b""
        with self.world.hub.store.read() as tx:
            row = tx.execute("SELECT body FROM statements WHERE digest = ?", (digest,)).fetchone()
            sign1s = tx.execute("SELECT sign1 FROM signatures WHERE statement = ?", (digest,)).fetchall()
        if row is None:
            raise Wrong("S1", "a decision without its statement")
        said = self.oracle.decided(bytes(row[0]), [bytes(one[0]) for one in sign1s])
        for role, (root, _) in said.renditions.items():
            if role != "text":
                self.roots[root] = said
                self.marks.setdefault(root[:4], set()).update(said.learners)

    def commit(self) -> None:
        """Something is durable: every item went where it may go."""
        self._commits += 1
        touched, self._touched = sorted(self._touched), set()
        if not touched or not self.world.hub.on:
            return
        with self.world.hub.store.read() as tx:
            for item in touched:
                row = tx.execute("SELECT state, version FROM items WHERE id = ?", (item,)).fetchone()
                if row is not None:
                    self._sure(self.world.ledger.name(item), self._moved, item, row[0], row[1])
            if self._commits % GLIMPSE_EVERY == 0:
                self._bounds(tx)

    def _moved(self, item: bytes, state: str, version: int) -> None:
        before, at = self._now.get(item, ("ingested", 1))
        self._now[item] = (state, version)
        self.ever.setdefault(item, set()).add(state)
        reached = {before}
        for _ in range(version - at):
            reached = {there for here in reached for there in ONE_WAY[here]}
        if version < at or state not in reached:
            raise Wrong("S7", f"went from {before} to {state}")
        decided = self.oracle.state.get(item, "")
        if state in ("approved", "delivered") and decided != "approved":
            raise Wrong("S1", f"{state} at the hub, and {decided or 'not decided'} by the signatures of staff")

    def _bounds(self, tx: Tx) -> None:
        sql = "SELECT device, COUNT(*) FROM arriving GROUP BY device HAVING COUNT(*) > ?"
        for row in tx.execute(sql, (ARRIVING_MAX,)).fetchall():
            self._fail("S12", f"{row[1]} envelopes of device {bytes(row[0]).hex()} wait for their blobs")

    # power

    def started(self) -> None:
        """The hub comes up: everything that it ever took is there."""
        with self.world.hub.store.read() as tx:
            self.stands(tx, "after the hub's start")

    def stands(self, tx: Tx, when: str) -> None:
        """Every envelope in custody is in this database."""
        there = {bytes(row[0]) for row in tx.execute("SELECT item FROM envelopes")}
        for item in self.custody:
            if item not in there and not self.lenient:
                self._fail("S5", f"{self.world.ledger.name(item)} was in custody and is not there {when}")

    def glimpse(self) -> None:
        """What a power cut now would leave of the hub, looked at by another SQLite."""
        files = self.world.hub.disk.survivors(False)
        disk = Disk(self.world.directory / "glimpse", files)
        store = disk.open_store()
        try:
            with store.read() as tx:
                self.stands(tx, "after a power cut at this moment")
        finally:
            store.close()
            disk.remove()

    # what it says

    def said(self, topic: str, payload: bytes) -> None:
        """The exchange is about to say this to a device."""
        parts = topic.split("/")
        device, kind = bytes.fromhex(parts[3]), parts[5]
        if kind == "list":
            self._said_list(device, payload)
        elif kind == "bundle":
            self._said_bundle(device, payload)
        elif kind == "receipt":
            self._said_receipt(device, payload)
        elif kind == "chunk":
            learner = self._learner(device)
            if learner not in self.marks.get(payload[:4], ()):
                self._fail("S3", f"the hub sent {learner or device.hex()} a piece of a medium that is not for them")

    def _learner(self, device: bytes) -> str:
        """Who holds this device; "" for a revoked one."""
        _, learner, revoked, _ = self.oracle.devices.get(device, (b"", "", True, 0))
        return "" if revoked else learner

    def _said_list(self, device: bytes, payload: bytes) -> None:
        self.learn_rosters()
        learner = self._learner(device)
        if not learner and device in self.oracle.devices:
            self._fail("S3", f"the hub serves {device.hex()} of {self.oracle.devices[device][1]}, which is revoked")
        listed: dict[bytes, bytes] = {}
        self._told("the list", learner, lambda: listed.update(self.oracle.listed(device, payload)))
        self.lists[device], self.list_ms[device] = listed, self.world.kernel.now
        decisions, judged = self._judged.get(device, (-1, {}))
        if decisions != self._decisions:
            judged = {}
        for item, digest in listed.items():
            if judged.get(item) != digest:
                self._told(self.world.ledger.name(item), learner, self.oracle.may_hold, learner, item, digest)
        self._judged[device] = (self._decisions, listed)
        if len(listed) > LIST_ITEMS_MAX:
            self._fail("S12", f"a list of {len(listed)} items for {learner}")
        if len(listed) < LIST_ITEMS_MAX and not self.lenient and learner:
            self._nothing_missing(learner, listed)

    def _nothing_missing(self, learner: str, listed: dict[bytes, bytes]) -> None:
        allowed = self.oracle.of_learner.get(learner, set())
        if len(allowed) == len(listed):
            return
        now_s = self.world.hub.clock() // 1000
        for item in sorted(allowed - listed.keys()):
            said = self.oracle.in_force[item]
            if said.expires_s > now_s:
                words = f"is {self.oracle.state[item]}, and not on the list of {learner}"
                self._fail("L3", f"{self.world.ledger.name(item)} {words}")

    def _told(self, about: str, learner: str, check: Callable[..., object], *args: object) -> None:
        """What a device is told is judged always, whoever edited what."""
        try:
            check(*args)
        except Wrong as wrong:
            self._fail(wrong.invariant, f"{about}: the hub told {learner or 'an unknown device'} of {wrong.words}")

    def _said_bundle(self, device: bytes, payload: bytes) -> None:
        learner = self._learner(device)

        def check() -> None:
            said = self.oracle.may_keep(learner, payload)
            self.oracle.may_hold(learner, said.item, said.digest)

        self._told("a bundle", learner, check)

    def _said_receipt(self, device: bytes, payload: bytes) -> None:
        row: dict[int, Any] = cbor2.loads(payload)
        if row[3] is not None or self.lenient:
            return
        with self.world.hub.store.read() as tx:
            if row[1] is not None:
                held = tx.execute("SELECT device FROM envelopes WHERE item = ?", (row[1],)).fetchone()
                if held is None or bytes(held[0]) != device:
                    self._fail("S5", f"{self.world.ledger.name(row[1])}: custody said, and the hub has it not")
            else:
                there = tx.execute("SELECT journal_next FROM devices WHERE device = ?", (device,)).fetchone()
                if there is None or there[0] <= row[2]:
                    self._fail("S5", f"journal entry {row[2]} of {device.hex()}: custody said, and the hub has it not")
        if row[1] is not None:
            self._glimpses += 1
            if self._glimpses <= GLIMPSES or self._glimpses % GLIMPSE_EVERY == 0:
                self.glimpse()

    # the end

    def settled(self) -> None:
        """Hub and oracle agree on every item."""
        self.glimpse()
        with self.world.hub.store.read() as tx:
            for row in tx.execute("SELECT id, state FROM items").fetchall():
                item, state = bytes(row[0]), "approved" if row[1] == "delivered" else row[1]
                decided = self.oracle.state.get(item, "undecided" if state in STAFF_STATES else state)
                if state != decided and not self.lenient:
                    words = f"is {row[1]} at the hub, and {decided} by the signatures of staff"
                    self._fail("S7", f"{self.world.ledger.name(item)} {words}")
