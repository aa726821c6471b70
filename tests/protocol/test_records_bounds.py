"""Bounds of records that take more memory than a test on a device's heap should."""

import pytest

from protocol.records import envelope, roster, signing
from protocol.records.delivery_list import DeliveryList, Listed, Own
from protocol.records.envelope import Content
from protocol.records.hello import Hello
from protocol.records.roster import Group, Learner, Register, Roster
from tests.kits import records as made
from tests.kits.record_samples import post


def test_a_record_longer_than_its_bound_is_not_parsed() -> None:
    with pytest.raises(Hello.REFUSAL, match="more than"):
        Hello.decode(bytes(Hello.BYTES_MAX + 1))
    with pytest.raises(signing.SignedRefused):
        signing.unpack_signed(bytes(40_000))


def test_the_bound_of_a_text_is_in_bytes_not_characters() -> None:
    assert Content.decode(post(text="é" * 2000).encode()).text == "é" * 2000
    with pytest.raises(envelope.EnvelopeRefused):
        post(text="é" * 2001).encode()


def test_the_largest_delivery_list_fits_its_bound() -> None:
    items = sorted([made.digest(bytes([index])) for index in range(200)])
    full = made.delivery_list(
        items=[Listed(item=item, statement=item) for item in items],
        own=[Own(item=item, state=6) for item in items],
    )
    assert DeliveryList.decode(full.encode()) == full


def test_the_roster_and_register_of_a_full_wing_fit_their_bounds() -> None:
    learners = [f"learner-{number:03}" for number in range(200)]
    full = made.roster(
        learners=[Learner(id=id, name="A Learner of Usual Name") for id in learners],
        groups=[Group(id=f"group-{n:02}", name="A group", version=9, members=learners[n:][:60]) for n in range(20)],
    )
    assert Roster.decode(full.encode()) == full
    devices = [made.device(f"slate-{number}", learners[number % 200]) for number in range(400)]
    register = Register(devices=sorted(devices, key=lambda device: device.id))
    assert Register.decode(register.encode()) == register


def test_an_envelope_longer_than_its_bound_is_not_opened() -> None:
    with pytest.raises(envelope.EnvelopeRefused, match="more than"):
        envelope.open_sealed(bytes(7000), made.keys("hub").x_private)


def test_two_keys_with_one_key_id_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight bytes of a hash can be made to collide with work; here every key id does."""
    good = made.roster()
    monkeypatch.setattr(signing, "key_id", lambda public: bytes(8))
    with pytest.raises(roster.RosterRefused, match="staff: twice"):
        good.encode()
