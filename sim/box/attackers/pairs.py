"""Attack -> here -> exchange: two enrolled devices that put together what they have, against a third."""

from __future__ import annotations

from protocol.records.envelope import item_id
from protocol.records.want import BundleWant
from sim.box.attackers.speaker import Speaker
from sim.box.attackers.spoken import TARGETS_MAX, Spoken
from sim.box.devices import Core, DeviceBox
from sim.box.docks import Docking
from sim.box.flash import Flash


class ColludingPair(Spoken):
    """The first hands over an envelope and gives everything that it has to the second, who tries to use it."""

    def start(self) -> None:
        self.speakers: dict[str, Speaker] = {}
        self._pool: list[bytes] = []
        self._there = 2
        for box in (self.box, self.partner):
            self.visit(box, self._make(box), lifted=self._one_lifted)

    def _make(self, box: DeviceBox):  # type: ignore[no-untyped-def]
        def make(flash: Flash, seed: str, actor: str, clock_s: int) -> Core:
            speaker = self.speaking(box, seed, actor)
            first = self.speakers.get(self.name)
            if first is not None:
                speaker.ticket = first.ticket
            self.speakers[box.name] = speaker
            strike = self._give if box is self.box else self._use
            speaker.on_ready = lambda: strike(speaker)
            return speaker

        return make

    def _give(self, first: Speaker) -> None:
        """Of the first: an envelope for the pair's own group."""
        if not self.over:
            self.begin()
            self._pool.append(first.seal(first.content(text="for the other of us")))
            first.say("envelope", self._pool[0])

    def _use(self, second: Speaker) -> None:
        """Of the second: with the first one's envelope, id, list and receipts, towards somebody's group."""
        if self.over:
            return
        self.begin()
        learners = self.world.plan.wing.learners
        third = learners[self.whole("pick") % len(learners)] if learners else "l000"
        groups = [name for name, members in self.world.plan.wing.groups.items() if third in members] or ["g00"]
        first = self.speakers[self.name]
        for sealed in self._pool:
            second.say("envelope", sealed)
        second.say("envelope", second.seal(first.content(text="in the other one's name")))
        second.say("envelope", second.seal(second.content(group=groups[0], text="for the third of us")))
        second.say("envelope", second.seal(second.content(learner=third, group=groups[0], text="as the third of us")))
        listed = [] if first.list is None else first.list.items[:TARGETS_MAX]
        items = [one.item for one in listed] + [item_id(sealed) for sealed in self._pool]
        second.say("want", BundleWant(items=sorted(items or [self.entropy(32)])).encode())
        for one in listed:
            second.say("receipt", second.receipt(one.item, one.statement))

    def _one_lifted(self, docking: Docking) -> None:
        self._there -= 1
        if not self._there:
            taken = [answer for speaker in self.speakers.values() for answer in speaker.answers.values()].count("")
            self.end(taken=taken)
