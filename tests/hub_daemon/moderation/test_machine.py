"""hypothesis plays two moderators and a safer-custody officer with fresh and stale pages against a plain model."""

from __future__ import annotations

import tempfile
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from hub_daemon.limits import LEASE_MS_MAX
from hub_daemon.moderation import Conflict, SamePerson
from hub_daemon.store import items, queue
from tests.hub_daemon.staff.wing_on_a_table import WingOnATable

_wing: WingOnATable | None = None
_folder = tempfile.TemporaryDirectory(prefix="perch-test-")


def shared_wing() -> WingOnATable:
    """One wing for all examples (its pass phrases cost seconds); every example has items of its own."""
    global _wing
    if _wing is None:
        _wing = WingOnATable(Path(_folder.name)).settle()
        _wing.frozen_ms = 1_800_000_000_000
    return _wing


PEOPLE = st.sampled_from(["ann", "ben", "cat"])
STALE = st.sampled_from([0, 0, 0, 0, -1, 1, -2])


class Queue(RuleBasedStateMachine):
    posted = Bundle("posted")

    def __init__(self) -> None:
        super().__init__()
        self.wing = shared_wing()
        self.model: dict[bytes, dict] = {}

    def teardown(self) -> None:
        for item, one in self.model.items():
            if one["state"] in ("pending", "claimed", "awaiting_second"):
                self.wing.moderation.safeguard("cat", item)

    def now(self) -> int:
        return self.wing.clock()

    def holds(self, person: str, one: dict) -> bool:
        return one["owner"] == person and one["until"] > self.now()

    @rule(target=posted, video=st.booleans())
    def post(self, video: bool) -> bytes:
        self.wing.late_ms += 1
        self.wing.acquaint()
        item = self.wing.video(b"movie" * 10, b"sheet", b"still") if video else self.wing.post("text")
        self.model[item] = {
            "state": "pending", "version": 2, "owner": None, "until": 0, "signed": set(), "needed": 1 + video,
            "decisions": 0,
        }
        return item

    @rule(ms=st.sampled_from([1000, LEASE_MS_MAX // 2, LEASE_MS_MAX + 1]))
    def time_passes(self, ms: int) -> None:
        self.wing.late_ms += ms

    @rule(person=PEOPLE)
    def deal(self, person: str) -> None:
        held = [
            i for i, o in self.model.items()
            if self.holds(person, o) and o["state"] in ("pending", "claimed", "awaiting_second")
        ]
        item = self.wing.moderation.deal(person)
        if held:
            assert item in held
            return
        free = [
            i for i, o in self.model.items()
            if (o["owner"] is None or o["until"] <= self.now())
            and o["state"] in ("pending", "claimed", "awaiting_second")
            and person not in o["signed"]
        ]
        if not free:
            assert item is None
            return
        assert item in free
        one = self.model[item]
        one["version"] += 1
        one["owner"], one["until"] = person, self.now() + LEASE_MS_MAX
        if one["state"] == "pending":
            one["state"] = "claimed"

    @rule(item=posted, person=PEOPLE, stale=STALE)
    def approve(self, item: bytes, person: str, stale: int) -> None:
        one = self.model[item]
        fits = stale == 0 and self.holds(person, one) and one["state"] in ("claimed", "awaiting_second")
        seen = self.wing.seen(item)
        try:
            state = self.wing.moderation.approve(person, item, one["version"] + stale, self.wing.signer(person), seen)
        except Conflict:
            assert not fits
            return
        except SamePerson:
            assert person in one["signed"]
            return
        assert fits and person not in one["signed"]
        one["signed"].add(person)
        one["state"] = "approved" if len(one["signed"]) >= one["needed"] else "awaiting_second"
        assert state == one["state"]
        one["version"] += 1
        one["owner"], one["until"] = None, 0
        one["decisions"] += one["state"] == "approved"

    @rule(item=posted, person=PEOPLE, stale=STALE, event=st.sampled_from(["return", "reject"]))
    def answer(self, item: bytes, person: str, stale: int, event: str) -> None:
        one = self.model[item]
        fits = (
            stale == 0 and self.holds(person, one) and one["state"] in ("claimed", "awaiting_second")
            and person not in one["signed"]
        )
        act = self.wing.moderation.return_ if event == "return" else self.wing.moderation.reject
        try:
            act(person, item, one["version"] + stale, self.wing.signer(person), 5, "again please")
        except (Conflict, SamePerson):
            assert not fits
            return
        assert fits
        one["state"] = "returned" if event == "return" else "rejected"
        one["version"] += 1
        one["owner"], one["until"] = None, 0
        one["decisions"] += 1

    @rule(item=posted, person=PEOPLE, stale=STALE)
    def release(self, item: bytes, person: str, stale: int) -> None:
        one = self.model[item]
        fits = stale == 0 and self.holds(person, one) and one["state"] in ("claimed", "awaiting_second")
        try:
            self.wing.moderation.release(person, item, one["version"] + stale)
        except Conflict:
            assert not fits
            return
        assert fits
        if one["state"] == "claimed":
            one["state"] = "pending"
        one["version"] += 1
        one["owner"], one["until"] = None, 0

    @rule(item=posted, person=PEOPLE)
    def safeguard(self, item: bytes, person: str) -> None:
        one = self.model[item]
        self.wing.moderation.safeguard(person, item)
        if one["state"] in ("pending", "claimed", "awaiting_second"):
            one["state"] = "escalated"
            one["version"] += 1
            one["owner"], one["until"] = None, 0
            one["signed"] = set()

    @rule(item=posted, person=PEOPLE, stale=STALE)
    def recall(self, item: bytes, person: str, stale: int) -> None:
        one = self.model[item]
        try:
            self.wing.moderation.recall(person, item, one["version"] + stale, self.wing.signer(person), 2, "")
        except Conflict:
            assert stale or one["state"] != "approved"
            return
        assert stale == 0 and one["state"] == "approved"
        one["state"] = "recalled"
        one["version"] += 1

    @invariant()
    def the_database_is_as_the_model_says(self) -> None:
        with self.wing.store.read() as tx:
            for item, one in self.model.items():
                row = queue.item(tx, item)
                assert (row["state"], row["version"]) == (one["state"], one["version"])
                in_force = row["statement"]
                assert (in_force is not None) == (one["state"] in ("approved", "returned", "rejected"))
                assert one["decisions"] <= 1
                if one["state"] == "approved":
                    signed = items.statement(tx, bytes(in_force))
                    assert {person for person, _ in signed.signatures} == one["signed"]
                    assert len(one["signed"]) == one["needed"]


TestQueue = Queue.TestCase
TestQueue.settings = settings(
    max_examples=25, stateful_step_count=30, deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
