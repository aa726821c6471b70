"""Enrolment: both sides show the same digits, and a device takes a grant only from the hub of this session."""

from protocol import cbor, enrol
from protocol.enrol import EnrolDevice, EnrolHub
from protocol.errors import Misuse, Refusal
from protocol.records import signing
from protocol.records.certificate import Certificate, CertificateRefused
from tests.kits import records as made

HASH = made.digest(b"handshake hash")


def raised(error, function, *arguments):
    try:
        function(*arguments)
    except Refusal as refusal:
        assert type(refusal) is error, f"{type(refusal).__name__}: {refusal}"
        return refusal
    raise AssertionError("taken, where it must be " + error.__name__)


def sides(device_hash=HASH, hub_hash=HASH, seed=None):
    """A device and a hub whose session is up; nothing is said yet."""
    slate = made.keys("slate-1")
    random = made.counting_random()
    device = EnrolDevice(random, seed or slate.seed, slate.public, slate.x_public, "slate")
    hub = EnrolHub(random)
    device.start(device_hash, hub.commitment, made.keys("hub").x_public)
    hub.start(hub_hash, device.nonce, slate.x_public)
    return device, hub


def talk(device, hub):
    """Carry everything both ways, byte by byte, until both are silent."""
    while True:
        up, down = device.to_send(), hub.to_send()
        if not up and not down:
            return
        for byte in up:
            hub.receive(bytes([byte]))
        for byte in down:
            device.receive(bytes([byte]))


def certificate(signer="hub", **changes):
    slate = made.keys("slate-1")
    values = {
        "wing": made.WING,
        "device": slate.kid,
        "ed25519": slate.public,
        "x25519": slate.x_public,
        "learner": "kit",
        "issued_s": made.NOW,
        "roster_version": 1,
    }
    values.update(changes)
    return Certificate(**values).sign(made.keys(signer).seed, made.keys(signer).public)


def roster(version=1, **changes):
    return made.signed("roster", made.roster(version=version, **changes).encode(), "ada", "ben")


def granted(certificate_signed, rosters):
    """A device that was just handed this grant; raises what it refuses."""
    device, hub = sides()
    talk(device, hub)
    hub.grant(certificate_signed, rosters)
    talk(device, hub)
    return device, hub


def framed(record):
    data = record.encode()
    return len(data).to_bytes(4, "big") + data


def test_a_device_enrols():
    device, hub = sides()
    talk(device, hub)
    name, digits = device.next_event()
    assert name == "digits" and len(digits) == 6 and int(digits) >= 0
    assert hub.next_event() == ("digits", digits)
    name, request = hub.next_event()
    assert name == "request" and request.device_id() == made.keys("slate-1").kid and request.model == "slate"
    signed, rosters = certificate(), [roster(), roster(2)]
    hub.grant(signed, rosters)
    talk(device, hub)
    assert device.next_event() == ("granted", signed, rosters)
    assert device.next_event() is None and hub.next_event() is None
    device.commit()
    talk(device, hub)
    assert device.next_event() == ("done",) and hub.next_event() == ("done",)
    assert device.closed and hub.closed


def test_the_digits_depend_on_the_handshake_and_on_both_nonces():
    base = enrol.digits_of(HASH, bytes(32), bytes(32))
    one = b"\x01" + bytes(31)
    others = [
        enrol.digits_of(one, bytes(32), bytes(32)),
        enrol.digits_of(HASH, one, bytes(32)),
        enrol.digits_of(HASH, bytes(32), one),
    ]
    assert base not in others and len(base) == 6


def test_two_sessions_show_different_digits():
    device, hub = sides(hub_hash=made.digest(b"another handshake"))
    raised(enrol.PossessionRefused, talk, device, hub)
    assert device.next_event()[1] != hub.next_event()[1]


def test_a_hub_that_reveals_another_nonce_than_it_was_committed_to_is_refused():
    device, _ = sides()
    raised(enrol.CommitmentBroken, device.receive, framed(enrol.Reveal(nonce=bytes(32))))
    assert device.closed and device.digits is None and not device.to_send()


def test_a_device_that_does_not_hold_its_signing_key_is_refused():
    device, hub = sides(seed=made.keys("slate-2").seed)
    raised(enrol.PossessionRefused, talk, device, hub)
    assert hub.closed and hub.request is None


def test_a_device_that_names_another_x25519_key_than_the_sessions_is_refused():
    slate = made.keys("slate-1")
    _, hub = sides()
    proof = signing.sign("enrol", slate.seed, slate.public, HASH)
    lie = enrol.Request(ed25519=slate.public, x25519=made.keys("slate-2").x_public, proof=proof, model="")
    raised(enrol.PossessionRefused, hub.receive, framed(lie))


def test_a_proof_from_another_session_is_refused():
    slate = made.keys("slate-1")
    _, hub = sides()
    proof = signing.sign("enrol", slate.seed, slate.public, made.digest(b"yesterday"))
    replay = enrol.Request(ed25519=slate.public, x25519=slate.x_public, proof=proof, model="")
    raised(enrol.PossessionRefused, hub.receive, framed(replay))


def test_a_refusal_reaches_the_device():
    device, hub = sides()
    talk(device, hub)
    hub.refuse("window closed")
    talk(device, hub)
    device.next_event()
    assert device.next_event() == ("refused", "window closed") and device.closed
    # what the device still says is not heard
    hub.receive(b"\xff\xff\xff\xff")


def test_a_grant_for_other_keys_another_wing_or_by_another_signer_is_refused():
    slate = made.keys("slate-2")
    for error, signed in (
        (enrol.GrantRefused, certificate(ed25519=slate.public, device=slate.kid)),
        (enrol.GrantRefused, certificate(x25519=slate.x_public)),
        (enrol.GrantRefused, certificate(wing="wing-c")),
        (enrol.GrantRefused, certificate(learner="zed")),
        (enrol.GrantRefused, certificate(roster_version=2)),
        (signing.SignatureRefused, certificate(signer="mia")),
        (signing.SignedRefused, b"rubbish"),
        (CertificateRefused, made.signed("certificate", b"rubbish", "hub")),
    ):
        raised(error, granted, signed, [roster()])


def test_a_grant_with_the_rosters_of_another_hub_is_refused():
    stranger = made.keys("stranger")
    raised(enrol.GrantRefused, granted, certificate(), [roster(hub_x25519=stranger.x_public)])
    raised(signing.SignatureRefused, granted, certificate(), [roster(hub_ed25519=stranger.public)])


def test_a_grant_with_a_roster_that_one_administrator_signed_is_refused():
    lone = made.signed("roster", made.roster().encode(), "ada")
    raised(signing.TooFewSigners, granted, certificate(), [lone])
    usurped = made.signed("roster", made.roster(version=2).encode(), "ada")
    raised(signing.TooFewSigners, granted, certificate(), [roster(), usurped])


def test_a_refused_grant_is_not_acked():
    device, hub = sides()
    talk(device, hub)
    hub.grant(certificate(signer="mia"), [roster()])
    raised(signing.SignatureRefused, device.receive, hub.to_send())
    assert device.closed and not device.to_send()
    try:
        device.commit()
    except Misuse:
        return
    raise AssertionError("committed")


def test_records_out_of_turn_or_out_of_shape_end_the_enrolment():
    device, hub = sides()
    raised(enrol.EnrolOutOfTurn, hub.receive, b"\x00\x02\x00\x00")
    device, hub = sides()
    raised(enrol.EnrolRefused, hub.receive, b"\x00\x00\x00\x03abc")
    device, hub = sides()
    raised(enrol.EnrolRefused, device.receive, framed(enrol.Ack(committed=True)))
    device, hub = sides()
    talk(device, hub)
    raised(enrol.EnrolOutOfTurn, hub.receive, framed(enrol.Ack(committed=True)))
    device, hub = granted(certificate(), [roster()])
    raised(enrol.EnrolOutOfTurn, device.receive, framed(enrol.Reveal(nonce=bytes(32))))
    device, hub = granted(certificate(), [roster()])
    raised(enrol.EnrolOutOfTurn, hub.receive, framed(enrol.Ack(committed=False)))


def test_a_handshake_payload_of_another_length_is_refused():
    slate = made.keys("slate-1")
    random = made.counting_random()
    hub = EnrolHub(random)
    raised(enrol.EnrolOutOfTurn, hub.start, HASH, b"short", slate.x_public)
    assert hub.closed and hub.to_send() == b""
    device = EnrolDevice(random, slate.seed, slate.public, slate.x_public, "slate")
    raised(enrol.EnrolOutOfTurn, device.start, HASH, b"", made.keys("hub").x_public)


def test_a_grant_or_a_commit_that_nobody_waits_for_is_our_mistake():
    device, hub = sides()
    for wrong in (
        lambda: hub.grant(b"c", [b"r"]),
        device.commit,
        lambda: EnrolHub(made.counting_random()).receive(b"x"),
    ):
        try:
            wrong()
        except Misuse:
            continue
        raise AssertionError("done")


def test_an_answer_is_a_grant_or_a_refusal_never_both_or_neither():
    for signed, rosters, code in (
        (b"c", [b"r"], "no"),
        (None, [], None),
        (b"c", [], None),
        (None, [b"r"], None),
    ):
        raised(enrol.EnrolRefused, enrol.Answer(certificate=signed, rosters=rosters, refusal=code).encode)
    assert cbor.loads(enrol.Ack(committed=True).encode()) == {1: True}
