"""The device's end of one wire: link and session, and over them enrolment or a docking. Sans-IO.

    new      no certificate: sessions with XX; a grant is committed once somebody at the device said that
             both screens show the same digits; then it docks again
    lifted   enrolled, and no session
    docked   a session with the pinned hub: firmware/sync.py talks

Whatever goes wrong on the wire ends in `lifted`, and the next time the link comes up it all begins again. A device
that docked before comes back with its ticket (protocol/session.py). It does not judge whether that is still good: the
hub does. But after a session that did not come up it asks once without.
"""

import sys

from firmware import limits
from firmware.sync import SETTLED, SOFTWARE, Sync
from protocol.compat import TYPE_CHECKING
from protocol.errors import Refusal
from protocol.link import Link
from protocol.session import RESUME, Session
from protocol.stack import Stack

if TYPE_CHECKING:
    from typing import Any

    from firmware.device import Device
    from firmware.storage import Random
    from protocol.enrol import EnrolDevice


class Dock:
    """`receive(data, now)`, `tick(now)`, `next_deadline()`, `to_send(now)`: bytes of the wire, milliseconds."""

    def __init__(self, device: "Device", random: "Random") -> None:
        self.device = device
        self._random = random
        self._sync: "Sync | None" = None
        self._enrol: "EnrolDevice | None" = None
        self._grant: "Any" = None  # what the hub granted; nothing of it is kept before somebody here agreed
        self._answer = b""  # enrolment bytes that the session had no room for
        self._offered = False  # a ticket, in a session that is not up yet
        self._plain = False  # the session that offered a ticket did not come up: the next one offers none
        self._unkept = 0  # calls of to_send until the newest ticket is put into the storage
        self._rest_until = -1  # after a full card ended a docking nothing is said or heard for a while
        self.refused = ""  # why the last docking or enrolment ended; for the page and the runner's log
        # the large buffers are here for life: a heap that is torn by then may not have them again
        self._room = bytearray(limits.ROOM_BYTES)
        link = Link(
            random(8),
            window_bytes=limits.LINK_WINDOW_BYTES,
            send_bytes=limits.LINK_SEND_BYTES,
            data_bytes_max=limits.LINK_FRAME_BYTES,
            burst_bytes=limits.LINK_FRAME_BYTES,
            event_bytes_max=limits.LINK_FRAME_BYTES,
        )
        self.stack = Stack(link, self._make_session)

    def restart(self) -> None:
        """The wire was opened anew: nothing of the last connection counts any more."""
        self._rest_until = -1
        self._leave()
        self.stack.restart("the wire was opened anew")

    def _make_session(self) -> Session:
        identity = self.device.identity
        pair = (identity.x25519_private, identity.x25519)
        if identity.enrolled:
            _, roster = identity.need()
            ticket = b"" if self._plain else identity.ticket
            self._offered = ticket != b""
            pattern = RESUME if ticket else "IK"
            session = Session(True, pair, self._random, pattern, roster.hub_x25519, ticket=ticket)
            session.record_bytes = limits.PIECE_BYTES
            return session
        from protocol.enrol import EnrolDevice  # once in a device's life: its heap is the docking's otherwise

        self._enrol = EnrolDevice(self._random, identity.seed, identity.ed25519, identity.x25519, SOFTWARE)
        return Session(True, pair, self._random, pattern="XX", payload=self._enrol.nonce)

    # -- bytes ------------------------------------------------------------------------------

    def receive(self, data: bytes, now: int) -> None:
        """Bytes as they came from the wire."""
        if now >= self._rest_until:
            try:
                self.stack.receive(data, now)
                self._events(now)
            except OSError:
                self._full(now)

    def tick(self, now: int) -> None:
        """Let time pass; call at next_deadline() at the latest."""
        if now >= self._rest_until:
            try:
                self.stack.tick(now)
                if self._sync is not None:
                    self._sync.tick(now)
                self._events(now)
            except OSError:
                self._full(now)

    def _full(self, now: int) -> None:
        """A card that takes nothing ends a docking by name, and the next one begins after a rest."""
        self._end("CardFull", now)
        self.device.full = True  # whatever the journal still took
        self._rest_until = now + limits.FULL_REST_MS

    def next_deadline(self) -> "int | None":
        """When tick() and to_send() are due."""
        due = self.stack.next_deadline()
        if self._sync is not None:
            other = self._sync.next_deadline()
            if other is not None and (due is None or other < due):
                due = other
        return due if due is None else max(due, self._rest_until)

    def to_send(self, now: int) -> bytes:
        """Wire bytes that are due, about one burst; empty when there is nothing to say."""
        if now < self._rest_until:
            return b""
        try:
            return self._to_send(now)
        except OSError:
            self._full(now)
            return b""

    def _to_send(self, now: int) -> bytes:
        if self._unkept:
            self._unkept -= 1
            if not self._unkept:
                self.device.identity.keep_ticket()
        self._fill(now)
        data = self.stack.to_send(now)
        self._events(now)
        if self._sync is not None:
            self.device.can_lift = self._sync.phase == SETTLED and self.stack.unacked() == 0
        elif self._enrol is not None and self.device.identity.enrolled and not self.stack.unacked():
            self._end("enrolled", now)  # the ack has arrived: dock again, as who we are now
            sys.modules.pop("protocol.enrol", None)  # once in a device's life
        return data

    def _fill(self, now: int) -> None:
        """Application bytes into the session, as far as it has room."""
        if self._enrol is not None:
            self._enrolling(b"", now)
        if self._enrol is not None:
            self._answer += self._enrol.to_send()
            self._answer = self._answer[self.stack.write(self._answer) :] if self._answer else b""
        while self._sync is not None:
            data = self._sync.to_send(now, self.stack.room())
            if self._sync.closed:
                self._end(self._sync.closed, now)
                return
            if not data:
                return
            self.stack.write(data)

    # -- events -----------------------------------------------------------------------------

    def _events(self, now: int) -> None:
        for _ in range(limits.EVENT_TURNS_MAX):
            event = self.stack.next_event()
            if event is None:
                return
            if event[0] == "up":
                self._up(event, now)
            elif event[0] == "data":
                assert isinstance(event[1], bytes)
                self._data(event[1], now)
            else:
                self.refused = str(event[1])
                self._plain = self._offered
                self._offered = False
                self._leave()

    def _up(self, event: "tuple[object, ...]", now: int) -> None:
        _, pattern, remote_static, remote_payload, handshake_hash = event
        assert isinstance(remote_static, bytes) and isinstance(remote_payload, bytes)
        assert isinstance(handshake_hash, bytes)
        if pattern != "XX":
            self._offered = self._plain = False
            if self.stack.session is not None:
                self.device.identity.ticket = self.stack.session.ticket
                self._unkept = 2  # not before the hub has what it waits for
            self.device.log("dock")
            self._sync = Sync(self.device, self._room)
        elif self._enrol is not None:
            try:
                self._enrol.start(handshake_hash, remote_payload, remote_static)
            except Refusal as refusal:
                self._end(refusal.name, now)

    def _data(self, data: bytes, now: int) -> None:
        if self._sync is not None:
            self._sync.receive(data, now)
            if self._sync.closed:
                self._end(self._sync.closed, now)
        elif self._enrol is not None:
            self._enrolling(data, now)

    def _enrolling(self, data: bytes, now: int) -> None:
        """Digits to show; a grant to commit, but only when somebody at the device has said that they agree."""
        enrol, device = self._enrol, self.device
        assert enrol is not None
        try:
            if data:
                enrol.receive(data)
            event = enrol.next_event()
            while event is not None:
                if event[0] == "digits":
                    device.digits, device.agreed = event[1], None
                elif event[0] == "granted":
                    self._grant = event
                elif event[0] == "refused":
                    self._end(event[1], now)
                    return
                event = enrol.next_event()
            if device.digits and device.agreed is False:
                self._end("DigitsDiffer", now)
            elif device.agreed and self._grant:
                _, certificate, rosters = self._grant
                self._grant = None
                device.commit_enrolment(certificate, rosters)
                enrol.commit()
        except Refusal as refusal:
            self._end(refusal.name, now)

    def _end(self, reason: str, now: int) -> None:
        """Close the session; the link begins anew after its rest."""
        self.refused = reason
        self._leave()
        self.stack.close(reason, now)

    def _leave(self) -> None:
        device = self.device
        if self._sync is not None:
            device.log("lift", "" if self._sync.phase == SETTLED else "before the end")
        self._sync = None
        self._enrol = None
        self._grant = None
        self._answer = b""
        device.docked = False
        device.digits = None
        if device.agreed:
            device.agreed = None  # it was about these digits; a no stays to be read until there are new ones
        device.phase = ""
        device.can_lift = True
