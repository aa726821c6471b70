"""Attack -> here -> moderation: one member of staff's key in the hands of a learner."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from hub_daemon.moderation.queue import View
from hub_daemon.store import items, log
from protocol.errors import Misuse, Refusal
from protocol.records.envelope import item_id
from protocol.records.roster import Roster
from sim.box.attackers.speaker import Speaker
from sim.box.attackers.spoken import Spoken

PASSED_BACK_MAX = 400  # messages of others that lie before theirs in the queue
VIDEO_BYTES = 3_000


class BoughtKey(Spoken):
    """Hands over a video; as soon as it is in the queue, approves it with one key, as often and as whoever it can.

    Then it tries to sign a roster with it. What is left of that waits for honest staff.
    """

    stay_ms = 15_000

    def start(self) -> None:
        self._item = b""
        self._names: list[str] = []
        super().start()

    def _strike(self, speaker: Speaker) -> None:
        self.strike(speaker)  # the attack begins at the desk

    def strike(self, speaker: Speaker) -> None:
        sealed = speaker.seal(speaker.video(self.random.randbytes(VIDEO_BYTES)))
        self._item = item_id(sealed)
        self.world.on_row.append(self._row)
        speaker.say("envelope", sealed)

    def _row(self, entry: log.Entry) -> None:
        if entry.action == "pending" and entry.item == self._item:
            self.after(0, self._at_the_desk)

    def _at_the_desk(self) -> None:
        self.world.on_row.remove(self._row)
        if self.world.hub.on:
            self.world.hub.guard(self._ask)

    def _ask(self) -> None:
        try:
            self._use_it()
        except Refusal as refusal:
            self._names.append(refusal.name)
        except Exception as error:  # a full disk: the page says that it could not be done
            self.world.hub.fault("staff page", error)

    def _use_it(self) -> None:
        world, wing = self.world, self.world.plan.wing
        moderation, people = world.hub.rooms.moderation, world.hub.rooms.people
        person = wing.moderators[-1]
        key = world.provision.signers[person]
        view = self._deal(person)
        if view is not None:
            self.begin()
            item, version = view.item.id, view.item.version
            self._try(lambda: moderation.approve(person, item, version, key, view.seen))
            self._try(lambda: moderation.approve(person, item, version, key, view.seen))
            self._try(lambda: moderation.approve(person, item, version + 1, key, view.seen))
            for other in wing.moderators[:-1]:
                self._try(partial(moderation.approve, other, item, version + 1, key, view.seen))
        administrator = world.provision.signers[wing.administrators[0]]
        self._try(lambda: people.propose(key, _same, self.event.id))
        made: list[int] = []
        self._try(lambda: made.append(people.propose(administrator, _same, self.event.id)))
        for number in made:
            self.begin()
            self._try(partial(people.countersign, number, administrator))
            self._try(partial(people.countersign, number, key))
            people.refuse(number, administrator.person)
        with world.hub.store.read() as tx:
            row = tx.execute("SELECT state FROM items WHERE id = ?", (self._item,)).fetchone()
        self._names = [f"item:{row[0]}", *self._names]

    def _deal(self, person: str) -> View | None:
        """Their own item, open on the page of the one whose key they have; what lies before it is passed back."""
        moderation = self.world.hub.rooms.moderation
        for _ in range(PASSED_BACK_MAX):
            found = moderation.deal(person)
            if found is None:
                return None
            if found == self._item:
                for rendition in moderation.view(person, found).renditions:
                    if rendition.body is None:
                        moderation.open_media(person, found, rendition.role)
                return moderation.view(person, found)
            with self.world.hub.store.read() as tx:
                item = items.get(tx, found)
            assert item is not None
            moderation.release(person, found, item.version)
        return None

    def _try(self, act: Callable[[], object]) -> None:
        try:
            act()
            self._names.append("done")
        except (Refusal, Misuse) as refusal:  # a page would never send the latter: it has one person's key
            self._names.append(type(refusal).__name__)

    def came(self, speaker: Speaker) -> dict[str, int | str]:
        return {"answers": " ".join(self._names)}


def _same(roster: Roster) -> Roster:
    return roster
