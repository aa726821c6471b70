"""What a decision takes, what it signs, and what keeps it from being made."""

from __future__ import annotations

import pytest

from hub_daemon import people
from hub_daemon.in_force import InForce
from hub_daemon.limits import LEASE_MS_MAX
from hub_daemon.moderation import (
    Conflict,
    NobodyToReach,
    NotAllowed,
    ReadersChanged,
    SamePerson,
    Voided,
    WordsRefused,
    reasons,
)
from hub_daemon.moderation import statements as made_of
from hub_daemon.store import items, log, queue
from protocol.records import gate
from protocol.records.bundle import Bundle
from protocol.records.delivery_list import DeliveryList, Listed
from protocol.records.signing import TooFewSigners
from protocol.records.statement import Statement


def hold(wing, person, item):
    """Deal until `person` holds `item`."""
    for _ in range(20):
        got = wing.moderation.deal(person)
        if got == item:
            return wing.moderation.view(person, item).item.version
        assert got is not None
        wing.moderation.release(person, got, wing.moderation.view(person, got).item.version)
    raise AssertionError("not dealt")


def approve(wing, person, item):
    version = hold(wing, person, item)
    return wing.moderation.approve(person, item, version, wing.signer(person), wing.seen(item))


def state(wing, item):
    with wing.store.read() as tx:
        return items.get(tx, item).state


def test_text_between_acquainted_learners_takes_one_person(wing):
    wing.acquaint()
    item = wing.post("hello")
    assert approve(wing, "ann", item) == "approved"
    assert wing.changed == [item]


def test_a_first_contact_takes_two_people_and_the_next_text_one(wing):
    item = wing.post("hello")
    assert approve(wing, "ann", item) == "awaiting_second"
    assert approve(wing, "ben", item) == "approved"
    again = wing.post("hello again")
    assert approve(wing, "cat", again) == "approved"


def test_two_first_messages_wait_for_their_second_person_side_by_side(wing):
    first, second = wing.post("hello"), wing.post("and another thing")
    assert approve(wing, "ann", first) == "awaiting_second"
    assert approve(wing, "ann", second) == "awaiting_second"
    assert approve(wing, "ben", first) == "approved"
    assert approve(wing, "ben", second) == "approved"


def test_a_video_takes_two_different_people_who_sign_the_same_bytes(wing):
    wing.acquaint()
    item = wing.video(b"m" * 9000, b"s" * 100, b"j" * 100)
    assert approve(wing, "ann", item) == "awaiting_second"
    assert wing.moderation.deal("ann") is None
    assert approve(wing, "ben", item) == "approved"
    with wing.store.read() as tx:
        signed = items.statement(tx, items.get(tx, item).statement)
    assert [person for person, _ in signed.signatures] == ["ann", "ben"]
    statement = Statement.decode(signed.body)
    assert [r.role for r in statement.renditions] == ["still", "video"]
    assert statement.audience.learners == ["eve", "finn", "gus"]
    assert statement.signers_needed == 2


def test_what_was_approved_passes_the_devices_gate_and_one_signature_less_does_not(wing):
    item = wing.post("hello")
    approve(wing, "ann", item)
    approve(wing, "ben", item)
    roster = wing.people.roster()
    with wing.store.read() as tx:
        signed = items.statement(tx, items.get(tx, item).statement)
    listed = DeliveryList(
        wing=wing.wing, device=bytes(8), version=1, issued_s=wing.clock() // 1000, roster_version=roster.version,
        items=[Listed(item=item, statement=signed.digest)], own=[],
    )
    both = [sign1 for _, sign1 in signed.signatures]
    gate.check(Bundle(statement=signed.body, signatures=both, text=b"hello"), roster, listed, "eve", wing.wing)
    with pytest.raises(gate.NotInAudience):
        gate.check(Bundle(statement=signed.body, signatures=both, text=b"hello"), roster, listed, "dai", wing.wing)
    for some in (both[:1], [both[0], both[0]]):
        with pytest.raises(TooFewSigners):
            gate.check(Bundle(statement=signed.body, signatures=some, text=b"hello"), roster, listed, "eve", wing.wing)


def test_the_first_signer_cannot_be_the_second_even_with_the_lease(wing):
    item = wing.post("hello")
    approve(wing, "ann", item)
    with wing.store.write() as tx:  # a lease that no deal would give
        tx.execute("UPDATE items SET lease_owner = 'ann', lease_until_ms = ? WHERE id = ?", (wing.clock() + 9999, item))
    version = wing.moderation.view("ann", item).item.version
    with pytest.raises(SamePerson):
        wing.moderation.approve("ann", item, version, wing.signer("ann"), wing.seen(item))
    with pytest.raises(SamePerson):
        wing.moderation.return_("ann", item, version, wing.signer("ann"), 5, "")
    assert state(wing, item) == "awaiting_second"


def test_a_changed_group_voids_the_first_approval(wing):
    item = wing.post("hello")
    approve(wing, "ann", item)
    wing.change(people.with_group("writers", "Writers' circle", ("dai", "eve")))
    version = hold(wing, "ben", item)
    with pytest.raises(Voided):
        wing.moderation.approve("ben", item, version, wing.signer("ben"), wing.seen(item))
    assert state(wing, item) == "claimed"
    with wing.store.read() as tx:
        (first,) = queue.decisions_of(tx, item)
    assert first["dropped_ms"] and "roster" in first["dropped_why"]
    version = wing.moderation.view("ben", item).item.version
    assert wing.moderation.approve("ben", item, version, wing.signer("ben"), wing.seen(item)) == "awaiting_second"
    assert approve(wing, "ann", item) == "approved"
    with wing.store.read() as tx:
        signed = items.statement(tx, items.get(tx, item).statement)
    assert Statement.decode(signed.body).audience.learners == ["eve"]


def test_an_approval_is_refused_when_the_page_had_shown_other_readers_and_nothing_is_lost(wing):
    item = wing.post("hello")
    version = hold(wing, "ann", item)
    shown = wing.moderation.view("ann", item)
    assert shown.readers == ("eve", "finn", "gus")
    wing.change(people.with_learner("hal", "Hal Y", ("writers",)))
    with pytest.raises(ReadersChanged, match="Look again"):
        wing.moderation.approve("ann", item, version, wing.signer("ann"), shown.seen)
    with wing.store.read() as tx:
        assert queue.decisions_of(tx, item) == [] and items.statements_of(tx, item) == []
    again = wing.moderation.view("ann", item)
    assert again.held and again.item.version == version and "hal" in again.readers
    assert wing.moderation.approve("ann", item, version, wing.signer("ann"), again.seen) == "awaiting_second"


def test_an_approval_is_refused_when_fewer_names_would_do_than_the_page_had_said(wing):
    first, second = wing.post("hello"), wing.post("and more")
    version = hold(wing, "cat", second)
    shown = wing.moderation.view("cat", second)
    approve(wing, "ann", first)
    approve(wing, "ben", first)
    assert shown.signers_needed == 2 and wing.moderation.view("cat", second).signers_needed == 1
    with pytest.raises(ReadersChanged):
        wing.moderation.approve("cat", second, version, wing.signer("cat"), shown.seen)
    assert state(wing, second) == "claimed"


def test_readers_who_became_acquainted_do_not_hold_up_a_second_name(wing):
    first, second = wing.post("hello"), wing.post("and more")
    approve(wing, "ann", first)
    approve(wing, "ann", second)
    version = hold(wing, "cat", second)
    shown = wing.moderation.view("cat", second)
    approve(wing, "ben", first)
    assert wing.moderation.approve("cat", second, version, wing.signer("cat"), shown.seen) == "approved"


def test_a_rendition_changed_behind_the_first_signer_voids_the_approval(wing):
    item = wing.post("hello")
    approve(wing, "ann", item)
    with wing.store.write() as tx:
        tx.execute("UPDATE renditions SET digest = ? WHERE item = ?", (bytes(32), item))
    version = hold(wing, "ben", item)
    with pytest.raises(Voided):
        wing.moderation.approve("ben", item, version, wing.signer("ben"), wing.seen(item))


def test_text_that_differs_from_its_digest_is_never_approved(wing):
    wing.acquaint()
    item = wing.post("hello")
    with wing.store.write() as tx:
        tx.execute("UPDATE renditions SET body = ? WHERE item = ?", (b"hellp", item))
    version = hold(wing, "ann", item)
    with pytest.raises(gate.RenditionDiffers):
        wing.moderation.approve("ann", item, version, wing.signer("ann"), wing.seen(item))
    assert state(wing, item) == "claimed"
    with wing.store.read() as tx:
        assert items.statements_of(tx, item) == []


def test_an_approval_that_would_reach_nobody_is_refused(wing):
    item = wing.post("hello", group="nowhere")
    version = hold(wing, "ann", item)
    with pytest.raises(NobodyToReach):
        wing.moderation.approve("ann", item, version, wing.signer("ann"), wing.seen(item))


def test_a_stale_version_changes_nothing_and_says_who_was_faster(wing):
    wing.acquaint()
    item = wing.post("hello")
    version = hold(wing, "ann", item)
    wing.late_ms += LEASE_MS_MAX + 1
    later = hold(wing, "ben", item)
    wing.moderation.return_("ben", item, later, wing.signer("ben"), 4, "")
    wing.late_ms += 12_000
    with pytest.raises(Conflict) as caught:
        wing.moderation.approve("ann", item, version, wing.signer("ann"), wing.seen(item))
    assert str(caught.value) == (
        "Decided 12 s ago by another moderator: returned, ground 4. Nothing of yours was lost."
    )
    assert (caught.value.by, caught.value.reason) == ("ben", 4)
    assert state(wing, item) == "returned"


def test_an_ended_lease_decides_nothing(wing):
    wing.acquaint()
    item = wing.post("hello")
    version = hold(wing, "ann", item)
    wing.late_ms += LEASE_MS_MAX + 1
    with pytest.raises(Conflict):
        wing.moderation.approve("ann", item, version, wing.signer("ann"), wing.seen(item))
    assert state(wing, item) == "claimed"


def test_activity_keeps_the_lease(wing):
    wing.acquaint()
    item = wing.post("hello")
    version = hold(wing, "ann", item)
    for _ in range(3):
        wing.late_ms += LEASE_MS_MAX - 1000
        assert wing.moderation.renew("ann", item)
    assert wing.moderation.deal("ben") is None
    assert wing.moderation.approve("ann", item, version, wing.signer("ann"), wing.seen(item)) == "approved"


def test_items_are_dealt_by_age_with_the_overdue_first(wing):
    young, old = wing.post("young"), wing.post("old", age_ms=3600_000)
    urgent = wing.post("urgent", age_ms=60_000)
    overdue = wing.post("overdue", age_ms=4 * 86400_000)
    with wing.store.write() as tx:
        tx.execute("UPDATE items SET priority = 5 WHERE id = ?", (urgent,))
    given = []
    for _ in range(4):
        item = wing.moderation.deal("ann")
        given.append(item)
        wing.moderation.return_("ann", item, wing.moderation.view("ann", item).item.version, wing.signer("ann"), 5, "")
    assert given == [overdue, urgent, old, young]


def test_what_was_passed_back_is_dealt_last_to_that_person(wing):
    first, second = wing.post("one", age_ms=1000), wing.post("two")
    wing.moderation.release("ann", first, hold(wing, "ann", first))
    assert wing.moderation.deal("ann") == second
    assert wing.moderation.deal("ben") == first


def test_content_is_shown_to_the_holder_only_and_the_reading_is_logged_first(wing):
    item = wing.post("a secret")
    assert not wing.moderation.view("ben", item).content
    hold(wing, "ann", item)
    seen = wing.moderation.view("ann", item)
    assert seen.content and seen.text == "a secret"
    other = wing.moderation.view("ben", item)
    assert not other.content and other.text == "" and other.renditions == () and other.marks == ()
    with wing.store.read() as tx:
        assert {row["person"] for row in queue.readings_of(tx, item)} == {"ann"}
        assert ("ann", "read") in {(entry.actor, entry.action) for entry in log.of_item(tx, item)}


def test_safer_custody_may_read_with_a_reason_and_a_moderator_may_not(wing):
    item = wing.video(b"m" * 100, b"s" * 100, b"j" * 100)
    assert not wing.moderation.view("cat", item).content
    assert wing.moderation.view("cat", item, "a call from the wing").content
    assert wing.moderation.open_media("cat", item, "video", "a call from the wing").role == "video"
    assert not wing.moderation.view("ann", item, "curious").content
    with pytest.raises(NotAllowed):
        wing.moderation.open_media("ann", item, "video", "curious")
    with wing.store.read() as tx:
        assert {row["why"] for row in queue.readings_of(tx, item)} == {"a call from the wing"}


def test_a_return_is_signed_to_the_author_alone_with_the_words_they_will_read(wing):
    item = wing.post("call me")
    version = hold(wing, "ann", item)
    shown = wing.moderation.words("return", 1, "Take the number out.")
    wing.moderation.return_("ann", item, version, wing.signer("ann"), 1, "Take the number out.")
    with wing.store.read() as tx:
        signed = items.statement(tx, items.get(tx, item).statement)
    statement = Statement.decode(signed.body)
    assert statement.audience.learners == ["dai"] and statement.renditions == []
    assert (statement.action, statement.reason, statement.words) == (made_of.RETURN, 1, shown)
    assert "Take the number out." in shown and "Ask before" in shown


@pytest.mark.parametrize("words", ["x" * 700, "hid\u200bden", "turn\u202ed around"])
def test_words_that_no_device_would_show_are_refused(wing, words):
    item = wing.post("hello")
    version = hold(wing, "ann", item)
    with pytest.raises(WordsRefused):
        wing.moderation.reject("ann", item, version, wing.signer("ann"), 1, words)
    assert state(wing, item) == "claimed"


def test_every_ground_fits_a_statement_in_both_languages(wing):
    for use in ("return", "reject", "recall"):
        for entry in reasons.choices(use):
            for language in ("en", "cy"):
                assert wing.moderation.words(use, entry.code, "own words", language)


def test_an_unknown_ground_and_an_other_without_words_are_refused(wing):
    with pytest.raises(reasons.UnknownReason):
        wing.moderation.words("return", 77, "")
    with pytest.raises(WordsRefused):
        wing.moderation.words("return", reasons.OTHER, " ")


def test_a_recall_takes_the_item_off_every_list(wing):
    wing.acquaint()
    item = wing.post("hello")
    approve(wing, "ann", item)
    version = wing.moderation.view("ben", item).item.version
    wing.moderation.recall("ben", item, version, wing.signer("ben"), 2, "")
    assert state(wing, item) == "recalled"
    with wing.store.read() as tx:
        assert items.get(tx, item).statement is None
        assert InForce(wing.store).of(tx, "ben") == []
    with pytest.raises(Conflict):
        wing.moderation.recall("ann", item, version, wing.signer("ann"), 2, "")


def test_an_alert_holds_the_item_and_closes_only_with_a_second_person(wing):
    item = wing.post("I cannot go on")
    hold(wing, "ann", item)
    number = wing.moderation.safeguard("ann", item)
    assert state(wing, item) == "escalated"
    assert wing.moderation.deal("ben") is None
    with pytest.raises(Conflict):
        wing.moderation.close_alert("cat", number, "told the wing manager")
    wing.moderation.acknowledge("cat", number)
    with pytest.raises(Conflict):
        wing.moderation.acknowledge("ben", number)
    wing.moderation.close_alert("cat", number, "Wing manager, 14:05")
    with pytest.raises(SamePerson):
        wing.moderation.second_alert("cat", number)
    assert state(wing, item) == "escalated"
    wing.moderation.second_alert("ben", number)
    assert state(wing, item) == "pending"


def test_an_alert_about_an_item_once_approved_drops_the_open_approval(wing):
    item = wing.post("hello")
    approve(wing, "ann", item)
    wing.moderation.safeguard("cat", item)
    with wing.store.read() as tx:
        assert queue.item(tx, item)["open_statement"] is None
        assert queue.decisions_of(tx, item)[0]["dropped_ms"]


def test_people_off_the_roster_decide_nothing(wing):
    wing.acquaint()
    item = wing.post("hello")
    version = hold(wing, "cat", item)
    signer = wing.signer("cat")
    wing.change(people.without_staff("cat"))
    with pytest.raises(NotAllowed):
        wing.moderation.approve("cat", item, version, signer, wing.seen(item))
    with pytest.raises(NotAllowed):
        wing.moderation.deal("cat")


def test_the_log_row_is_in_the_same_transaction_as_the_act(wing, monkeypatch):
    wing.acquaint()
    item = wing.post("hello")
    version = hold(wing, "ann", item)
    real = log.append

    def full(*values, **named):
        if values[3] == "approve":
            raise OSError(28, "No space left on device")
        return real(*values, **named)

    monkeypatch.setattr(log, "append", full)
    with pytest.raises(OSError):
        wing.moderation.approve("ann", item, version, wing.signer("ann"), wing.seen(item))
    assert state(wing, item) == "claimed"
    with wing.store.read() as tx:
        assert items.statements_of(tx, item) == [] and queue.decisions_of(tx, item) == []
