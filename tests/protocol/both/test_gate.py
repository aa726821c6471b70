"""The gate: every way in which something unapproved could be shown is refused by its own name."""

from protocol.records import gate
from protocol.records.roster import ADMINISTRATOR
from protocol.records.statement import Audience
from tests.kits import records as made


def refused(error, *arguments):
    """The refusal that `gate.check(*arguments)` raises must be exactly `error`."""
    try:
        gate.check(*arguments)
    except Exception as refusal:
        assert type(refusal) is error, f"{type(refusal).__name__}: {refusal}"
        return refusal
    raise AssertionError("shown, where it must be " + error.__name__)


def check_of(of, *names, roster=None, listed=None, learner="lee", wing=made.WING, text=made.TEXT):
    return (
        made.bundle(of, *names, text=text),
        roster or made.roster(),
        listed or made.delivery_list(of),
        learner,
        wing,
    )


def changed(record, **changes):
    values = {name: getattr(record, name) for name, _ in record.FIELDS}
    values.update(changes)
    return type(record)(**values)


def test_what_staff_signed_for_this_learner_is_shown():
    of = made.statement()
    assert gate.check(*check_of(of, "mia")) == of


def test_a_video_signed_by_two_people_is_shown():
    of = made.statement(renditions=made.video_renditions(), signers_needed=2)
    assert gate.check(*check_of(of, "mia", "noor")) == of


def test_a_changed_byte_of_the_text_is_refused():
    of = made.statement()
    for index in (0, len(made.TEXT) - 1):
        text = bytearray(made.TEXT)
        text[index] ^= 1
        refused(gate.RenditionDiffers, *check_of(of, "mia", text=bytes(text)))


def test_a_text_that_is_missing_cut_or_added_is_refused():
    of = made.statement()
    refused(gate.RenditionDiffers, *check_of(of, "mia", text=None))
    refused(gate.RenditionDiffers, *check_of(of, "mia", text=made.TEXT[:-1]))
    refused(gate.RenditionDiffers, *check_of(of, "mia", text=made.TEXT + b"!"))
    silent = made.statement(renditions=[made.video_renditions()[0]])
    refused(gate.RenditionDiffers, *check_of(silent, "mia", "noor"))


def test_a_text_whose_signed_length_differs_is_refused():
    good = made.text_rendition()
    of = made.statement(renditions=[changed(good, length=good.length + 1)])
    refused(gate.RenditionDiffers, *check_of(of, "mia"))


def test_a_changed_byte_of_a_rendition_in_the_statement_is_refused():
    of = made.statement()
    good = made.bundle(of, "mia")
    other = made.statement(renditions=[made.text_rendition(b"Something else")])
    forged = changed(good, statement=other.encode(), text=b"Something else")
    refused(gate.StatementDigestDiffers, forged, made.roster(), made.delivery_list(of), "lee", made.WING)
    # even where a stolen hub lists it, the staff did not sign it
    refused(gate.SignatureRefused, forged, made.roster(), made.delivery_list(other), "lee", made.WING)


def test_every_flipped_bit_of_a_statement_is_refused():
    of = made.statement()
    body = of.encode()
    good = made.bundle(of, "mia")
    for index in range(0, len(body), 7):
        damaged = bytearray(body)
        damaged[index] ^= 1 << index % 8
        forged = changed(good, statement=bytes(damaged))
        try:
            gate.check(forged, made.roster(), made.delivery_list(of), "lee", made.WING)
        except (gate.StatementRefused, gate.StatementDigestDiffers, gate.NotOnList):
            continue
        raise AssertionError(f"byte {index} does not matter")


def test_a_changed_signature_is_refused():
    of = made.statement()
    good = made.bundle(of, "mia")
    sign1 = bytearray(good.signatures[0])
    sign1[-1] ^= 1
    forged = changed(good, signatures=[bytes(sign1)])
    refused(gate.SignatureRefused, forged, made.roster(), made.delivery_list(of), "lee", made.WING)


def test_rubbish_in_place_of_a_signature_is_refused():
    of = made.statement()
    for rubbish in (b"x", b"\xd2\x84", bytes(110)):
        forged = changed(made.bundle(of, "mia"), signatures=[rubbish])
        refused(gate.SignatureRefused, forged, made.roster(), made.delivery_list(of), "lee", made.WING)


def test_another_audience_is_refused():
    of = made.statement()
    refused(gate.NotInAudience, *check_of(of, "mia", learner="max"))


def test_an_audience_widened_after_signing_is_refused():
    of = made.statement()
    wider = made.statement(audience=Audience(group="art", membership_version=3, learners=["lee", "max"]))
    forged = changed(made.bundle(of, "mia"), statement=wider.encode())
    refused(gate.SignatureRefused, forged, made.roster(), made.delivery_list(wider), "max", made.WING)


def test_one_signature_instead_of_two_is_refused_for_a_video():
    of = made.statement(renditions=made.video_renditions(), signers_needed=2)
    refused(gate.TooFewSigners, *check_of(of, "mia"))


def test_a_video_takes_two_even_when_its_statement_says_one():
    of = made.statement(renditions=made.video_renditions(), signers_needed=1)
    refused(gate.TooFewSigners, *check_of(of, "mia"))
    still = made.statement(renditions=[made.video_renditions()[0]], signers_needed=1)
    refused(gate.TooFewSigners, *check_of(still, "mia", text=None))


def test_a_text_takes_as_many_as_its_statement_says():
    of = made.statement(signers_needed=3)
    refused(gate.TooFewSigners, *check_of(of, "mia", "noor"))
    assert gate.check(*check_of(of, "mia", "noor", "ada")) == of


def test_the_same_key_twice_counts_once():
    of = made.statement(renditions=made.video_renditions())
    refused(gate.TooFewSigners, *check_of(of, "mia", "mia"))
    refused(gate.TooFewSigners, *check_of(of, *["mia"] * 8))


def test_the_same_person_with_two_keys_counts_once():
    of = made.statement(renditions=made.video_renditions())
    roster = made.roster(more=[made.staff("mia-new", person="mia")])
    refused(gate.TooFewSigners, *check_of(of, "mia", "mia-new", roster=roster))
    assert gate.check(*check_of(of, "mia", "mia-new", "noor", roster=roster)) == of


def test_a_signer_who_is_not_on_the_roster_is_refused():
    of = made.statement()
    refused(gate.UnknownSigner, *check_of(of, "stranger"))
    refused(gate.UnknownSigner, *check_of(of, "hub"))
    refused(gate.UnknownSigner, *check_of(of, "mia", roster=made.roster(without=("mia",))))


def test_a_key_that_borrows_a_moderators_key_id_is_refused():
    of = made.statement()
    body = of.encode()
    from protocol.records import signing

    aad = b"perch/decision/1"
    sign1 = signing.cose.sign1(made.keys("stranger").seed, made.keys("mia").kid, made.digest(body), aad)
    forged = changed(made.bundle(of, "mia"), signatures=[sign1])
    refused(gate.SignatureRefused, forged, made.roster(), made.delivery_list(of), "lee", made.WING)


def test_a_signer_whose_key_has_expired_is_refused():
    of = made.statement()
    late = made.roster(without=("mia",), more=[made.staff("mia", expires_s=made.NOW)])
    refused(gate.SignerExpired, *check_of(of, "mia", roster=late))


def test_a_signer_without_the_moderator_role_is_refused():
    of = made.statement()
    refused(gate.SignerRole, *check_of(of, "ben"))
    governor = made.roster(more=[made.staff("gia", roles=("governor", "safer-custody"))])
    refused(gate.SignerRole, *check_of(of, "gia", roster=governor))
    assert ADMINISTRATOR in made.roster().staff_by_key(made.keys("ben").kid).roles


def test_a_signature_for_another_kind_of_record_is_refused():
    of = made.statement()
    body = of.encode()
    for kind in ("roster", "certificate", "envelope", "list", "journal", "receipt", "enrol"):
        forged = changed(made.bundle(of, "mia"), signatures=[made.keys("mia").sign(kind, body)])
        refused(gate.SignatureRefused, forged, made.roster(), made.delivery_list(of), "lee", made.WING)


def test_a_bad_signature_spoils_nothing_where_enough_are_good():
    of = made.statement(renditions=made.video_renditions())
    assert gate.check(*check_of(of, "stranger", "ben", "mia", "noor")) == of
    refused(gate.UnknownSigner, *check_of(of, "stranger", "ben", "mia"))


def test_no_more_signatures_are_verified_than_are_needed():
    of = made.statement()
    good = made.bundle(of, "mia")
    forged = changed(good, signatures=good.signatures + [b"never read"] * 7)
    assert gate.check(forged, made.roster(), made.delivery_list(of), "lee", made.WING) == of


def test_more_signatures_than_anybody_needs_are_not_looked_at():
    of = made.statement()
    flood = changed(made.bundle(of, "mia"), signatures=[made.bundle(of, "stranger").signatures[0]] * 9)
    refused(gate.TooManySignatures, flood, made.roster(), made.delivery_list(of), "lee", made.WING)


def test_a_statement_other_than_the_listed_one_is_refused():
    of = made.statement()
    later = made.statement(decided_s=made.NOW - 60)
    refused(gate.StatementDigestDiffers, *check_of(of, "mia", listed=made.delivery_list(later)))


def test_an_item_that_is_not_on_the_list_is_refused():
    of = made.statement()
    refused(gate.NotOnList, *check_of(of, "mia", listed=made.delivery_list()))
    other = made.statement(item=made.digest(b"other"))
    refused(gate.NotOnList, *check_of(of, "mia", listed=made.delivery_list(other)))


def test_a_recalled_item_is_refused_by_the_newer_list():
    of = made.statement()
    gate.check(*check_of(of, "mia"))
    refused(gate.NotOnList, *check_of(of, "mia", listed=made.delivery_list(version=6)))


def test_another_wing_is_refused():
    of = made.statement()
    elsewhere = made.statement(wing="wing-c")
    refused(gate.WrongWing, *check_of(elsewhere, "mia"))
    refused(gate.WrongWing, *check_of(of, "mia", wing="wing-c"))
    refused(gate.WrongWing, *check_of(of, "mia", listed=made.delivery_list(of, wing="wing-c")))
    refused(gate.WrongWing, *check_of(of, "mia", roster=made.roster(wing="wing-c")))


def test_a_statement_expires_by_the_hubs_time():
    of = made.statement(expires_s=made.NOW + 10)
    assert gate.check(*check_of(of, "mia", listed=made.delivery_list(of, issued_s=made.NOW + 9))) == of
    refused(gate.Expired, *check_of(of, "mia", listed=made.delivery_list(of, issued_s=made.NOW + 10)))


def test_a_newer_roster_than_ours_is_asked_for():
    of = made.statement()
    refused(gate.RosterOutdated, *check_of(of, "mia", listed=made.delivery_list(of, roster_version=2)))
    newer = made.statement(roster_version=2)
    refused(gate.RosterOutdated, *check_of(newer, "mia"))
    assert gate.check(*check_of(newer, "mia", roster=made.roster(version=2))) == newer


def test_what_is_returned_goes_to_its_author_alone():
    of = made.returned()
    assert gate.check(*check_of(of, "mia", learner="kit", text=None)) == of
    refused(gate.NotInAudience, *check_of(of, "mia", learner="lee", text=None))


def test_a_return_with_words_that_nobody_signed_is_refused():
    of = made.returned()
    other = made.returned(words="You are banned.")
    forged = changed(made.bundle(of, "mia", text=None), statement=other.encode())
    refused(gate.SignatureRefused, forged, made.roster(), made.delivery_list(other), "kit", made.WING)


def test_a_recall_is_nothing_to_show():
    of = made.statement(action=4, renditions=[], reason=1)
    refused(gate.ActionRefused, *check_of(of, "mia", text=None))


def test_a_return_cannot_carry_anything_to_anybody_else():
    everybody = Audience(group=None, membership_version=0, learners=["kit", "lee"])
    for bad in (
        made.returned(audience=everybody),
        made.returned(audience=Audience(group="art", membership_version=3, learners=["kit"])),
        made.returned(renditions=[made.text_rendition()]),
        made.returned(reason=0),
    ):
        try:
            bad.encode()
        except gate.StatementRefused:
            continue
        raise AssertionError("a return for others was encoded")


def test_a_text_with_what_nobody_can_see_is_refused_even_when_it_was_signed():
    for hidden in ("abc\u202eexe", "zero\u200bwidth", "bell\x07"):
        text = hidden.encode()
        of = made.statement(renditions=[made.text_rendition(text)])
        refused(gate.TextRefused, *check_of(of, "mia", text=text))


def test_a_text_that_is_not_utf8_is_refused_even_when_it_was_signed():
    for text in (b"\xc0\x80", b"\xed\xa0\x80", b"\xff", b"a\xe2\x82", b"\xf4\x90\x80\x80"):
        of = made.statement(renditions=[made.text_rendition(text)])
        refused(gate.TextRefused, *check_of(of, "mia", text=text))


def test_random_bytes_as_a_statement_are_a_named_refusal():
    random = made.counting_random()
    good = made.bundle(made.statement(), "mia")
    for length in (1, 2, 40, 200):
        forged = changed(good, statement=random(length))
        refused(gate.StatementRefused, forged, made.roster(), made.delivery_list(), "lee", made.WING)


def test_a_rendition_role_cannot_stand_twice():
    twice = [made.text_rendition(), made.text_rendition(b"other")]
    try:
        made.statement(renditions=twice).encode()
    except gate.StatementRefused as refusal:
        assert refusal.field == "renditions[1]", refusal.field
    else:
        raise AssertionError("two texts in one statement")
