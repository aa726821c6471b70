"""Devices -> here -> oracle: what every learner sees, compared with what may be seen, byte for byte."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sim.box.devices import DeviceBox
from sim.box.oracle import APPROVE, Wrong

if TYPE_CHECKING:
    from sim.box.safety_device import DeviceWatch, Kept
    from sim.box.safety_hub import Fail
    from sim.box.world import World

LOOKS = 64  # every reading is judged at first, so many of them, and then ...
LOOK_EVERY = 64  # ... every so many: to look at a screen with a full list takes 30 ms


class ScreenWatch:
    """`read` is told when a learner opened what was new; `settled` looks at every device."""

    def __init__(self, world: World, devices: DeviceWatch, fail: Fail) -> None:
        self.world = world
        self.devices = devices
        self.oracle = devices.oracle
        self._fail = fail
        self._readings = 0
        self._last = ("", -1)

    def read(self, box: DeviceBox) -> None:
        """The learner has just looked."""
        if self._last != (box.name, self.world.kernel.now):
            self._last = (box.name, self.world.kernel.now)
            self._readings += 1
            if self._readings <= LOOKS or self._readings % LOOK_EVERY == 0:
                self.judge(box)

    def judge(self, box: DeviceBox, settled: bool = False) -> None:
        """Everything that the device shows; with `settled`, also whether anything is missing."""
        seen = box.look()
        if "refused" not in seen:
            self.compare(box, seen, settled)

    def compare(self, box: DeviceBox, seen: dict[str, Any], settled: bool) -> None:
        """`seen` is as DeviceBox.look gives it."""
        kept = self.devices.of(box)
        shown: set[bytes] = set()
        for item, mine, text, state, video in seen["shown"]:
            name = self.world.ledger.name(item)
            if item in shown:
                self._fail("S4", f"{box.name} shows {name} twice")
            shown.add(item)
            about = f"{box.name} shows {name}"
            if mine:
                self.devices.judged(about, self._own, item, text, state)
            else:
                self.devices.judged(about, self._others, kept, item, text, video)
        for item, words, code in seen["returned"]:
            about = f"{box.name} shows that {self.world.ledger.name(item)} came back"
            self.devices.judged(about, self._returned, kept, item, words, code)
        if settled and not kept.rotten:
            self._nothing_missing(kept, seen, shown)

    def _own(self, item: bytes, text: str, state: int) -> None:
        message = self.world.ledger.by_item.get(item)
        if message is not None and text != message.text:
            raise Wrong("S2", "with other words than its author saved")
        self.devices.honest(item, state, None)

    def _others(self, kept: Kept, item: bytes, text: str, video: bytes | None) -> None:
        said = self.oracle.once.get(kept.listed.get(item, b""))
        if said is None or said.item != item or said.action != APPROVE:
            raise Wrong("S1", "which is not approved by the list that the device has")
        if kept.learner not in said.learners:
            raise Wrong("S3", f"which is for {said.learners}")
        self.oracle.same_text(said, text.encode() or None)
        if video is not None and video != said.renditions.get("video", (b"", 0))[0]:
            raise Wrong("S2", "with another video than was approved")

    def _returned(self, kept: Kept, item: bytes, words: str, code: str) -> None:
        said = self.oracle.once.get(kept.listed.get(item, b""))
        if code:
            ever = self.devices.hub.ever.get(item, set())
            refused = self.devices.hub.answered(item) and item not in self.devices.hub.custody
            if not refused and "refused" not in ever and not self.devices.hub.lenient:
                raise Wrong("S13", f"for {code}, which the hub never said")
        elif words and (said is None or words != said.words):
            raise Wrong("S2", "with other words than staff signed")

    def _nothing_missing(self, kept: Kept, seen: dict[str, Any], shown: set[bytes]) -> None:
        """At the end: all that may be seen is seen, and all of one's own is there to read."""
        box = kept.box
        back = {row[0] for row in seen["returned"]}
        groups = self.oracle.rosters[self.oracle.newest].groups
        for message in kept.saved:
            there = message.item in shown or message.item in back
            if not there and box.learner in groups.get(message.group, []):
                self._fail("L9", f"{box.name} does not show {message.id}, which its own learner saved")
        if len(kept.listed) < 200 and box.learner not in self.world.gone and not self.devices.hub.lenient:
            for item in self.oracle.shown_to(box.learner, self.world.hub.clock() // 1000):
                if item not in shown:
                    self._fail("L3", f"{self.world.ledger.name(item)} is approved, and {box.name} does not show it")
        if box.learner not in self.world.gone and self.world.plan.promise == "full":
            for item in shown - {message.item for message in kept.saved}:
                if self.oracle.state.get(item) != "approved":
                    self._fail("S1", f"{box.name} still shows {self.world.ledger.name(item)}, which is recalled")

    def settled(self, whole: bool) -> None:
        """Every device; `whole` where everything should have arrived."""
        for box in self.world.devices.values():
            self.judge(box, whole and self.world.of_learner.get(box.learner) is box)
            answer = box.act("draft", text="and then")
            if not self.devices.of(box).rotten and answer.get("refused") not in (None, "NotEnrolled", "DraftTooLong"):
                self._fail("L9", f"{box.name} keeps no draft: {answer['refused']}")
