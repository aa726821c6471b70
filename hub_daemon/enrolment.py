"""Bay and staff -> here -> store: how a device becomes one of the wing.

Staff open a window for one bay and one learner; the device docks with XX and both screens show six digits; one
administrator confirms them, a different one countersigns; then register, roster and certificate are written in one
transaction. Everything stands in the store, so that the staff page, `perch enrol` and the bay see the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from hub_daemon.keys import HubKeys
from hub_daemon.limits import DEVICE_DAYS, WINDOW_MINUTES, WINDOW_MINUTES_MAX
from hub_daemon.store import Store, Tx, log, rosters
from hub_daemon.store import enrolments as table
from hub_daemon.store.enrolments import Window
from hub_daemon.wing import Wing
from protocol.enrol import Request
from protocol.errors import Refusal
from protocol.limits import GRANT_ROSTERS_MAX
from protocol.records import roster as roster_records
from protocol.records import signing
from protocol.records.certificate import Certificate
from protocol.records.roster import ADMINISTRATOR, Device, Register, Roster
from protocol.records.schema import ascending

DAY_S = 24 * 3600


class Signer(Protocol):
    """A person with their key open (hub_daemon.people.Signer)."""

    @property
    def person(self) -> str: ...

    @property
    def public(self) -> bytes: ...

    def sign(self, kind: str, body: bytes) -> bytes: ...


class EnrolmentRefused(Refusal):
    """This step of an enrolment cannot be taken; the words say why."""


class WindowShut(EnrolmentRefused):
    """No window is open on this bay, or its time is over."""


class SamePerson(EnrolmentRefused):
    """The second signature must be another administrator's."""


class NotAnAdministrator(EnrolmentRefused):
    """The signer is not an administrator of the roster in force."""


class RosterMoved(EnrolmentRefused):
    """The roster changed between the two signatures: compare the digits and confirm again."""


@dataclass(frozen=True)
class Outcome:
    """What the bay tells the device: nothing yet, a grant, or a refusal's name."""

    certificate: bytes | None = None
    rosters: tuple[bytes, ...] = ()
    refusal: str | None = None


class Enrolment:
    """Enrolments of one hub. `clock()` is unix milliseconds; `on_change()` runs after every step."""

    def __init__(
        self,
        store: Store,
        wing: Wing,
        keys: HubKeys,
        clock: Callable[[], int],
        on_change: Callable[[], object] = lambda: None,
    ) -> None:
        self.store = store
        self.wing = wing
        self.keys = keys
        self.clock = clock
        self.on_change = on_change

    # staff

    def open_window(self, bay: str, learner: str, person: str, minutes: int = WINDOW_MINUTES) -> int:
        """Open `bay` for one new device of `learner`; returns the enrolment's number."""
        now = self.clock()
        if not 1 <= minutes <= WINDOW_MINUTES_MAX:
            raise EnrolmentRefused(f"a window is open for 1 to {WINDOW_MINUTES_MAX} minutes")
        self.wing.load()
        if self.wing.roster.learner(learner) is None:
            raise EnrolmentRefused(f"there is no learner {learner!r} on the roster")
        with self.store.write() as tx:
            self._expire(tx, now)
            if table.live_of_bay(tx, bay) is not None:
                raise EnrolmentRefused(f"a window is open on {bay} already")
            number = table.insert(tx, bay, learner, person, now, now + minutes * 60_000)
            log.append(tx, now, person, "window opened", None, f"{bay} for {learner}")
        self.on_change()
        return number

    def pending(self) -> list[Window]:
        """Every enrolment that is not over: open, digits, confirmed, granted."""
        with self.store.write() as tx:
            self._expire(tx, self.clock())
            return table.live(tx)

    def get(self, number: int) -> Window:
        """One enrolment; raises EnrolmentRefused when there is none of that number."""
        with self.store.write() as tx:
            self._expire(tx, self.clock())
            return self._get(tx, number)

    def confirm(self, number: int, signer: Signer) -> None:
        """One administrator compared the digits and signs the roster that has the device."""
        now = self.clock()
        self.wing.load()
        roster = self._administrator(signer)
        with self.store.write() as tx:
            self._expire(tx, now)
            window = self._in_state(tx, number, "digits")
            body, register = self._next_roster(tx, roster, window, now // 1000)
            sign1 = signer.sign(signing.ROSTER, body)
            table.confirmed(tx, number, roster.version, body, register, signer.person, sign1, now)
            words = f"{window.device_hex} for {window.learner}, digits {window.digits}"
            log.append(tx, now, signer.person, "enrolment confirmed", None, words)
        self.on_change()

    def countersign(self, number: int, signer: Signer) -> bytes:
        """A second administrator signs the same roster; returns the signed certificate.

        Register, roster and certificate are in force when this returns.
        """
        now = self.clock()
        self.wing.load()
        roster = self._administrator(signer)
        moved = False
        with self.store.write() as tx:
            self._expire(tx, now)
            window = self._in_state(tx, number, "confirmed")
            if window.person_a == signer.person:
                raise SamePerson(f"{signer.person} has signed already; a different administrator must")
            assert window.roster_body is not None and window.register is not None
            assert window.sign1_a is not None
            if window.base_version != rosters.newest_version(tx) or window.base_version != roster.version:
                table.back_to_digits(tx, number, now)
                moved = True
                certificate = b""
            else:
                sign1s = [window.sign1_a, signer.sign(signing.ROSTER, window.roster_body)]
                signed = signing.pack_signed(window.roster_body, sign1s)
                made = roster_records.accept(roster, signed)
                if Register.decode(window.register).digest() != made.register_digest:
                    raise EnrolmentRefused("the register in the store is not the one that was confirmed")
                rosters.put(tx, made.version, signed, window.register, now)
                certificate = self._certificate(window, made.version, now // 1000)
                table.granted(tx, number, signer.person, certificate, now)
                words = f"{window.device_hex} for {window.learner}, roster {made.version}"
                log.append(tx, now, f"{window.person_a} and {signer.person}", "enrolled", None, words)
        self.on_change()
        if moved:
            raise RosterMoved("the roster changed meanwhile: compare the digits and confirm again")
        self.wing.load()
        return certificate

    def refuse(self, number: int, person: str) -> None:
        """One person may stop an enrolment at any time before it is granted."""
        now = self.clock()
        with self.store.write() as tx:
            window = self._get(tx, number)
            if window.state not in ("open", "digits", "confirmed"):
                raise EnrolmentRefused(f"this enrolment is {window.state}")
            table.set_state(tx, number, "refused", now)
            log.append(tx, now, person, "enrolment refused", None, f"{window.bay} for {window.learner}")
        self.on_change()

    # the bay

    def window_of(self, bay: str) -> Window | None:
        """The live enrolment of a bay, if any."""
        with self.store.write() as tx:
            self._expire(tx, self.clock())
            return table.live_of_bay(tx, bay)

    def offer(self, number: int, digits: str, request: Request) -> None:
        """A device showed up and proved its keys. The same device after its grant is given it again."""
        now = self.clock()
        with self.store.write() as tx:
            self._expire(tx, now)
            window = self._get(tx, number)
            if window.state == "granted":
                if (window.ed25519, window.x25519) != (request.ed25519, request.x25519):
                    raise WindowShut("this window was used by another device")
                table.granted_again(tx, number, digits, now)
                return
            if window.state not in ("open", "digits", "confirmed"):
                raise WindowShut(f"this enrolment is {window.state}")
            table.offered(tx, number, digits, request.device_id(), request.ed25519, request.x25519, request.model, now)
            words = f"{request.device_id().hex()} on {window.bay}, digits {digits}"
            log.append(tx, now, "hub", "enrolment asked", None, words)
        self.on_change()

    def lost(self, number: int) -> None:
        """The device left before it was granted anything: its digits are void, the window stays open."""
        with self.store.write() as tx:
            window = table.get(tx, number)
            if window is not None and window.state in ("digits", "confirmed"):
                table.reopen(tx, number, self.clock())
        self.on_change()

    def outcome(self, number: int) -> Outcome:
        """What to tell the device now."""
        with self.store.write() as tx:
            self._expire(tx, self.clock())
            window = self._get(tx, number)
            if window.state in ("refused", "expired"):
                return Outcome(refusal="EnrolmentRefused" if window.state == "refused" else "WindowShut")
            if window.state not in ("granted", "done") or window.certificate is None:
                return Outcome()
            return Outcome(window.certificate, tuple(self._rosters(tx)))

    def done(self, number: int) -> None:
        """The device has committed its certificate."""
        now = self.clock()
        with self.store.write() as tx:
            if self._get(tx, number).state == "granted":
                table.set_state(tx, number, "done", now)
        self.on_change()

    # inside

    def _rosters(self, tx: Tx) -> list[bytes]:
        """The newest roster, with as many before it as it takes to begin with one that names its own signers."""
        newest = rosters.newest_version(tx)
        chain: list[bytes] = []
        for version in range(newest, max(0, newest - GRANT_ROSTERS_MAX), -1):
            chain.insert(0, rosters.since(tx, version - 1, 1)[0].signed)
            try:
                roster_records.accept(None, chain[0])
            except Refusal:
                continue
            return chain
        raise EnrolmentRefused("no roster of the last few names its own signers")

    def _get(self, tx: Tx, number: int) -> Window:
        window = table.get(tx, number)
        if window is None:
            raise EnrolmentRefused(f"there is no enrolment {number}")
        return window

    def _in_state(self, tx: Tx, number: int, state: str) -> Window:
        window = self._get(tx, number)
        if window.state != state:
            raise EnrolmentRefused(f"this enrolment is {window.state}, not {state}")
        return window

    def _expire(self, tx: Tx, now_ms: int) -> None:
        for window in table.expire(tx, now_ms):
            log.append(tx, now_ms, "hub", "window shut", None, f"{window.bay} for {window.learner}")

    def _administrator(self, signer: Signer) -> Roster:
        roster = self.wing.roster
        for member in roster.staff:
            if member.public == signer.public and member.person == signer.person:
                if ADMINISTRATOR in member.roles:
                    return roster
        raise NotAnAdministrator(f"{signer.person} is not an administrator on the roster in force")

    def _next_roster(self, tx: Tx, roster: Roster, window: Window, now_s: int) -> tuple[bytes, bytes]:
        """The roster and register bodies that have the window's device."""
        assert window.device is not None and window.ed25519 is not None and window.x25519 is not None
        if roster.learner(window.learner) is None:
            raise EnrolmentRefused(f"there is no learner {window.learner!r} on the roster any more")
        stored = rosters.newest(tx)
        assert stored is not None
        if stored.version != roster.version:
            raise RosterMoved("the roster changed just now: confirm again")
        # decoded from the verified wing, not from the store: an edited register must not be signed
        others = [device for device in self.wing.register.devices if device.id != window.device]
        device = Device(
            id=window.device,
            ed25519=window.ed25519,
            x25519=window.x25519,
            learner=window.learner,
            expires_s=now_s + DEVICE_DAYS * DAY_S,
            revoked=False,
        )
        register = Register(devices=ascending([*others, device], "id"))
        register_body = register.encode()
        made = Roster(
            version=roster.version + 1,
            wing=roster.wing,
            issued_s=now_s,
            hub_x25519=roster.hub_x25519,
            hub_ed25519=roster.hub_ed25519,
            staff=roster.staff,
            learners=roster.learners,
            groups=roster.groups,
            register_digest=register.digest(),
        )
        return made.encode(), register_body

    def _certificate(self, window: Window, roster_version: int, now_s: int) -> bytes:
        assert window.device is not None and window.ed25519 is not None and window.x25519 is not None
        return Certificate(
            wing=self.wing.wing,
            device=window.device,
            ed25519=window.ed25519,
            x25519=window.x25519,
            learner=window.learner,
            issued_s=now_s,
            roster_version=roster_version,
        ).sign(self.keys.ed25519, self.keys.ed25519_public)


__all__ = ["Enrolment", "EnrolmentRefused", "Outcome", "Signer", "Window"]
