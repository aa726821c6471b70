"""Every kind of attacker in a tiny wing: it really attacks, meets the refusals that it should, and nobody notices."""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from sim.box import comparing
from sim.box.attackers import ATTACKERS
from sim.box.catalogue import ATTACKS
from sim.box.kernel import DAY_MS, HOUR_MS
from sim.box.names import attacker
from sim.box.plan import Event, Plan, Value, WingPlan
from sim.box.running import run_plan
from sim.box.trace import Entry, Scalar
from sim.box.world import Outcome, World

LEARNERS = ("l000", "l001", "l002")
MINUTE_MS = 60_000
DOCKINGS = (9 * 60, 13 * 60, 13 * 60 + 6, 13 * 60 + 14)  # at these minutes of the day; the last ones bring nothing new
AT_MS = DAY_MS + 8 * HOUR_MS + 40 * MINUTE_MS  # the second day: something is written, approved and delivered by then


@dataclass(frozen=True)
class Case:
    """One attack: the `refusals` that it meets, all of them, and what else came of it."""

    kind: str
    args: dict[str, Value] = field(default_factory=dict)
    refusals: str = ""
    came: dict[str, Scalar] = field(default_factory=dict)

    @property
    def name(self) -> str:
        words = [value for value in self.args.values() if isinstance(value, str)]
        return " ".join([self.kind.partition(".")[2], *words])


def safe_dock(sessions: int, **came: Scalar) -> dict[str, Scalar]:
    """At a false dock the device shows nothing more, says nothing in the open and stays what it was."""
    return {"sessions": sessions, "leaked": 0, "shows_more": 0, "enrolled": True, **came}


JUNK = "ChunkForeign EnvelopeRefused HelloRefused"
CASES = [
    Case("malice.forged_signature", {"times": 3}, "EnvelopeRefused SignatureRefused", {"taken": 0}),
    Case("malice.replayed_record", {"times": 4}, "EnvelopeForeign", {"items": 1}),
    Case("malice.cloned_device", {"pick": 2}, "CounterReused JournalBroken", {"reads_more": 0}),
    Case("malice.oversize_frame", {"bytes": 60_000}, "FrameDamaged"),
    Case("malice.zip_of_small_frames", {"frames": 3_000}, "", {"bytes": 33_001}),
    Case("malice.handshake_flood", {"times": 300}, "DeviceUnknown"),
    Case("malice.wrong_key", {}, "DeviceUnknown", {"sessions": 0}),
    Case("malice.downgrade", {}, "SessionRefused", {"offers": 5}),
    Case("malice.lying_clock", {"s": -40_000_000}, ""),
    Case("malice.junk_cbor", {"shape": "deep"}, f"CborError {JUNK} JournalRefused SignedRefused"),
    Case("malice.junk_cbor", {"shape": "long"}, f"CborError {JUNK} JournalRefused SignedRefused"),
    Case("malice.junk_cbor", {"shape": "duplicate_keys"}, f"CborError {JUNK} JournalRefused SignedRefused"),
    Case("malice.junk_cbor", {"shape": "not_shortest"}, f"CborError {JUNK} JournalRefused SignedRefused"),
    Case("malice.junk_cbor", {"shape": "cut"}, f"CborError {JUNK} JournalRefused SignedRefused"),
    Case("malice.canary_exfiltration", {"pick": 1}, "BlobNotListed ItemNotListed", {"leaked": 0}),
    Case("malice.id_collision", {"pick": 1}, "CounterReused EnvelopeRefused HelloForeign JournalBroken"),
    Case("malice.slow_loris", {"gap_ms": 200}, ""),
    Case("malice.hub_impostor", {}, "", safe_dock(0, heard=0, by_device="", downs="handshake refused")),
    Case("malice.foreign_topic", {"pick": 1}, "SubscriptionForeign TopicForeign", {"downs": 4}),
    Case("malice.wide_audience", {"pick": 1}, "EnvelopeRefused GroupUnknown NotInGroup ThreadUnknown", {"taken": 0}),
    Case("malice.poisoned_video", {"bytes": 5_000}, "", {"state": "refused", "why": "WorkerDied"}),
    Case("malice.false_chunks", {"times": 5}, "ChunkDigest ChunkUnwanted", {"left": 0, "answer": "custody"}),
    Case("malice.counter_rewind", {"back": 3}, "CounterReused JournalBroken"),
    Case("malice.list_rollback", {"back": 2}, "", safe_dock(1, by_device="ListOlder RosterRefused")),
    Case("malice.unapproved_bundle", {}, "", safe_dock(
        1, by_device="NotInAudience NotOnList RenditionDiffers SignatureRefused TooFewSigners UnknownSigner"
    )),
    Case("malice.envelope_flood", {"times": 110}, "TooManyToday", {"taken": 100}),
    Case("malice.false_receipt", {"times": 4}, "StatementForeign", {"receipts": 0}),
    Case("malice.colluding_pair", {"pick": 1}, "EnvelopeForeign EnvelopeRefused ItemNotListed NotInGroup",
         {"taken": 1}),
    # approved once; again, the next version, as another moderator; a roster by a moderator, by one administrator
    # alone, by the same one again, and by the moderator
    Case("malice.bought_key", {}, "", {
        "answers": "item:awaiting_second done Conflict Conflict Misuse ChangeRefused done ChangeRefused ChangeRefused"
    }),
]  # fmt: skip
EDITS = [
    Case("malice.edited_database", {"table": "items"}, "", {"shown": 0, "told": "NotOnList"}),
    Case("malice.edited_database", {"table": "decisions"}, "", {"shown": 0, "told": "UnknownSigner"}),
    Case("malice.edited_database", {"table": "bundles"}, "", {"shown": 0, "told": "RenditionDiffers"}),
    Case("malice.edited_database", {"table": "lists"}, "", {"shown": 0, "told": "SignatureRefused"}),
    Case("malice.edited_database", {"table": "roster"}, "", {"shown": 0, "told": "WingRefused"}),
    Case("malice.edited_database", {"table": "log"}, "", {"shown": 0, "told": "row 85 is edited"}),
]


def tiny(cases: list[Case], at_ms: int, gap_ms: int, days: int = 2) -> Plan:
    """Three learners, two bays, two members of staff; every learner writes and docks twice a day. Each case is an
    attacker of its own; the first comes at `at_ms`, the next `gap_ms` later."""
    made = []
    for number, case in enumerate(cases):
        args = {"kind": case.kind, **case.args}
        made.append(Event(f"{attacker(number)}.dock1", at_ms + number * gap_ms, "attack", attacker(number), args))
    for day in range(days):
        at = day * DAY_MS
        for number, learner in enumerate(LEARNERS):
            name = f"{learner}.d{day:02d}"
            text = {"group": "g00", "bytes": 200, "reply": day > 0, "pick": number}
            made.append(Event(f"{name}.write1", at + 8 * HOUR_MS + number, "write", learner, text))
            if not number:
                video = {"group": "g00", "bytes": 9_000, "words": 30, "reply": False, "pick": 0}
                made.append(Event(f"{name}.record1", at + 8 * HOUR_MS + 9, "record", learner, video))
            for count, minute in enumerate(DOCKINGS, 1):
                way = {"patience_s": 600, "reaction_s": 3, "stay_s_max": 120}
                begins = at + minute * MINUTE_MS + number * 20_000
                made.append(Event(f"{name}.dock{count}", begins, "dock", learner, way))
                made.append(Event(f"{name}.read{count}", begins + 5 * MINUTE_MS, "read", learner))
        for person in ("m0", "m1"):
            until = {"until_ms": at + 12 * HOUR_MS}
            made.append(Event(f"{person}.d{day:02d}.shift1", at + 9 * HOUR_MS + 30 * MINUTE_MS, "shift", person, until))
    made.sort(key=lambda event: (event.at_ms, event.id))
    names = {attacker(number): case.kind for number, case in enumerate(cases)}
    wing = WingPlan(
        "a-wing", LEARNERS, (), {"g00": LEARNERS}, names, 2, ("m0", "m1"), ("a0", "a1"), 3_000_000, 100, 5000, 0.8,
        0.1, "lognormal(20, 0.8)",
    )  # fmt: skip
    return Plan("tiny", "1", days, 0, 12 * HOUR_MS, "full", wing, tuple(made))


@dataclass
class Run:
    """What a wing came to, with all of its attackers."""

    outcome: Outcome
    entries: list[Entry]
    faults: list[str]
    picture: comparing.Picture


def run(plan: Plan) -> Run:
    made: list[Run] = []

    def after(world: World) -> None:
        picture = comparing.picture(world)
        made.append(Run(Outcome("", ""), world.trace.entries, world.hub.faults, picture))

    outcome = run_plan(plan, after=after)
    made[0].outcome = outcome
    return made[0]


@pytest.fixture(scope="module", autouse=True)
def few_objects_to_look_through() -> Iterator[None]:
    """Devices collect garbage after each list; what the tests have imported is not looked through each time."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="module")
def attacked() -> Run:
    return run(ATTACKED)


@pytest.fixture(scope="module")
def edited() -> Run:
    return run(EDITED)


ATTACKED = tiny(CASES, AT_MS, 45_000)
EDITED = tiny(EDITS, DAY_MS + 12 * HOUR_MS + 30 * MINUTE_MS, 4 * MINUTE_MS)


def holds(run: Run, number: int, case: Case) -> None:
    mine = [entry for entry in run.entries if entry.who == attacker(number)]
    assert [entry.fields["kind"] for entry in mine if entry.kind == "attack"] == [case.kind]
    over = next(entry.fields for entry in mine if entry.kind == "attack_over")
    assert over["refusals"] == case.refusals
    assert {name: over[name] for name in case.came} == case.came


def unnoticed(run: Run) -> None:
    assert run.outcome.failures == []
    assert run.outcome.pending == ""
    assert run.faults == []


def test_every_kind_of_the_catalogue_is_an_attack() -> None:
    assert list(ATTACKERS) == list(ATTACKS)
    assert {case.kind for case in (*CASES, *EDITS)} == set(ATTACKS)
    for case in (*CASES, *EDITS):
        assert set(case.args) == set(ATTACKS[case.kind].args), case.kind


@pytest.mark.parametrize("number", range(len(CASES)), ids=[case.name for case in CASES])
def test_an_attack_meets_what_is_promised(number: int, attacked: Run) -> None:
    holds(attacked, number, CASES[number])


def test_all_attackers_together_change_nothing_for_honest_learners(attacked: Run) -> None:
    unnoticed(attacked)
    assert comparing.attacked(attacked.picture, run(comparing.honest_part(ATTACKED)).picture) == []


@pytest.mark.parametrize("number", range(len(EDITS)), ids=[case.name for case in EDITS])
def test_an_edit_of_the_database_is_seen_and_shows_nobody_anything(number: int, edited: Run) -> None:
    holds(edited, number, EDITS[number])


def test_edits_of_the_database_lose_nothing_that_honest_learners_have(edited: Run) -> None:
    unnoticed(edited)
    assert comparing.attacked(edited.picture, run(comparing.honest_part(EDITED)).picture) == []


def test_whoever_comes_to_a_dock_after_a_refused_attacker_is_served_as_soon() -> None:
    plan = tiny([Case("malice.wrong_key")], DAY_MS + 9 * HOUR_MS - 2000, 0)
    plan = dataclasses.replace(plan, wing=dataclasses.replace(plan.wing, docks=1))
    assert comparing.attacked(run(plan).picture, run(comparing.honest_part(plan)).picture) == []


def test_the_same_attackers_make_the_same_run(attacked: Run) -> None:
    assert run(ATTACKED).picture.digest == attacked.picture.digest
