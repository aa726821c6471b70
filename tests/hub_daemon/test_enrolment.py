"""Enrolment: two administrators, the digits, one transaction; through the store, over the wire, and by the command."""

from __future__ import annotations

import io
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub_daemon import commands
from hub_daemon.enrolment import (
    Enrolment,
    EnrolmentRefused,
    NotAnAdministrator,
    RosterMoved,
    SamePerson,
    WindowShut,
)
from hub_daemon.people import People
from hub_daemon.store import people as people_rows
from hub_daemon.store import rosters
from hub_daemon.wing import Wing
from protocol.enrol import Request
from protocol.records import certificate as certificates
from protocol.records import signing
from tests.kits.docked import DeviceKeys, DockedDevice, wait_for
from tests.kits.hub import WING, Bayline, HubProcess, HubWing, now_ms


class Office:
    """An Enrolment over a provisioned wing, with a clock that the test moves."""

    def __init__(self, data: Path) -> None:
        self.wing = HubWing(data)
        self.now = now_ms()
        self.known = Wing(self.wing.store, self.wing.keys, WING)
        self.enrolment = Enrolment(self.wing.store, self.known, self.wing.keys, lambda: self.now)
        self.ada, self.bob, self.may = (self.wing.staff[one][0] for one in ("ada", "bob", "may"))

    def offer(self, number: int, keys: DeviceKeys, digits: str = "123456") -> None:
        proof = signing.sign(signing.ENROL, keys.seed, keys.ed25519, bytes(32))
        request = Request(ed25519=keys.ed25519, x25519=keys.x25519, proof=proof, model="slate")
        self.enrolment.offer(number, digits, request)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path)
    yield made
    made.wing.store.close()


def test_two_administrators_make_a_device_one_of_the_wing(office: Office) -> None:
    keys = DeviceKeys()
    number = office.enrolment.open_window("left", "ann", "ada")
    office.offer(number, keys)
    (window,) = office.enrolment.pending()
    assert (window.state, window.digits, window.device) == ("digits", "123456", keys.id)
    office.enrolment.confirm(number, office.ada)
    assert office.enrolment.outcome(number).certificate is None
    office.enrolment.countersign(number, office.bob)
    outcome = office.enrolment.outcome(number)
    assert outcome.certificate is not None
    made = certificates.accept(outcome.certificate, office.wing.keys.ed25519_public)
    assert (made.learner, made.device, made.roster_version) == ("ann", keys.id, 2)
    device = office.known.device_by_static(keys.x25519)
    assert device is not None and device.learner == "ann" and not device.revoked
    fresh = Wing(office.wing.store, office.wing.keys, WING)
    assert fresh.load() and fresh.register.device(keys.id) is not None
    office.enrolment.done(number)
    assert office.enrolment.pending() == []


def test_one_person_is_never_two_and_a_moderator_is_no_administrator(office: Office) -> None:
    number = office.enrolment.open_window("left", "ann", "ada")
    office.offer(number, DeviceKeys())
    with pytest.raises(NotAnAdministrator):
        office.enrolment.confirm(number, office.may)
    office.enrolment.confirm(number, office.ada)
    with pytest.raises(SamePerson):
        office.enrolment.countersign(number, office.ada)
    with pytest.raises(NotAnAdministrator):
        office.enrolment.countersign(number, office.may)
    with office.wing.store.read() as tx:
        assert rosters.newest_version(tx) == 1


def test_a_confirmation_is_void_when_the_device_or_the_digits_change(office: Office) -> None:
    number = office.enrolment.open_window("left", "ann", "ada")
    office.offer(number, DeviceKeys())
    office.enrolment.confirm(number, office.ada)
    office.offer(number, DeviceKeys(), "999999")
    with pytest.raises(EnrolmentRefused):
        office.enrolment.countersign(number, office.bob)
    office.enrolment.confirm(number, office.ada)
    office.enrolment.lost(number)
    assert office.enrolment.get(number).state == "open" and office.enrolment.get(number).digits is None
    with pytest.raises(EnrolmentRefused):
        office.enrolment.countersign(number, office.bob)


def test_a_roster_that_moved_between_the_signatures_asks_for_the_first_again(office: Office) -> None:
    number = office.enrolment.open_window("left", "ann", "ada")
    office.offer(number, DeviceKeys())
    office.enrolment.confirm(number, office.ada)
    office.wing.new_roster()
    with pytest.raises(RosterMoved):
        office.enrolment.countersign(number, office.bob)
    assert office.enrolment.get(number).state == "digits"
    office.enrolment.confirm(number, office.bob)
    office.enrolment.countersign(number, office.ada)
    with office.wing.store.read() as tx:
        assert rosters.newest_version(tx) == 3


def test_a_window_shuts_by_itself_and_is_open_for_one_device(office: Office) -> None:
    number = office.enrolment.open_window("left", "ann", "ada", 5)
    with pytest.raises(EnrolmentRefused, match="open on left already"):
        office.enrolment.open_window("left", "ben", "ada")
    with pytest.raises(EnrolmentRefused, match="no learner"):
        office.enrolment.open_window("right", "nobody", "ada")
    office.now += 5 * 60_000
    assert office.enrolment.window_of("left") is None
    with pytest.raises(WindowShut):
        office.offer(number, DeviceKeys())
    assert office.enrolment.outcome(number).refusal == "WindowShut"


def test_a_granted_device_is_given_its_grant_again_and_nobody_else_is(office: Office) -> None:
    keys = DeviceKeys()
    number = office.enrolment.open_window("left", "ann", "ada")
    office.offer(number, keys)
    office.enrolment.confirm(number, office.ada)
    office.enrolment.countersign(number, office.bob)
    office.enrolment.lost(number)
    office.offer(number, keys, "777777")
    assert office.enrolment.get(number).digits == "777777", "the person at the device compares the new digits"
    assert office.enrolment.outcome(number).certificate is not None
    with pytest.raises(WindowShut):
        office.offer(number, DeviceKeys())


def test_a_device_enrols_over_the_wire_and_then_docks(tmp_path: Path) -> None:
    office = Office(tmp_path)
    line = Bayline()
    hub = HubProcess(tmp_path, {"left": line.path})
    device = DockedDevice(WING, DeviceKeys(), office.wing.keys.x25519_public, "ann")
    try:
        hub.start()
        device.seat(line.fd, "XX")
        assert not wait_for(lambda: device.digits, 1.0), "no window is open"
        number = office.enrolment.open_window("left", "ann", "ada")
        assert wait_for(lambda: office.enrolment.get(number).state == "digits")
        assert device.digits == office.enrolment.get(number).digits
        office.enrolment.confirm(number, office.ada)
        time.sleep(0.4)
        assert device.granted is None, "one administrator is not enough"
        office.enrolment.countersign(number, office.bob)
        assert wait_for(lambda: office.enrolment.get(number).state == "done")
        assert device.granted is not None
        device.lift()
        item = device.write("reading", "my first words")
        device.seat(line.fd, "IK")
        assert wait_for(lambda: item in device.acked)
    finally:
        device.lift()
        hub.stop()
        line.close()
        office.wing.store.close()


def test_perch_enrol_asks_two_administrators_and_shows_the_digits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from hub_daemon.people import seal_seed

    office = Office(tmp_path)
    with office.wing.store.write() as tx:
        for signer in (office.ada, office.bob):
            sealed, kdf = seal_seed(signer.seed, f"three words of {signer.person}")
            people_rows.insert(
                tx,
                people_rows.Person(
                    signer.person, signer.person, ("administrator",), signer.public, sealed, kdf, now_ms()
                ),
            )
    assert People(office.wing.store, now_ms).unlock("ada", "three words of ada").public == office.ada.public
    keys = DeviceKeys()
    arguments = ["--data", str(tmp_path), "--bay", "left", "--learner", "ann", "--first", "ada", "--second", "bob"]
    arguments += ["--pass-phrase-stdin", "--json"]

    def device() -> None:
        wait_for(lambda: office.enrolment.window_of("left") is not None)
        window = office.enrolment.window_of("left")
        assert window is not None
        office.offer(window.id, keys, "424242")
        wait_for(lambda: state_of(window.id) == "granted" or office.enrolment.window_of("left") is None)
        if state_of(window.id) == "granted":
            office.enrolment.done(window.id)

    def state_of(window: int) -> str:
        return office.enrolment.get(window).state

    answers = "three words of ada\nyes\nthree words of bob\n"
    monkeypatch.setattr(sys, "stdin", io.StringIO(answers))
    other = threading.Thread(target=device)
    other.start()
    assert commands.enrol(arguments) == 0
    other.join()
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["event"] for event in events] == ["open", "digits", "confirmed", "granted", "done"]
    assert events[1]["digits"] == "424242" and events[4]["device"] == keys.id.hex()

    monkeypatch.setattr(sys, "stdin", io.StringIO("three words of ada\nno\n"))
    keys = DeviceKeys()
    other = threading.Thread(target=device)
    other.start()
    assert commands.enrol(arguments) == 1
    assert "do not agree" in capsys.readouterr().out
    assert office.enrolment.window_of("left") is None
    monkeypatch.setattr(sys, "stdin", io.StringIO("wrong\n"))
    assert commands.enrol(arguments) == 1
    assert "WrongPassPhrase" in capsys.readouterr().out
    assert commands.enrol(["--data", str(tmp_path / os.urandom(4).hex()), "--bay", "x", "--learner", "ann"]) == 1
    other.join()
    office.wing.store.close()
