"""Plan -> here -> moderation: members of staff on their shifts, each reading and deciding one item after the other.

They do what the staff page does: are dealt an item, open it and every part of it, take their time, and decide on the
version that they saw. The verdict on a message comes from that message's own stream of randomness.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from hub_daemon.moderation import reasons
from hub_daemon.moderation.errors import NobodyToReach
from protocol.errors import Refusal
from sim.box.streams import stream
from sim.box.values import distribution

if TYPE_CHECKING:
    from hub_daemon.moderation.queue import View
    from sim.box.world import World

LOOK_MS = 120_000  # an empty queue is looked at again this often
REASON = 2  # a ground that every kind of decision may name
DECISION_MS_MIN = 1000
RENEW_MS = 60_000  # as the page does while an item is looked at


class Officer:
    """One moderator. `on_duty` until the shift ends; `verdict(item)` may be somebody else's idea of right."""

    def __init__(self, world: World, person: str) -> None:
        self.world = world
        self.person = person
        self.until_ms = 0
        self.absent_until_ms = 0
        self.leaves_open: Callable[[], int] = lambda: 0  # ms that a page which was just opened lies there before
        self.hasty = False  # approves whatever it is, at once
        self.on_decided: list[Callable[[str, View], None]] = []  # told of what was decided, and on what page
        self.decisions = 0
        self.verdict: Callable[[bytes], str] = self._verdict
        self._at_work = False
        self._turn = 0  # what was begun in an older one is not finished
        self._takes = distribution(world.plan.wing.decision_s)

    def shift(self, until_ms: int) -> None:
        self.until_ms = max(self.until_ms, until_ms)
        if not self._at_work:
            self._at_work = True
            self._next()

    def _next(self) -> None:
        now = self.world.kernel.now
        if now >= self.until_ms:
            self._at_work = False
            return
        if now < self.absent_until_ms:
            self._later(self.absent_until_ms - now, self._next)
            return
        view = self._take()
        if view is None:
            self._later(LOOK_MS, self._next)
            return
        seconds = self._takes.draw(stream(self.world.plan.seed, self.person, "time/" + self._name(view.item.id)))
        takes_ms = DECISION_MS_MIN if self.hasty else max(DECISION_MS_MIN, int(seconds * 1000))
        lies_open_ms = self.leaves_open()
        if not lies_open_ms:
            self._keep(view, takes_ms)
        self._later(takes_ms + lies_open_ms, lambda: self._decide(view))

    def _keep(self, view: View, takes_ms: int) -> None:
        """Whoever reads for long keeps the item, as the page does by itself while it is looked at."""
        if takes_ms <= RENEW_MS:
            return

        def keep() -> None:
            self._ask("renew", renew)
            self._keep(view, takes_ms - RENEW_MS)

        def renew() -> None:
            self.world.hub.rooms.moderation.renew(self.person, view.item.id)

        self._later(RENEW_MS, keep)

    def _later(self, ms: int, call: Callable[[], None]) -> None:
        turn = self._turn
        self.world.kernel.after(ms, lambda: call() if turn == self._turn else None)

    def begin_anew(self) -> None:
        """Away from the desk or back at it: whatever was open on the page is let go."""
        self._turn += 1
        if self._at_work:
            self._next()

    def _name(self, item: bytes) -> str:
        return self.world.ledger.name(item)

    def _take(self) -> View | None:
        """The next item, opened; None when there is none or the hub does not answer."""
        found: list[View] = []

        def take() -> None:
            moderation = self.world.hub.rooms.moderation
            item = moderation.deal(self.person)
            if item is None:
                return
            view = moderation.view(self.person, item)
            for rendition in view.renditions:
                if rendition.body is None:
                    moderation.open_media(self.person, item, rendition.role)
            found.append(view)

        self._ask("deal", take)
        return found[0] if found else None

    def _ask(self, what: str, act: Callable[[], None]) -> bool:
        """Do something through the staff page; False when it was refused or there is no hub."""
        hub = self.world.hub
        if not hub.on or self.world.kernel.now < hub.stalled_until:
            return False
        done: list[bool] = []

        def guarded() -> None:
            try:
                act()
                done.append(True)
            except Refusal as refusal:
                self.world.trace.add("staff_refused", self.person, what=what, refusal=refusal.name)
                if isinstance(refusal, NobodyToReach):
                    done.append(False)
            except Exception as error:  # the page says that it could not be done; a full disk
                hub.fault("staff page", error)

        hub.guard(guarded)
        return done == [True]

    def _verdict(self, item: bytes) -> str:
        wing = self.world.plan.wing
        drawn = stream(self.world.plan.seed, "decision", self._name(item)).random()
        if drawn < wing.approve_p:
            return "approve"
        return "return" if drawn < wing.approve_p + wing.return_p else "reject"

    def _decide(self, view: View) -> None:
        verdict = "approve" if self.hasty else self.verdict(view.item.id)
        done = self._ask(verdict, lambda: self.carry_out(verdict, view))
        if done:
            self.decisions += 1
            for told in list(self.on_decided):
                told(verdict, view)
        elif verdict == "approve" and not self._reaches_anybody(view):
            self._ask("return", lambda: self.carry_out("return", view))
        self._later(1, self._next)

    def again(self, verdict: str, view: View) -> bool:
        """Send one more decision on this page; whether the hub took it."""
        return self._ask(verdict, lambda: self.carry_out(verdict, view))

    def _reaches_anybody(self, view: View) -> bool:
        return bool(view.readers)

    def carry_out(self, verdict: str, view: View) -> None:
        """One decision on what was seen. Raises the moderation's refusals."""
        moderation = self.world.hub.rooms.moderation
        signer = self.world.provision.signers[self.person]
        item, version = view.item.id, view.item.version
        if verdict == "approve":
            moderation.approve(self.person, item, version, signer, view.seen)
        elif verdict == "return":
            moderation.return_(self.person, item, version, signer, REASON, "Please say it another way.")
        elif verdict == "reject":
            moderation.reject(self.person, item, version, signer, REASON, "")
        else:
            moderation.release(self.person, item, version)

    def recall(self, item: bytes) -> bool:
        """Take an approved item back."""

        def act() -> None:
            moderation = self.world.hub.rooms.moderation
            version = moderation.view(self.person, item).item.version
            signer = self.world.provision.signers[self.person]
            moderation.recall(self.person, item, version, signer, reasons.OTHER, "It should not have gone out.")

        return self._ask("recall", act)
