"""Every promise of docs/invariants.md: a calm wing keeps it, and showing its judge one broken thing fails that one."""

from __future__ import annotations

import binascii
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hub_daemon.store import log
from protocol import cbor, crypto
from protocol.records import envelope, signing
from sim.box import comparing, invariants, safety
from sim.box.docks import Docking
from sim.box.ports import Wire
from sim.box.safety_secrets import Nonces
from sim.box.trace import Entry
from sim.box.world import World
from tests.kits.calm_wing import Wing, calm_plan, run_plan

ROOT = Path(__file__).parents[3]
RECALLED = "l000.d00.write1"


@pytest.fixture(scope="module")
def wing() -> Iterator[Wing]:
    with World(calm_plan()) as world:
        watch = safety.watch(world, secrets=True)
        world.run()
        watch.end()
        assert world.failures == []
        assert world.ledger.messages[RECALLED].decision == "recall"
        yield Wing(world, watch)


# the document


def test_the_document_is_what_the_judges_say() -> None:
    assert (ROOT / "docs/invariants.md").read_text("utf-8") == invariants.markdown()


def test_every_promise_is_judged_where_the_document_says() -> None:
    judges = sorted({name for one in invariants.INVARIANTS for name in one.where.split(", ")})
    texts = {name: (ROOT / "sim/box" / name).read_text("utf-8") for name in judges}
    for one in invariants.INVARIANTS:
        assert [name for name in texts if f'"{one.id}"' in texts[name]] == one.where.split(", "), one.id


# S1 to S4: what arrives


def test_a_bundle_without_enough_signatures_fails_s1(wing: Wing) -> None:
    message = wing.message("l000.d00.write2")
    stored = wing.stored("l001", message)
    stored[2][1] = stored[2][1][:1]
    assert wing.broken(lambda: wing.write_bundle("l001", message.item, stored)) == {"S1"}


def test_a_bundle_under_a_statement_that_was_never_in_force_fails_s1(wing: Wing) -> None:
    message = wing.message("l000.d00.write2")
    stored = wing.stored("l001", message)
    row = cbor.loads(stored[2][0])
    row[10] += 1
    stored[2][0] = cbor.dumps(row)
    assert wing.broken(lambda: wing.write_bundle("l001", message.item, stored)) == {"S1"}


def test_a_bundle_that_is_not_on_the_list_fails_s1(wing: Wing) -> None:
    message = wing.message("l000.d00.write2")
    listed = wing.watch.devices.of(wing.box("l001")).listed
    digest = listed.pop(message.item)
    try:
        stored = wing.stored("l001", message)
        assert wing.broken(lambda: wing.write_bundle("l001", message.item, stored)) == {"S1"}
    finally:
        listed[message.item] = digest


def test_a_list_with_a_recalled_item_fails_s1(wing: Wing) -> None:
    listed = dict(wing.watch.devices.of(wing.box("l001")).listed)
    listed[wing.message(RECALLED).item] = bytes(32)
    assert wing.broken(lambda: wing.say("l001", "list", wing.list_of("l001", listed))) == {"S1"}


def test_an_older_list_in_a_device_fails_s1(wing: Wing) -> None:
    listed = dict(wing.watch.devices.of(wing.box("l001")).listed)
    change = ("write", "state/list", 0, wing.list_of("l001", listed, version=1) + bytes(4))
    assert wing.broken(lambda: wing.watch.devices.change(wing.box("l001"), change)) == {"S1"}


def test_an_item_approved_by_the_database_alone_fails_s1(wing: Wing) -> None:
    item = wing.message("l000.d00.write2").item
    watch = wing.watch.hub
    decided = watch.oracle.state.pop(item)
    try:
        assert wing.broken(lambda: watch._sure("l000.d00.write2", watch._moved, item, "delivered", 99)) == {"S7"}
        state, version = watch._now[item]
        assert wing.broken(lambda: watch._sure("l000.d00.write2", watch._moved, item, state, version)) == {"S1"}
    finally:
        watch.oracle.state[item] = decided


def test_a_recalled_item_on_a_screen_fails_s1(wing: Wing) -> None:
    box, message = wing.box("l001"), wing.message(RECALLED)
    seen = box.look()
    seen["shown"].append([message.item, False, message.text, 4, None])
    assert wing.broken(lambda: wing.watch.screens.compare(box, seen, False)) == {"S1"}


def test_a_flipped_byte_of_a_text_fails_s2(wing: Wing) -> None:
    message = wing.message("l000.d00.write2")
    stored = wing.stored("l001", message)
    text = bytearray(stored[2][2])
    text[5] ^= 1
    stored[2][2] = bytes(text)
    assert wing.broken(lambda: wing.write_bundle("l001", message.item, stored)) == {"S2"}


def test_an_approved_text_that_its_author_did_not_write_fails_s2(wing: Wing) -> None:
    message = wing.message("l000.d00.write2")
    letters = wing.watch.oracle.letters
    letter = letters[message.item]
    letters[message.item] = letter._replace(text=letter.text + " and more")
    try:
        stored = wing.stored("l001", message)
        assert wing.broken(lambda: wing.write_bundle("l001", message.item, stored)) == {"S2"}
    finally:
        letters[message.item] = letter


def test_a_medium_with_a_wrong_byte_fails_s2(wing: Wing) -> None:
    box = wing.box("l001")
    name = sorted(one for one in box.flash.blobs if one.startswith("blob/"))[-1]
    change = ("blob_commit", "part/x", 0, name.encode())
    assert wing.broken(lambda: wing.watch.devices.change(box, change)) == set()
    box.flash.blobs[name][7] ^= 1
    try:
        assert wing.broken(lambda: wing.watch.devices.change(box, change)) == {"S2"}
    finally:
        box.flash.blobs[name][7] ^= 1


def test_other_words_on_a_screen_fail_s2(wing: Wing) -> None:
    box = wing.box("l001")
    for mine in (True, False):
        seen = box.look()
        row = next(row for row in seen["shown"] if row[1] is mine)
        row[2] += "!"
        assert wing.broken(lambda seen=seen: wing.watch.screens.compare(box, seen, False)) == {"S2"}


def test_a_bundle_for_somebody_else_fails_s3(wing: Wing) -> None:
    message = wing.message("l000.d00.write2")  # to a group that l002 is not in
    stored = wing.stored("l001", message)
    assert wing.broken(lambda: wing.write_bundle("l002", message.item, stored)) == {"S3"}
    bundle = cbor.dumps(dict(enumerate(stored[2], 1)))
    assert wing.broken(lambda: wing.say("l002", "bundle", bundle)) == {"S3"}


def test_a_list_with_somebody_elses_item_fails_s3(wing: Wing) -> None:
    message = wing.message("l000.d00.write2")
    listed = dict(wing.watch.devices.of(wing.box("l002")).listed)
    listed[message.item] = wing.stored("l001", message)[0]
    assert wing.broken(lambda: wing.say("l002", "list", wing.list_of("l002", listed))) == {"S3"}


def test_a_chunk_for_somebody_else_fails_s3(wing: Wing) -> None:
    root = next(iter(wing.watch.hub.roots))
    assert wing.broken(lambda: wing.say("l001", "chunk", root[:4] + b"\0\0data")) == set()
    assert wing.broken(lambda: wing.say("l002", "chunk", root[:4] + b"\0\0data")) == {"S3"}


def test_an_approval_for_a_wrong_group_fails_s3(wing: Wing) -> None:
    oracle = wing.watch.oracle
    item = wing.message("l000.d00.write2").item
    said = oracle.in_force[item]
    wide = said._replace(learners=["l001", "l002"])
    assert wing.broken(lambda: wing.watch.hub._sure("it", oracle._fits, wide, oracle.letters[item])) == {"S3"}


def test_a_bundle_under_another_name_fails_s4(wing: Wing) -> None:
    message = wing.message("l000.d00.write2")
    stored = wing.stored("l001", message)
    other = wing.message("l002.d00.write1").item
    assert wing.broken(lambda: wing.write_bundle("l001", other, stored)) == {"S4"}


def test_custody_twice_and_a_message_shown_twice_fail_s4(wing: Wing) -> None:
    message, box = wing.message("l000.d00.write2"), wing.box("l000")
    entry = log.Entry(9999, 0, "device:" + box.id.hex(), "custody", message.item, "", b"")
    assert wing.broken(lambda: wing.watch.hub.row(entry)) == {"S4"}
    seen = box.look()
    seen["shown"].append(seen["shown"][0])
    assert wing.broken(lambda: wing.watch.screens.compare(box, seen, False)) == {"S4"}


# S5 to S9: what is kept


def test_a_removed_envelope_fails_s5(wing: Wing) -> None:
    item = wing.message("l000.d00.write2").item
    hide = "UPDATE envelopes SET item = ? WHERE item = ?"
    with wing.edited((hide, (bytes(32), item)), (hide, (item, bytes(32)))):
        assert wing.broken(wing.watch.hub.started) == {"S5"}
        assert wing.broken(wing.watch.hub.glimpse) == {"S5"}
    assert wing.broken(wing.watch.hub.glimpse) == set()


def test_custody_said_of_what_is_not_there_fails_s5(wing: Wing) -> None:
    envelopes = cbor.dumps({1: bytes(32), 2: None, 3: None})
    journals = cbor.dumps({1: None, 2: 1 << 30, 3: None})
    refusals = cbor.dumps({1: bytes(32), 2: None, 3: "NotInGroup"})
    assert wing.broken(lambda: wing.say("l000", "receipt", envelopes)) == {"S5"}
    assert wing.broken(lambda: wing.say("l000", "receipt", journals)) == {"S5"}
    assert wing.broken(lambda: wing.say("l000", "receipt", refusals)) == set()


def test_a_receipt_for_what_never_came_fails_s5(wing: Wing) -> None:
    device, item = wing.box("l002").id.hex(), wing.message("l000.d00.write2").item
    assert wing.broken(lambda: wing.watch.devices.received(device, item)) == {"S5"}


def test_a_saved_message_that_is_gone_fails_s6(wing: Wing) -> None:
    box, learner = wing.box("l002"), wing.message("l002.d00.write1")
    item = box.act("write", group="g00", parent=None, text="one more")["item"]
    message = dataclasses.replace(learner, id="l002.d00.write9", item=item, text="one more")
    wing.world.ledger.add(message)
    name = "own/" + item.hex()
    entry = cbor.loads(box.flash.files[name][:-4])
    assert wing.broken(lambda: wing.watch.devices.saved(message)) == set()
    assert wing.broken(lambda: wing.watch.devices.change(box, ("remove", name, 0, b""))) == {"S6"}
    without = cbor.dumps({key: value for key, value in entry.items() if key != 1}) + bytes(4)
    assert wing.broken(lambda: wing.watch.devices.change(box, ("write", name, 0, without))) == {"S6"}
    other = cbor.dumps({**entry, 6: "one less"}) + bytes(4)
    assert wing.broken(lambda: wing.watch.devices.change(box, ("write", name, 0, other))) == {"S6"}

    kept = wing.watch.devices.of(box)
    whole, box.flash = box.flash, wing.without("l002", name)  # a power cut that loses what was saved
    try:
        assert wing.broken(lambda: wing.watch.devices.went_off(box)) == {"S6"}
    finally:
        box.flash = whole
    assert wing.broken(lambda: wing.watch.devices.went_off(box)) == set()
    del wing.world.ledger.messages[message.id]
    kept.saved.remove(message)
    kept.waiting.clear()
    box.flash.remove(name)
    box.flash.take_changes()
    box.turn_off()
    box.turn_on()


def test_a_rejected_item_that_becomes_approved_fails_s7(wing: Wing) -> None:
    item = wing.message(RECALLED).item
    entry = log.Entry(9999, 0, "m0", "read", item, "", b"")
    back = "UPDATE items SET state = ?, version = version + ? WHERE id = ?"
    before = wing.watch.hub._now[item]
    with wing.edited((back, ("approved", 1, item)), (back, ("recalled", -1, item))):
        assert wing.broken(lambda: (wing.watch.hub.row(entry), wing.watch.hub.commit())) == {"S7"}
    wing.watch.hub._now[item] = before
    with wing.edited((back, ("approved", 0, item)), (back, ("recalled", 0, item))):
        assert "S7" in wing.broken(wing.watch.hub.settled)
    assert wing.broken(wing.watch.hub.settled) == set()


def journal_record(wing: Wing, name: str, seq: int, prev: bytes) -> tuple[Any, ...]:
    body = cbor.dumps([seq, prev, 0, "open", ""])
    record = len(body).to_bytes(2, "big") + binascii.crc32(body).to_bytes(4, "big") + body
    kept = wing.watch.devices.of(wing.box(name))
    segment = max(kept.ends)
    return ("blob_write", segment, kept.ends[segment], record)


def test_a_journal_that_is_not_only_longer_fails_s8(wing: Wing) -> None:
    box = wing.box("l000")
    devices = wing.watch.devices
    kept = devices.of(box)
    count, head = len(kept.hashes), kept.hashes[-1]
    forged = journal_record(wing, "l000", count, bytes(32))
    assert wing.broken(lambda: devices.change(box, forged)) == {"S8"}
    again = journal_record(wing, "l000", count - 1, kept.hashes[-2])
    assert wing.broken(lambda: devices.change(box, again)) == {"S8"}
    right = journal_record(wing, "l000", count, head)
    assert wing.broken(lambda: devices.change(box, right)) == set()
    del kept.hashes[count:]
    over = (right[0], right[1], 0, right[3])
    assert wing.broken(lambda: devices.change(box, over)) == {"S8"}
    del kept.hashes[count:]
    whole, box.flash = box.flash, wing.without("l000", max(kept.ends))  # a power cut that loses synced entries
    try:
        assert wing.broken(lambda: devices.went_off(box)) == {"S8"}
    finally:
        box.flash = whole
        wing.broken(lambda: devices.went_off(box))
    edit = "UPDATE journal SET entry = ? WHERE device = ? AND seq = 1"
    entry = wing.world.hub.store._writer.execute(
        "SELECT entry FROM journal WHERE device = ? AND seq = 1", (box.id,)
    ).fetchone()[0]
    with wing.edited((edit, (b"x", box.id)), (edit, (entry, box.id))):
        assert wing.broken(devices.settled) == {"S8"}


def test_an_envelope_of_another_hand_fails_s9(wing: Wing) -> None:
    other, box = wing.box("l001"), wing.box("l000")
    seed, x25519 = cbor.loads(other.flash.files["keys/device"])
    public = crypto.default().public_key(seed)
    keys = wing.world.provision.keys
    content = envelope.Content(kind="post", device=box.id, counter=900, learner="l000", group="g00", parent=None,
                               text="not mine", blob=None)  # fmt: skip
    sealed = envelope.make(content, seed, public, x25519, keys.x25519_public, lambda count: bytes(range(count)))
    item = envelope.item_id(sealed)
    entry = log.Entry(9999, 0, "device:" + box.id.hex(), "custody", item, "counter 900", b"")
    put = "INSERT INTO envelopes (item, device, counter, sealed, received_ms) VALUES (?, ?, 900, ?, 0)"
    with wing.edited((put, (item, box.id, sealed)), ("DELETE FROM envelopes WHERE item = ?", (item,))):
        assert wing.broken(lambda: wing.watch.hub.row(entry)) == {"S9"}
    del wing.watch.hub.custody[item]


def test_a_journal_and_a_roster_of_another_hand_fail_s9(wing: Wing) -> None:
    box = wing.box("l000")
    sql = "UPDATE journal_heads SET sign1 = ? WHERE device = ? AND seq = (SELECT MAX(seq) FROM journal_heads)"
    newest = "SELECT sign1 FROM journal_heads WHERE device = ? ORDER BY seq DESC LIMIT 1"
    sign1 = wing.world.hub.store._writer.execute(newest, (box.id,)).fetchone()[0]
    sql = sql.replace("FROM journal_heads)", "FROM journal_heads WHERE device = ?2)").replace("?", "?1", 1)
    other = signing.sign(signing.JOURNAL, bytes(32), crypto.default().public_key(bytes(32)), b"x")
    with wing.edited((sql, (other, box.id)), (sql, (sign1, box.id))):
        assert wing.broken(wing.watch.devices.settled) == {"S9"}
    oracle = wing.watch.oracle
    signed = wing.world.hub.store._writer.execute("SELECT signed, register FROM rosters").fetchone()
    assert wing.broken(lambda: wing.watch.hub._sure("it", oracle.roster, bytes(signed[0]), b"")) == {"S9"}


# S10 to S13


def test_words_in_the_open_fail_s10(wing: Wing) -> None:
    canaries = wing.watch.canaries
    assert canaries is not None
    text = wing.message("l000.d00.write2").text.encode()
    assert wing.broken(lambda: canaries.look(b"noise " + text, "the wire up")) == {"S10"}
    box = wing.box("l002")
    assert wing.broken(lambda: canaries.change(box, ("write", "state/x", 0, text))) == {"S10"}
    own = wing.message("l002.d00.write1").text.encode()
    assert wing.broken(lambda: canaries.change(box, ("write", "own/x", 0, own))) == set()


def test_words_in_two_pieces_on_a_wire_fail_s10(wing: Wing) -> None:
    docking = Docking("l002.d00.dock7", wing.box("l002"), 0, 0, 0, 0)
    seen: list[set[str]] = []

    def seat() -> None:
        docking.wire = Wire(wing.world.kernel, docking.box.port, wing.world.docks.bays[0].port, 3_000_000)
        wing.world.docks.on_seat(docking)
        watch = docking.wire.up.watch
        assert watch is not None
        for piece in (b"..[l000.d0", b"0.write2] the"):
            watch(piece)

    seen.append(wing.broken(seat))
    assert seen == [{"S10"}]


def test_one_nonce_for_two_texts_fails_s11() -> None:
    failed: list[str] = []
    nonces = Nonces(lambda invariant, words: failed.append(invariant))
    with nonces.watching():
        seal = crypto.default().seal
        seal(bytes(32), bytes(12), b"", b"one")
        seal(bytes(32), bytes(12), b"", b"one")
        assert failed == []
        seal(bytes(32), bytes(12), b"", b"two")
    assert failed == ["S11"]


def test_a_list_an_outbox_and_a_day_over_their_bounds_fail_s12(wing: Wing) -> None:
    many = {place.to_bytes(32, "big"): bytes(32) for place in range(201)}
    long = wing.list_of("l001", many, version=1 << 21)
    change = ("write", "state/list", 0, long + bytes(4))
    assert wing.broken(lambda: wing.watch.devices.change(wing.box("l001"), change)) == {"S12"}
    box = wing.box("l000")
    kept = wing.watch.devices.of(box)
    kept.waiting = {place.to_bytes(32, "big"): None for place in range(65)}
    name = "own/" + wing.message("l000.d00.write2").item.hex()
    change = ("write", name, 0, box.flash.files[name])
    assert wing.broken(lambda: wing.watch.devices.change(box, change)) == {"S12"}
    kept.waiting = {}

    def busy_day() -> None:
        for number in range(101):
            wing.watch.hub._sure("it", wing.watch.hub._one_more_today, "00", number)

    assert wing.broken(busy_day) == {"S12"}


def test_a_state_ahead_of_the_hub_fails_s13(wing: Wing) -> None:
    box, message = wing.box("l000"), wing.message("l000.d00.write2")
    name = "own/" + message.item.hex()
    entry = cbor.loads(box.flash.files[name][:-4])
    ahead = cbor.dumps({**entry, 9: 6}) + bytes(4)  # rejected, which it never was
    assert wing.broken(lambda: wing.watch.devices.change(box, ("write", name, 0, ahead))) == {"S13"}
    seen = box.look()
    next(row for row in seen["shown"] if row[1])[3] = 5
    assert wing.broken(lambda: wing.watch.screens.compare(box, seen, False)) == {"S13"}
    seen = box.look()
    seen["returned"] = [[message.item, "", "NotInGroup"]]
    assert wing.broken(lambda: wing.watch.screens.compare(box, seen, False)) == {"S13"}


# liveness


def settled_docking(wing: Wing, name: str) -> Docking:
    docking = Docking(f"{name}.test", wing.box(name), 0, 0, 0, 0)
    docking.seated_ms = wing.world.kernel.now
    docking.settled_ms, docking.why = docking.seated_ms, "the page said so"
    return docking


def test_an_envelope_left_behind_fails_l1(wing: Wing) -> None:
    docking = settled_docking(wing, "l000")
    kept = wing.watch.devices.of(docking.box)
    assert wing.broken(lambda: wing.watch.alive._lifted(docking)) == set()
    kept.waiting[kept.saved[-1].item] = None
    assert wing.broken(lambda: wing.watch.alive._lifted(docking)) == {"L1"}
    kept.waiting.clear()


def test_a_message_that_is_late_on_the_page_fails_l2(wing: Wing) -> None:
    item = wing.message("l000.d00.write2").item
    taken, pending = (log.Entry(9999, 0, "hub", action, item, "", b"") for action in ("custody", "pending"))
    alive, kernel = wing.watch.alive, wing.world.kernel
    for ms, broken in ((4000, set()), (7000, {"L2"})):
        alive.row(taken)
        kernel.run(kernel.now + ms)
        assert wing.broken(lambda: alive.row(pending)) == broken


def test_an_approved_message_that_is_missing_fails_l3(wing: Wing) -> None:
    box, item = wing.box("l001"), wing.message("l000.d00.write2").item
    listed = dict(wing.watch.devices.of(box).listed)
    del listed[item]
    assert wing.broken(lambda: wing.say("l001", "list", wing.list_of("l001", listed))) == {"L3"}
    seen = box.look()
    seen["shown"] = [row for row in seen["shown"] if row[0] != item]
    assert wing.broken(lambda: wing.watch.screens.compare(box, seen, True)) == {"L3"}
    wing.watch.hub.lists[box.id] = {bytes(32): bytes(32)}
    wing.world.kernel.run(wing.world.kernel.now + 5000)
    docking = settled_docking(wing, "l001")
    assert wing.broken(lambda: wing.watch.alive._lifted(docking)) == {"L3"}


def test_a_seat_without_a_session_fails_l4_and_after_a_start_of_the_hub_l5(wing: Wing) -> None:
    docking, alive = settled_docking(wing, "l000"), wing.watch.alive
    now = wing.world.kernel.now
    assert wing.broken(lambda: alive._session(docking, now + 2999)) == set()
    assert wing.broken(lambda: alive._session(docking, now + 3001)) == {"L4"}
    docking.seated_ms = now - 60_000
    hub_on, alive._hub_on = alive._hub_on, now
    assert wing.broken(lambda: alive._session(docking, now + 29_000)) == set()
    assert wing.broken(lambda: alive._session(docking, now + 31_000)) == {"L5"}
    alive._hub_on = hub_on


def test_a_line_out_of_order_and_a_wait_in_vain_fail_l6(wing: Wing) -> None:
    first, second = settled_docking(wing, "l000"), settled_docking(wing, "l001")
    second.arrived_ms = 7
    wing.world.docks.line.append(first)
    assert wing.broken(lambda: wing.watch.alive._seated(second)) == {"L6"}
    wing.world.docks.line.clear()
    entry = Entry(0, "give_up", "l000", {"docking": "l000.settle0"})
    assert wing.broken(lambda: wing.watch.alive.entry(entry)) == {"L6"}


def test_a_write_with_nothing_new_fails_l7(wing: Wing) -> None:
    box = wing.box("l002")
    wing.world.kernel.after(60_000, lambda: box.act("draft", text="a thought"))
    assert wing.broken(wing.watch.alive.quiet) == {"L7"}
    for docking in list(wing.world.docks.seated.values()):
        wing.world.docks.lift(docking, "the test is over")


def test_own_work_that_is_not_shown_fails_l9(wing: Wing) -> None:
    box = wing.box("l000")
    seen = box.look()
    item = wing.message("l000.d00.write2").item
    seen["shown"] = [row for row in seen["shown"] if row[0] != item]
    assert wing.broken(lambda: wing.watch.screens.compare(box, seen, True)) == {"L9"}


# what two runs must have alike


@pytest.fixture(scope="module")
def calm() -> comparing.Picture:
    return comparing.run(calm_plan(), run_plan)


def test_two_runs_of_one_plan_with_other_clocks_are_alike_and_a_difference_fails_s15(calm: comparing.Picture) -> None:
    assert comparing.other_clocks(calm_plan(), run_plan) == []
    later = dataclasses.replace(calm, order=calm.order[1:])
    other = dataclasses.replace(calm, inboxes={**calm.inboxes, "l001": []})
    assert [one for one, _ in comparing.clocked(later, calm) + comparing.clocked(other, calm)] == ["S15", "S15"]


def test_a_plan_again_has_the_same_digest_and_a_difference_fails_s16(calm: comparing.Picture) -> None:
    assert comparing.repeated(comparing.run(calm_plan(), run_plan), calm) == []
    assert [one for one, _ in comparing.repeated(dataclasses.replace(calm, digest="x"), calm)] == ["S16"]


def test_what_attackers_change_fails_s14_and_what_they_delay_l8(calm: comparing.Picture) -> None:
    assert comparing.attacked(calm, calm) == []
    inbox = dataclasses.replace(calm, inboxes={**calm.inboxes, "l001": []})
    journal = dataclasses.replace(calm, journals={**calm.journals, "l001": []})
    slow = dataclasses.replace(calm, settling_ms={one: ms + 1001 for one, ms in calm.settling_ms.items()})
    assert [one for one, _ in comparing.attacked(inbox, calm)] == ["S14"]
    assert [one for one, _ in comparing.attacked(journal, calm)] == ["S14"]
    assert {one for one, _ in comparing.attacked(slow, calm)} == {"L8"}
    assert all(calm.inboxes[one] and calm.journals[one] for one in calm.inboxes)


# the whole


def test_cuts_of_devices_and_hub_break_no_promise() -> None:
    def cuts(world: World) -> None:
        hour = 3_600_000
        for place, box in enumerate(world.devices.values()):
            for at in (9 * hour + 10_000 * place + 12, 14 * hour + 10_000 * place + 20):
                world.kernel.at(at, off(box.turn_off))
                world.kernel.at(at + 2000, box.turn_on)
        for at in (9 * hour + 10_015, 36_020_000 + 500, 14 * hour + 20_010):
            world.kernel.at(at, off(world.hub.turn_off))
            world.kernel.at(at + 4000, world.hub.turn_on)

    def off(turn: Callable[[bool], None]) -> Callable[[], None]:
        return lambda: turn(False)

    outcome = run_plan(calm_plan("cuts"), cuts, secrets=True)
    assert outcome.failures == [] and outcome.pending == ""
