"""The exchange: custody only after the commit, every wrong message refused by name and logged, lists that hold."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub_daemon.blobs import BlobMissing, BlobStore
from hub_daemon.exchange import Exchange
from hub_daemon.limits import LIST_CLAIM_MAX
from hub_daemon.refusals import DeviceRevoked, DeviceUnknown
from hub_daemon.store import Store, Tx, items, lists, log
from hub_daemon.wing import RegisterEdited, Wing, WingRefused
from protocol import blob
from protocol.errors import Refusal
from protocol.limits import CHUNK_BYTES as CHUNK
from protocol.limits import COUNT_MAX, OUTBOX_ENVELOPES_MAX
from protocol.records import delivery_list
from protocol.records.envelope import Blob, Content, item_id
from protocol.records.hello import Hello, Status
from protocol.records.receipt import Custody, Receipt
from protocol.records.statement import Statement
from protocol.records.want import BundleWant
from tests.kits.docked import DockedDevice
from tests.kits.hub import WING, HubWing, now_ms


class Room:
    """An exchange with a docked device each for ann and ben."""

    def __init__(self, data: Path) -> None:
        self.wing = HubWing(data)
        self.ann, self.ben = self.wing.device("ann"), self.wing.device("ben")
        self.exchange = self.wing.exchange()
        for device in (self.ann, self.ben):
            self.dock(device)

    def dock(self, device: DockedDevice, **changes: object) -> list[tuple[str, bytes]]:
        self.exchange.docked(device.keys.id, now_ms())
        values: dict[str, object] = {
            "device": device.keys.id, "list_version": 0, "roster_version": 0, "journal_next": 1,
            "outbox": len(device.outbox), "software": "t",
        }  # fmt: skip
        values.update(changes)
        return self.send(device, "hello", Hello(**values).encode())

    def send(self, device: DockedDevice, kind: str, payload: bytes) -> list[tuple[str, bytes]]:
        """What goes down to this very device."""
        out = self.exchange.on_message(device.keys.id, kind, payload, now_ms())
        return [(kind, payload) for to, kind, payload in out if to == device.keys.id]

    def hand_over(self, device: DockedDevice, sealed: bytes) -> str | None:
        """None: in custody; else the refusal's name."""
        for kind, payload in self.send(device, "envelope", sealed):
            if kind == "receipt":
                custody = Custody.decode(payload)
                assert custody.item == item_id(sealed)
                return custody.refusal
        return "no answer"

    def logged(self) -> str:
        with self.wing.store.read() as tx:
            return "\n".join(row.detail for row in log.since(tx, 0) if row.action in ("refused", "withheld"))

    def list_of(self, device: DockedDevice) -> delivery_list.DeliveryList:
        down = dict(self.dock(device))
        return delivery_list.accept(None, down["list"], self.wing.keys.ed25519_public, device.keys.id, WING)

    def approved(self, text: str = "hello") -> bytes:
        item = self.ann.write("reading", text)
        assert self.hand_over(self.ann, self.ann.outbox[item][0]) is None
        self.wing.ingest()
        self.wing.approve(item)
        return item


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    made = Room(tmp_path)
    yield made
    made.wing.store.close()


def content(by: DockedDevice, **changes: object) -> Content:
    values: dict[str, object] = {
        "kind": "post", "device": by.keys.id, "counter": 900, "learner": by.learner, "group": "reading",
        "parent": None, "text": "hi", "blob": None,
    }  # fmt: skip
    values.update(changes)
    return Content(**values)


def test_custody_is_said_only_after_the_commit_and_again_for_a_duplicate(room: Room) -> None:
    item = room.ann.write("reading", "hello")
    sealed = room.ann.outbox[item][0]
    assert room.hand_over(room.ann, sealed) is None
    other = Store(room.wing.data / "hub.sqlite3")
    with other.read() as tx:
        assert items.get(tx, item) is not None
    other.close()
    assert room.hand_over(room.ann, sealed) is None
    with room.wing.store.read() as tx:
        assert len([row for row in log.of_item(tx, item) if row.action == "custody"]) == 1


def test_a_commit_that_fails_acknowledges_nothing(room: Room) -> None:
    item = room.ann.write("reading", "hello")
    with room.wing.store.write() as tx:
        tx.execute("CREATE TRIGGER full BEFORE INSERT ON items BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    with pytest.raises(sqlite3.DatabaseError):
        room.exchange.on_message(room.ann.keys.id, "envelope", room.ann.outbox[item][0], now_ms())
    with room.wing.store.write() as tx:
        assert tx.execute("SELECT COUNT(*) FROM envelopes").fetchone()[0] == 0
        tx.execute("DROP TRIGGER full")
    assert room.hand_over(room.ann, room.ann.outbox[item][0]) is None


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("EnvelopeRefused", {"device": bytes(8)}),
        ("EnvelopeRefused", {"learner": "ben"}),
        ("GroupUnknown", {"group": "nobody"}),
        ("NotInGroup", {"group": "private"}),
        ("ThreadUnknown", {"parent": bytes(32)}),
    ],
)
def test_an_envelope_that_claims_too_much_is_refused_by_name(room: Room, name: str, changes: dict[str, object]) -> None:
    room.wing.groups["private"] = ["ben", "cai"]
    room.wing.new_roster()
    room.exchange.wing.load()
    sealed = room.ann.seal(content(room.ann, **changes))
    assert room.hand_over(room.ann, sealed) == name
    assert name in room.logged()
    assert room.wing.item(item_id(sealed)) is None


def test_forged_foreign_and_broken_envelopes_are_refused_by_name(room: Room) -> None:
    good = room.ann.seal(content(room.ann))
    assert room.hand_over(room.ben, good) == "EnvelopeRefused", "ben hands over what ann's device made"
    flipped = bytearray(good)
    flipped[-1] ^= 1
    assert room.hand_over(room.ann, bytes(flipped)) == "EnvelopeRefused"
    assert room.hand_over(room.ann, good[:-1]) == "EnvelopeRefused"
    assert room.hand_over(room.ann, good + b"\0") == "EnvelopeRefused"
    assert room.hand_over(room.ann, os.urandom(8000)) == "EnvelopeRefused"
    room.ann.keys.seed = os.urandom(32)  # a signing key that is not the registered one
    assert room.hand_over(room.ann, room.ann.seal(content(room.ann, counter=901))) == "SignatureRefused"
    assert room.hand_over(room.ann, good) is None, "what was refused cost only itself"


def test_a_replay_by_another_device_and_a_reused_counter_are_refused(room: Room) -> None:
    first = room.ann.seal(content(room.ann, text="one"))
    again = room.ann.seal(content(room.ann, text="two"))
    assert room.hand_over(room.ann, first) is None
    assert room.hand_over(room.ann, again) == "CounterReused"
    assert room.hand_over(room.ben, first) == "EnvelopeForeign"


def test_the_days_number_is_held_without_sending_anything_back(tmp_path: Path) -> None:
    room = Room(tmp_path)
    room.exchange.per_day_max = 2
    for n in (1, 2):
        assert room.hand_over(room.ann, room.ann.seal(content(room.ann, counter=n))) is None
    assert room.hand_over(room.ann, room.ann.seal(content(room.ann, counter=3))) == "no answer"
    assert "TooManyToday" in room.logged()


def test_a_device_that_is_revoked_or_unknown_does_not_dock(room: Room) -> None:
    with pytest.raises(DeviceUnknown):
        room.exchange.docked(bytes(8), now_ms())
    room.wing.devices[0].revoked = True
    room.wing.new_roster()
    closed: list[tuple[bytes, str]] = []
    room.exchange.on_close = lambda device, why: closed.append((device, why))
    room.exchange.refresh(now_ms())
    assert closed == [(room.ann.keys.id, "DeviceRevoked")]
    with pytest.raises(DeviceRevoked):
        room.exchange.docked(room.ann.keys.id, now_ms())


def test_a_message_of_a_device_that_is_not_docked_is_not_taken(room: Room) -> None:
    room.exchange.lifted(room.ann.keys.id)
    assert room.hand_over(room.ann, room.ann.seal(content(room.ann))) == "no answer"
    assert "NotDocked" in room.logged()


def video(room: Room, size: int = 50_000) -> tuple[bytes, bytes, bytes]:
    """(item, sealed envelope, ciphertext) of a recording in ann's outbox."""
    item = room.ann.record("reading", os.urandom(size))
    sealed, ciphertext = room.ann.outbox[item]
    assert ciphertext is not None
    return item, sealed, ciphertext


def feed(
    room: Room, down: list[tuple[str, bytes]], ciphertext: bytes, stop_after: int = 10**9
) -> list[tuple[str, bytes]]:
    """Answer wants until there are none; returns everything else that came down."""
    rest, chunks = [], 0
    builder = blob.Builder()
    builder.feed(ciphertext)
    leaves = builder.finish().leaves
    queue = list(down)
    while queue:
        kind, payload = queue.pop(0)
        if kind != "want":
            rest.append((kind, payload))
            continue
        for make in blob.answer(blob.Want.decode(payload), leaves, lambda at, n: ciphertext[at : at + n]):
            if chunks >= stop_after:
                return rest
            chunks += 1
            queue += room.send(room.ann, "chunk", make())
    return rest


def test_a_video_is_in_custody_only_when_its_blob_is_whole(room: Room) -> None:
    item, sealed, ciphertext = video(room)
    down = room.send(room.ann, "envelope", sealed)
    rest = feed(room, down, ciphertext, stop_after=6)
    assert room.wing.item(item) is None and "receipt" not in dict(rest)
    again = Room.__new__(Room)  # the hub starts anew on the same disk
    again.wing, again.ann, again.ben = room.wing, room.ann, room.ben
    again.exchange = room.wing.exchange()
    down = again.dock(room.ann)
    first = blob.Want.decode(next(payload for kind, payload in down if kind == "want"))
    assert first.first == 4, "the manifest and two whole leaves were durable: they are not asked for again"
    rest = feed(again, down, ciphertext)
    assert Custody.decode(dict(rest)["receipt"]).refusal is None
    assert room.wing.item(item) is not None
    assert room.wing.blobs.read(blob_root(room.ann)) == ciphertext


def blob_root(device: DockedDevice) -> bytes:
    return next(iter(device.blobs))


def test_a_wrong_chunk_costs_only_itself(room: Room) -> None:
    item, sealed, ciphertext = video(room)
    down = room.send(room.ann, "envelope", sealed)
    root = blob_root(room.ann)
    for bad in (
        b"",
        b"x" * 20,
        blob.pack_chunk(root, 0, b"wrong"),
        blob.pack_chunk(bytes(32), 0, b"x"),
        blob.pack_chunk(root, blob.MANIFEST_INDEX, b"no leaves"),
    ):
        room.send(room.ann, "chunk", bad)
    feed(room, down, ciphertext)
    assert room.wing.item(item) is not None
    for name in ("ChunkForeign", "ManifestRefused"):
        assert name in room.logged()


def test_a_blob_that_ends_on_the_disk_before_the_row_is_taken_at_the_next_docking(room: Room) -> None:
    item, sealed, ciphertext = video(room, 20_000)
    room.send(room.ann, "envelope", sealed)
    room.wing.blobs.add(ciphertext)  # the hub was killed between the blob's commit and the database's
    down = room.dock(room.ann)
    assert Custody.decode(dict(down)["receipt"]).item == item
    assert room.wing.item(item) is not None


def test_an_approved_item_is_on_the_list_of_its_audience_only(room: Room) -> None:
    cai = room.wing.device("cai")
    item = room.approved()
    for device in (room.ben, cai):
        assert room.list_of(device).statement_of(item) is not None
    room.wing.groups["reading"] = ["ann", "ben"]  # dee was never in it
    dee = HubWing(room.wing.data / "other").device("ann")
    with pytest.raises(DeviceUnknown):
        room.exchange.docked(dee.keys.id, now_ms())
    assert room.list_of(room.ann).state_of(item) == delivery_list.APPROVED


def refusals_told(room: Room, down: list[tuple[str, bytes]], device: DockedDevice) -> list[tuple[bytes | None, str]]:
    """The refusals in what goes down, which must come after a list that says the same."""
    told = []
    states: dict[bytes, int] = {}
    for kind, payload in down:
        if kind == "list":
            made = delivery_list.accept(None, payload, room.wing.keys.ed25519_public, device.keys.id, WING)
            states = {row.item: row.state for row in made.own}
        elif kind == "receipt" and (custody := Custody.decode(payload)).refusal is not None:
            assert custody.item is not None and states[custody.item] == delivery_list.RETURNED
            told.append((custody.item, custody.refusal))
    return told


def refresh(room: Room, device: DockedDevice) -> list[tuple[str, bytes]]:
    return [(kind, payload) for to, kind, payload in room.exchange.refresh(now_ms()) if to == device.keys.id]


def test_a_refusal_after_custody_is_told_to_its_author_by_name_while_docked_and_at_each_docking(room: Room) -> None:
    item, sealed, ciphertext = video(room, 5000)
    feed(room, room.send(room.ann, "envelope", sealed), ciphertext)
    told = [(item, "NotAVideo")]
    room.wing.ingest()
    found = room.wing.item(item)
    assert found is not None and (found.state, found.refusal) == ("refused", "NotAVideo")
    assert refusals_told(room, refresh(room, room.ann), room.ann) == told
    assert refresh(room, room.ann) == [] and refresh(room, room.ben) == [], "once, and to nobody else"
    assert refusals_told(room, room.dock(room.ben), room.ben) == []
    for _ in range(2):
        assert refusals_told(room, room.dock(room.ann), room.ann) == told


def test_one_docking_is_told_at_most_an_outbox_of_refusals_the_newest_ones(room: Room) -> None:
    with room.wing.store.write() as tx:
        for number in range(OUTBOX_ENVELOPES_MAX + 5):
            item, at = bytes([number]) * 32, 1000 + number
            rest = ("reading", None, at, "refused", 2, "words", None, "EmptyText", at, None)
            items.insert(tx, items.Item(item, "post", "ann", room.ann.keys.id, *rest))
    told = refusals_told(room, room.dock(room.ann), room.ann)
    assert [item for item, _ in told] == [bytes([n]) * 32 for n in range(OUTBOX_ENVELOPES_MAX + 4, 4, -1)]


def test_a_bundle_goes_only_to_who_has_it_on_the_list_and_a_receipt_makes_it_delivered(room: Room) -> None:
    waiting = room.ann.write("reading", "not approved")
    assert room.hand_over(room.ann, room.ann.outbox[waiting][0]) is None
    assert not [
        kind for kind, _ in room.send(room.ben, "want", BundleWant(items=[waiting]).encode()) if kind == "bundle"
    ]
    assert "ItemNotListed" in room.logged()
    item = room.approved("hello ben")
    room.exchange.refresh(now_ms())
    down = room.send(room.ben, "want", BundleWant(items=[item]).encode())
    assert [kind for kind, _ in down] == ["bundle"]
    entry = room.wing.item(item)
    assert entry is not None and entry.statement is not None
    receipt = Receipt(item=item, statement=entry.statement, list_version=2, state=1)
    forged = receipt.sign(room.ann.keys.seed, room.ann.keys.ed25519)
    room.send(room.ben, "receipt", forged)
    assert room.wing.item(item).state == "approved"  # type: ignore[union-attr]
    assert "SignatureRefused" in room.logged()
    own = receipt.sign(room.ben.keys.seed, room.ben.keys.ed25519)
    out = room.exchange.on_message(room.ben.keys.id, "receipt", own, now_ms())
    assert room.wing.item(item).state == "delivered"  # type: ignore[union-attr]
    assert (room.ann.keys.id, "list") in [(to, kind) for to, kind, _ in out], "the author is told at once"


def test_a_recall_takes_the_item_off_the_list_with_a_higher_version(room: Room) -> None:
    item = room.approved()
    before = room.list_of(room.ben)
    assert before.statement_of(item)
    wing = room.wing
    entry = wing.item(item)
    assert entry is not None
    wing.moderation().recall("may", item, entry.version, wing.staff["may"][0], 1, "")
    after = room.list_of(room.ben)
    assert after.statement_of(item) is None and after.version > before.version


def test_the_same_list_keeps_its_version_and_a_version_is_never_used_twice(room: Room) -> None:
    first = room.list_of(room.ben)
    assert room.list_of(room.ben) == first
    room.approved()
    second = room.list_of(room.ben)
    assert second.version == first.version + 1
    ahead = dict(room.dock(room.ben, list_version=40))["list"]
    made = delivery_list.accept(None, ahead, room.wing.keys.ed25519_public, room.ben.keys.id, WING)
    assert made.version == 41, "the hub was put back from a backup: it goes on above what the device saw"


@pytest.mark.parametrize("broken", ["text", "audience", "one signature"])
def test_an_approval_edited_in_the_database_is_kept_off_the_list(room: Room, broken: str) -> None:
    item = room.approved()
    with contextlib.closing(Store(room.wing.store.path)) as elsewhere, elsewhere.write() as tx:
        if broken == "text":
            tx.execute("UPDATE renditions SET body = ? WHERE item = ?", (b"HELLO", item))
        elif broken == "audience":
            body = tx.execute("SELECT body FROM statements WHERE item = ?", (item,)).fetchone()[0]
            statement = Statement.decode(body)
            statement.audience.learners = ["ann", *statement.audience.learners]
            tx.execute("UPDATE statements SET body = ? WHERE item = ?", (statement.encode(), item))
        else:
            tx.execute("DELETE FROM signatures WHERE person = 'moe'")
    assert room.list_of(room.ben).statement_of(item) is None
    assert any(name in room.logged() for name in ("RenditionDiffers", "StatementDigestDiffers", "TooFewSigners"))


def test_a_roster_that_was_missed_is_sent_in_order(room: Room) -> None:
    for _ in range(3):
        room.wing.new_roster()
    down = room.dock(room.ben, roster_version=2)
    from protocol.records.roster import Roster
    from protocol.records.signing import unpack_signed

    versions = [Roster.decode(unpack_signed(payload)[0]).version for kind, payload in down if kind == "roster"]
    assert versions == list(range(3, room.wing.roster.version + 1))  # type: ignore[union-attr]
    assert [kind for kind, _ in down].index("list") > max(n for n, (kind, _) in enumerate(down) if kind == "roster")


def test_a_roster_that_comes_during_a_hello_is_sent_once(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    wing = room.exchange.wing
    load, before = wing.load, wing.roster.version
    room.exchange.docked(room.ben.keys.id, now_ms())

    def load_and_then_comes_another(tx: Tx | None = None) -> bool:
        monkeypatch.undo()
        changed = load(tx)
        room.wing.new_roster()
        return changed

    monkeypatch.setattr(wing, "load", load_and_then_comes_another)
    hello = Hello(
        device=room.ben.keys.id, list_version=0, roster_version=before, journal_next=1, outbox=0, software="t"
    )
    down = room.send(room.ben, "hello", hello.encode())
    assert wing.roster.version == before, "the newer one is in the store only"
    down += [(kind, payload) for to, kind, payload in room.exchange.refresh(now_ms()) if to == room.ben.keys.id]
    assert wing.roster.version == before + 1
    assert [kind for kind, _ in down].count("roster") == 1


def test_an_edited_register_is_noticed_by_name(room: Room) -> None:
    with room.wing.store.write() as tx:
        tx.execute("UPDATE rosters SET register = (SELECT register FROM rosters WHERE version = 1)")
    with pytest.raises(RegisterEdited):
        Wing(room.wing.store, room.wing.keys, WING).load()


def test_an_edited_roster_is_noticed_by_name(room: Room) -> None:
    with room.wing.store.write() as tx:
        signed = bytearray(tx.execute("SELECT signed FROM rosters WHERE version = 2").fetchone()[0])
        signed[200] ^= 1
        tx.execute("UPDATE rosters SET signed = ? WHERE version = 2", (bytes(signed),))
    with pytest.raises(WingRefused, match="roster 2"):
        Wing(room.wing.store, room.wing.keys, WING).load()
    with pytest.raises(WingRefused, match="another hub's keys"):
        Wing(HubWing(room.wing.data / "x").store, room.wing.keys, WING).load()
    with pytest.raises(WingRefused, match="configuration says b-wing"):
        other = HubWing(room.wing.data / "y")
        Wing(other.store, other.keys, "b-wing").load()


def test_the_journal_is_taken_once_in_order_and_a_changed_past_is_refused(room: Room) -> None:
    for action in ("log in", "open", "write", "dock"):
        room.ann.note(action)
    entries = room.ann.journal

    def hand_over(part: list[object]) -> Custody:
        down = room.send(room.ann, "journal", room.ann.batch(part))  # type: ignore[arg-type]
        return Custody.decode(down[0][1])

    assert (hand_over(entries[:2]).journal, hand_over(entries[:2]).refusal) == (1, None)
    assert hand_over(entries[3:]).refusal == "JournalBroken"
    assert hand_over(entries[1:]).journal == 3, "an overlap is what a cut leaves: only the new part is added"
    entries[3].detail = "changed"
    assert hand_over(entries[2:]).refusal == "JournalBroken"
    assert "JournalBroken" in room.logged()


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    kind=st.sampled_from(["hello", "journal", "envelope", "chunk", "want", "receipt", "other"]),
    payload=st.binary(max_size=300),
)
def test_random_payloads_never_raise_and_are_never_taken(room: Room, kind: str, payload: bytes) -> None:
    room.exchange.dockings[room.ann.keys.id].refused = 0
    out = room.exchange.on_message(room.ann.keys.id, kind, payload, now_ms())
    for _, down, answer in out:
        assert down in ("receipt", "hello")
        assert down == "hello" or Custody.decode(answer).refusal is not None


def test_a_cbor_that_is_not_the_one_right_encoding_is_refused(room: Room) -> None:
    hello = Hello(
        device=room.ann.keys.id, list_version=0, roster_version=0, journal_next=1, outbox=0, software="t"
    ).encode()
    assert hello[0] == 0xA6
    wrong = b"\xb8\x06" + hello[1:]  # the same map, its length in two bytes
    assert room.send(room.ann, "hello", wrong) == []
    assert "CborError" in room.logged() or "HelloRefused" in room.logged()
    other = Hello(
        device=room.ben.keys.id, list_version=0, roster_version=0, journal_next=1, outbox=0, software="t"
    ).encode()
    assert room.send(room.ann, "hello", other) == [] and "HelloForeign" in room.logged()


def test_a_device_that_errs_without_end_fills_no_log_and_is_closed(room: Room) -> None:
    closed: list[str] = []
    room.exchange.on_close = lambda device, why: closed.append(why)
    with room.wing.store.read() as tx:
        before = log.size(tx)
    for _ in range(2100):
        room.send(room.ann, "receipt", b"x")
    with room.wing.store.read() as tx:
        assert log.size(tx) - before <= 101
    assert closed == ["TooManyRefusals"]


def test_a_rendition_is_served_only_while_it_is_on_the_list(room: Room) -> None:
    root = room.wing.blobs.add(b"v" * 20_000)
    want = blob.Want(root=root, size=20_000, first=0, count=2)
    assert room.send(room.ben, "want", want.encode()) == []
    assert "BlobNotListed" in room.logged()
    issued = room.exchange.dockings[room.ben.keys.id].issued
    assert issued is not None
    issued.blobs[root] = 20_000
    down = room.send(room.ben, "want", want.encode())
    assert [blob.parse_chunk(payload)[1] for _, payload in down] == [0, 1]
    wrong = blob.Want(root=root, size=20_001, first=0, count=1)
    assert room.send(room.ben, "want", wrong.encode()) == []


def test_settled_is_said_when_nothing_is_left_to_do(room: Room) -> None:
    item = room.ann.write("reading", "one")
    down = room.dock(room.ann)
    assert Status.decode(down[-1][1]).phase == "sending"
    down = room.send(room.ann, "envelope", room.ann.outbox[item][0])
    status = Status.decode(dict(down)["hello"])
    assert (status.phase, status.sent, status.waiting) == ("settled", 1, 0)


def test_a_damaged_blob_is_refused_and_the_same_bytes_are_kept_once(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    data = os.urandom(30_000)
    root = store.add(data)
    assert store.add(data) == root and store.read(root) == data and store.size(root) == 30_000
    path = store.path(root)
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(BlobMissing, match="damaged"):
        store.read(root)
    with pytest.raises(BlobMissing):
        store.read(bytes(32))


@pytest.mark.parametrize("cut", [0, 1, CHUNK, 2 * CHUNK - 1, 2 * CHUNK, CHUNK * 5 // 2])
def test_a_part_goes_on_after_its_last_whole_leaf(tmp_path: Path, cut: int) -> None:
    store = BlobStore(tmp_path)
    data = os.urandom(CHUNK * 7 // 2)
    builder = blob.Builder()
    builder.feed(data)
    manifest = builder.finish()
    part = store.open_part(manifest.root, len(data))
    part.put_leaves(manifest.leaves)
    for n in range(3):
        part.append(data[n * CHUNK : (n + 1) * CHUNK])
    part.close()
    os.truncate(part.path, cut)
    again = store.open_part(manifest.root, len(data))
    assert again.stored_chunks == cut // blob.LEAF_BYTES * blob.LEAF_CHUNKS, "whole leaves"
    for n in range(again.stored_chunks, 4):
        again.append(data[n * CHUNK : (n + 1) * CHUNK])
    store.commit(again)
    assert store.read(manifest.root) == data


def test_refusals_have_one_name_each() -> None:
    from hub_daemon import refusals

    names = [value for value in vars(refusals).values() if isinstance(value, type) and issubclass(value, Refusal)]
    assert all(value.__doc__ for value in names) and len(names) > 10
    assert Blob and lists and Exchange  # the names that the tests above stand on


LAST = COUNT_MAX - 1  # a claim after which one list more could be issued, and then none


def news_after(room: Room, text: str) -> list[tuple[bytes, str]]:
    """What goes down, and to whom, once something new is approved."""
    room.approved(text)
    return [(to, kind) for to, kind, _ in room.exchange.refresh(now_ms())]


@pytest.mark.parametrize("claim", [LAST, COUNT_MAX, LIST_CLAIM_MAX + 1])
def test_a_device_that_claims_the_last_list_version_is_refused_by_name_and_stops_nobodys_news(
    room: Room, claim: int
) -> None:
    assert "list" not in dict(room.dock(room.ann, list_version=claim))
    assert "ListAhead" in room.logged()
    assert (room.ben.keys.id, "list") in news_after(room, "one")
    assert (room.ben.keys.id, "list") in news_after(room, "two")
    assert room.list_of(room.ann).version < 10, "an honest hello is answered as if nothing had been"


def test_the_largest_list_version_that_is_believed_leaves_room_for_every_list_to_come(room: Room) -> None:
    down = dict(room.dock(room.ben, list_version=LIST_CLAIM_MAX))
    assert delivery_list.accept(None, down["list"], room.wing.keys.ed25519_public, room.ben.keys.id, WING)
    assert COUNT_MAX - LIST_CLAIM_MAX > 10**9 and (room.ben.keys.id, "list") in news_after(room, "one")


@pytest.mark.parametrize("edited", [COUNT_MAX, "soon"])
def test_a_device_whose_list_cannot_be_issued_stops_neither_the_others_news_nor_its_own_docking(
    room: Room, edited: object
) -> None:
    with room.wing.store.write() as tx:
        tx.execute("UPDATE devices SET list_version = ? WHERE device = ?", (edited, room.ann.keys.id))
    assert (room.ben.keys.id, "list") in news_after(room, "one")
    assert "list of 0 bytes" in room.logged()
    item = room.ann.write("reading", "still taken")
    assert room.hand_over(room.ann, room.ann.outbox[item][0]) is None


def test_a_fetch_that_fails_does_not_keep_the_others_from_being_asked_again(room: Room) -> None:
    for device in (room.ann, room.ben):
        item = device.record("reading", os.urandom(50_000))
        room.exchange.on_message(device.keys.id, "envelope", device.outbox[item][0], now_ms())
    first = room.exchange.dockings[room.ann.keys.id].fetch
    assert first is not None
    first.root = b"short"  # a want with it has no encoding
    later = now_ms() + 60_000
    assert (room.ben.keys.id, "want") in [(to, kind) for to, kind, _ in room.exchange.tick(later)]


@pytest.mark.parametrize("edit", ["flipped", "cut", "empty", "older", "another's"])
def test_a_stored_list_that_was_edited_is_issued_anew_and_logged(room: Room, edit: str) -> None:
    older = dict(room.dock(room.ben))["list"]
    room.approved()
    signed = dict(room.dock(room.ben))["list"]
    before = delivery_list.accept(None, signed, room.wing.keys.ed25519_public, room.ben.keys.id, WING)
    flipped = bytearray(signed)
    flipped[len(flipped) // 2] ^= 1
    edited = {"flipped": bytes(flipped), "cut": signed[:-1], "empty": b"", "older": older,
              "another's": dict(room.dock(room.ann))["list"]}[edit]  # fmt: skip
    with room.wing.store.write() as tx:
        tx.execute("UPDATE devices SET list_signed = ? WHERE device = ?", (edited, room.ben.keys.id))
    after = room.list_of(room.ben)
    assert after.version == before.version + 1 and after.items == before.items
    with room.wing.store.read() as tx:
        assert [row.action for row in log.since(tx, 0)].count("list damaged") == 1
    assert room.list_of(room.ben) == after, "the new one stands"


def test_a_blob_that_a_device_cannot_give_is_given_up_by_name_and_the_next_one_has_its_turn(room: Room) -> None:
    first, sealed, _ = video(room)
    room.send(room.ann, "envelope", sealed)
    second = room.ann.record("reading", os.urandom(20_000))
    room.send(room.ann, "envelope", room.ann.outbox[second][0])
    ciphertext = room.ann.outbox[second][1]
    assert ciphertext is not None
    down: list[tuple[str, bytes]] = []
    later = now_ms()
    for _ in range(20):
        later += 11_000
        down += [(kind, payload) for _, kind, payload in room.exchange.tick(later)]
    wanted = {blob.Want.decode(payload).root for kind, payload in down if kind == "want"}
    assert len(wanted) == 2, "both were asked for"
    with room.wing.store.read() as tx:
        assert [row.action for row in log.of_item(tx, first)] == ["blob missing"]
    down = room.dock(room.ann)
    down = room.send(room.ann, "envelope", room.ann.outbox[second][0]) or down
    feed(room, down, ciphertext)
    assert room.wing.item(second) is not None
    down = room.send(room.ann, "envelope", sealed)
    whole = room.ann.outbox[first][1]
    assert whole is not None
    feed(room, down, whole)
    assert room.wing.item(first) is not None, "offered anew, it is taken"
