"""Attack -> here -> docks: one visit of an enrolled device that says what it likes, and where its attackers read ids.

They know every id, digest and envelope that the hub has: whoever guesses is not stronger than they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.box.attackers.attack import STAY_MS, Attack
from sim.box.attackers.speaker import Keys, Speaker
from sim.box.devices import Core, DeviceBox
from sim.box.docks import Docking
from sim.box.flash import Flash
from sim.box.streams import entropy

if TYPE_CHECKING:
    from sim.box.ledger import Message

COUNTERS_PER_S = 10  # envelopes of later visits have higher counters
TARGETS_MAX = 32


class Spoken(Attack):
    """`strike(speaker)` is called when the device is docked like any other; `came()` is what else came of it."""

    stay_ms = STAY_MS

    def start(self) -> None:
        self.speaker: Speaker | None = None
        self.visit(self.box, self.make_core, lifted=self._lifted, stay_ms=self.stay_ms)

    def strike(self, speaker: Speaker) -> None:
        raise NotImplementedError

    def came(self, speaker: Speaker) -> dict[str, int | str]:
        return {}

    def keys_of(self, box: DeviceBox) -> Keys:
        return Keys.of(box.flash)

    def make_core(self, flash: Flash, seed: str, actor: str, clock_s: int) -> Core:
        """A speaker that strikes when it is there."""
        speaker = self.speaking(self.box, seed, actor)
        speaker.on_ready = lambda: self._strike(speaker)
        self.speaker = speaker
        return speaker

    def speaking(self, box: DeviceBox, seed: str, actor: str) -> Speaker:
        hub = self.world.provision.keys.x25519_public
        first = 1 + self.world.kernel.now * COUNTERS_PER_S // 1000
        return Speaker(
            self.keys_of(box), hub, entropy(seed, actor), self.world.plan.wing.name, box.learner, first
        )  # fmt: skip

    def _strike(self, speaker: Speaker) -> None:
        if not self.over:
            self.begin()
            self.strike(speaker)

    def _lifted(self, docking: Docking) -> None:
        assert self.speaker is not None
        self.end(downs=len(self.speaker.downs), **self.came(self.speaker))

    # what it knows of others

    def victims(self, pick: int) -> list[Message]:
        """What another learner has written, newest first; of somebody else where that one has nothing."""
        learners = self.world.plan.wing.learners
        found = list(self.world.ledger.messages.values())[::-1]
        mine = [one for one in found if learners and one.learner == learners[pick % len(learners)]]
        return (mine or found)[:TARGETS_MAX]
