"""Attack -> here -> docks: devices with the production program in hostile hands: copied, put back, with a false clock.

Their learner writes and docks as others do; what is wrong is what they were made from.
"""

from __future__ import annotations

from sim.box.attackers.attack import Attack
from sim.box.devices import DeviceBox, in_this_process
from sim.box.docks import Docking
from sim.box.kernel import START_MS
from sim.box.provision import HOSTILE_GROUP

CLONE = "c"
STAY_MS = 30_000


class Held(Attack):
    """`dock` goes to a dock and writes; it counts as an attack once the hub has let the device in."""

    def dock(self, box: DeviceBox, posts: int, what: str) -> None:
        self.world.on_docked.append(self._docked)
        self.visit(box, in_this_process, lifted=self._lifted, stay_ms=STAY_MS)
        for number in range(posts if box.on else 0):
            box.act("write", group=HOSTILE_GROUP, parent=None, text=f"{what} {number} {self.event.id}")

    def attacks(self) -> bool:
        """Whether the docking that begins now is the attack."""
        return True

    def then(self) -> None:
        """The docking is over."""
        self.end()

    def _docked(self, box: DeviceBox) -> None:
        if box.learner == self.name and self.attacks():
            self.begin()

    def _lifted(self, docking: Docking) -> None:
        self.world.on_docked.remove(self._docked)
        self.then()


class LyingClock(Held):
    """A device whose clock is years away from the hub's."""

    def start(self) -> None:
        self.box.clock_ahead_s = self.whole("s")
        self.dock(self.box, 1, "so much later")

    def then(self) -> None:
        self.box.clock_ahead_s = 0
        sql = "SELECT received_ms FROM items WHERE device = ? ORDER BY received_ms DESC LIMIT 1"
        rows = self.stored(sql, self.box.id)
        self.end(received_at_ms=rows[0][0] - START_MS if rows else -1)


class CounterRewind(Held):
    """Hands over some posts; then its storage is put back to what was before them, and it writes as many others."""

    def start(self) -> None:
        self._before = self.box.flash.survivors(True)
        self._after = self._before
        self._again = False
        self.dock(self.box, self.whole("back"), "first")

    def attacks(self) -> bool:
        return self._again

    def then(self) -> None:
        if self._again:
            self.end()
            self.box.turn_off()
            self.box.flash = self._after  # what it holds the next time is what the hub knows of
            return
        self._again = True
        self.box.turn_off()
        self._after, self.box.flash = self.box.flash, self._before
        self.dock(self.box, self.whole("back"), "second")


class ClonedDevice(Held):
    """A copy is made of the device; one of the two docks, then the other, in an order that `pick` says."""

    def start(self) -> None:
        clone = DeviceBox(f"{self.event.id}.{CLONE}", self.name, self.world.kernel, self.world.plan.seed)
        clone.flash = self.box.flash.survivors(True)
        self.world.hostile[clone.name] = clone
        self._two = [self.box, clone][:: -1 if self.whole("pick") % 2 else 1]
        self._docked_both = False
        self.dock(self._two[0], 1, "of the one")

    def attacks(self) -> bool:
        return self._docked_both

    def then(self) -> None:
        if not self._docked_both:
            self._docked_both = True
            self.dock(self._two[1], 1, "of the other")
            return
        more = _others(self._two[1]) - _others(self._two[0])
        for box in self._two:
            box.turn_off()
        self.box.flash = self._two[0].flash  # the next time it is the one that the hub goes on with
        self.end(reads_more=len(more))


def _others(box: DeviceBox) -> set[bytes]:
    """What other people's messages this device shows."""
    return {row[0] for row in box.look().get("shown", ()) if not row[1]}
