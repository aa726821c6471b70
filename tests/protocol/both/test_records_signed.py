"""Signatures over records, and the chain of rosters: who may say what, counted by person."""

from protocol import cbor
from protocol.errors import Refusal
from protocol.records import roster, signing
from protocol.records.hello import Time
from tests.kits import records as made


def raised(error, function, *arguments):
    """The refusal of exactly this class that the call raises."""
    try:
        function(*arguments)
    except Refusal as refusal:
        assert type(refusal) is error, f"{type(refusal).__name__}: {refusal}"
        return refusal
    raise AssertionError("taken, where it must be " + error.__name__)


def test_a_signed_record_gives_back_its_exact_bytes():
    body = Time(time_s=1).encode()
    signed = made.signed("list", body, "hub")
    assert signing.open_signed("list", made.keys("hub").public, signed) == body


def test_a_signature_of_another_key_kind_or_body_is_refused():
    body = Time(time_s=1).encode()
    hub = made.keys("hub").public
    raised(signing.SignatureRefused, signing.open_signed, "list", hub, made.signed("list", body, "mia"))
    raised(signing.SignatureRefused, signing.open_signed, "list", hub, made.signed("certificate", body, "hub"))
    body2, sign1s = signing.unpack_signed(made.signed("list", body, "hub"))
    raised(signing.SignatureRefused, signing.check, "list", hub, body2 + b"x", sign1s[0])


def test_a_signature_that_names_another_key_is_refused_even_where_it_verifies():
    hub = made.keys("hub")
    body = Time(time_s=1).encode()
    sign1 = signing.cose.sign1(hub.seed, made.keys("mia").kid, made.digest(body), b"perch/list/1")
    raised(signing.SignatureRefused, signing.check, "list", hub.public, body, sign1)


def test_a_signed_record_of_another_shape_is_refused():
    body = Time(time_s=1).encode()
    sign1 = made.keys("hub").sign("list", body)
    for bad in (
        [body],
        [body, []],
        [body, sign1],
        [body, [sign1] * 9],
        [body, [1]],
        [1, [sign1]],
        [body, [bytes(200)]],
        {},
    ):
        raised(signing.SignedRefused, signing.unpack_signed, cbor.dumps(bad))
    raised(signing.SignedRefused, signing.unpack_signed, b"\xff")
    hub = made.keys("hub").public
    raised(signing.SignedRefused, signing.open_signed, "list", hub, cbor.dumps([body, [sign1, sign1]]))


def test_the_first_roster_needs_two_administrators_it_names_itself():
    body = made.roster().encode()
    assert roster.accept(None, made.signed("roster", body, "ada", "ben")) == made.roster()
    raised(signing.TooFewSigners, roster.accept, None, made.signed("roster", body, "ada"))
    raised(signing.TooFewSigners, roster.accept, None, made.signed("roster", body, "ada", "ada"))
    raised(signing.SignerRole, roster.accept, None, made.signed("roster", body, "ada", "mia"))
    raised(signing.UnknownSigner, roster.accept, None, made.signed("roster", body, "stranger", "ada"))


def test_the_next_roster_needs_two_administrators_of_the_one_before():
    current = made.roster()
    crown = [made.staff("eve", ("administrator",)), made.staff("eva", ("administrator",))]
    usurped = made.roster(version=2, without=("ada", "ben"), more=crown).encode()
    raised(signing.UnknownSigner, roster.accept, current, made.signed("roster", usurped, "eve", "eva"))
    handed = roster.accept(current, made.signed("roster", usurped, "ada", "ben"))
    assert handed.version == 2 and handed.staff_by_key(made.keys("ada").kid) is None
    raised(signing.TooFewSigners, roster.accept, current, made.signed("roster", usurped, "ada"))


def test_one_administrator_with_two_keys_is_one_administrator():
    two = made.roster(more=[made.staff("ada-2", ("administrator",), person="ada")])
    body = made.roster(version=2).encode()
    raised(signing.TooFewSigners, roster.accept, two, made.signed("roster", body, "ada", "ada-2"))
    roster.accept(two, made.signed("roster", body, "ada", "ada-2", "ben"))


def test_a_roster_that_is_older_the_same_or_skips_one_is_refused():
    current = made.roster(version=3)
    for version in (1, 2, 3, 5):
        signed = made.signed("roster", made.roster(version=version).encode(), "ada", "ben")
        refusal = raised(roster.RosterRefused, roster.accept, current, signed)
        assert refusal.field == "version"
        assert ("not newer" in refusal.why) == (version <= 3), refusal.why
    signed = made.signed("roster", made.roster(version=4).encode(), "ada", "ben")
    assert roster.accept(current, signed).version == 4


def test_a_roster_of_another_wing_or_by_an_expired_key_is_refused():
    current = made.roster()
    other = made.signed("roster", made.roster(version=2, wing="wing-c").encode(), "ada", "ben")
    assert raised(roster.RosterRefused, roster.accept, current, other).field == "wing"
    expired = made.roster(without=("ben",), more=[made.staff("ben", ("administrator",), expires_s=made.NOW)])
    body = made.roster(version=2).encode()
    raised(signing.SignerExpired, roster.accept, expired, made.signed("roster", body, "ada", "ben"))


def test_the_roster_finds_people_by_what_names_them():
    of = made.roster()
    assert of.staff_by_key(made.keys("mia").kid).person == "mia"
    assert of.learner("kit").name == "Kit" and of.learner("zed") is None
    assert of.group("art").members == ["kit", "lee"] and of.group("zed") is None
    assert made.register().device(made.keys("slate-2").kid).learner == "lee"
    assert made.register().device(bytes(8)) is None
