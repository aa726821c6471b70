"""Who this device is: its two keys, made here and never leaving, and what enrolment pinned.

Four files: `keys/device` (both private keys), `keys/enrolment` (the certificate and the roster
that staff confirmed with it, in one file, so that there is never one without the other),
`keys/roster` (the newest roster accepted since) and `keys/ticket` (what the last docking left to
come back with; losing it, or keeping an old one, costs nothing).
"""

from firmware.storage import Damaged, Storage, put, take
from protocol import cbor, crypto
from protocol.compat import TYPE_CHECKING, const
from protocol.errors import Misuse, Refusal
from protocol.records import certificate as certificates
from protocol.records import roster as rosters
from protocol.records.certificate import Certificate
from protocol.records.signing import unpack_signed

if TYPE_CHECKING:
    from typing import Any

    from firmware.storage import Random
    from protocol.records.roster import Roster

DEVICE = "keys/device"
ENROLMENT = "keys/enrolment"
ROSTER = "keys/roster"
COUNTER = "keys/counter"
TICKET = "keys/ticket"
COUNTERS_SKIPPED = const(1000)  # where the counter's file is damaged: a year of writing has fewer
_KEYS_BYTES = const(69)  # two strings of 32 bytes in CBOR


class NotEnrolled(Refusal):
    """The device has no certificate yet, so there is no hub that it could seal anything to."""


class Identity:
    """The device's keys, certificate and newest roster; every change is one atomic write.

    Making it raises Damaged when the file of the keys is: the device is then nobody, and has to be enrolled anew.
    """

    def __init__(self, storage: Storage, random: "Random", backend: "Any" = None) -> None:
        self._storage = storage
        self.backend = backend or crypto.default()
        self.damaged: list[str] = []  # files that are not what was written there
        self._load_keys(random)
        self.certificate: "Certificate | None" = None
        self.roster: "Roster | None" = None
        stored = take(storage, ENROLMENT, self.damaged)
        if stored is not None:
            certificate, first = cbor.loads(stored)
            self.certificate = Certificate.decode(unpack_signed(certificate)[0])
            if (self.certificate.ed25519, self.certificate.x25519) != (self.ed25519, self.x25519):
                raise Damaged(DEVICE + " is not what the certificate was made for")
            newest = take(storage, ROSTER, self.damaged)
            self.roster = rosters.Roster.decode(unpack_signed(newest or first)[0])
        counter = take(storage, COUNTER, self.damaged)
        self._counter = 1 if counter is None else int(cbor.loads(counter))
        ticket = storage.read(TICKET) or b""
        self.ticket = ticket if len(ticket) == 32 and self.enrolled else b""

    def _load_keys(self, random: "Random") -> None:
        stored = self._storage.read(DEVICE)
        if stored is None:
            stored = cbor.dumps([random(32), random(32)])
            self._storage.write(DEVICE, stored)
        if len(stored) != _KEYS_BYTES or stored[:3] + stored[35:37] != b"\x82\x58\x20\x58\x20":
            raise Damaged(DEVICE + " is damaged")
        self.seed, self.x25519_private = cbor.loads(stored)
        self.ed25519: bytes = self.backend.public_key(self.seed)
        self.x25519: bytes = self.backend.x25519(self.x25519_private, b"\x09" + bytes(31))
        self.device: bytes = self.backend.sha256(self.ed25519)[:8]

    def past(self, counter: int) -> None:
        """The next envelope's counter is above `counter`, the highest of those here, whatever its file says."""
        if COUNTER in self.damaged:
            counter += COUNTERS_SKIPPED  # the highest one may be of an entry that is lost as well
        self._counter = max(self._counter, counter + 1)

    @property
    def enrolled(self) -> bool:
        return self.certificate is not None

    def need(self) -> "tuple[Certificate, Roster]":
        """The certificate and the roster; NotEnrolled when there are none."""
        if self.certificate is None or self.roster is None:
            raise NotEnrolled("not enrolled")
        return self.certificate, self.roster

    def commit_enrolment(self, certificate: bytes, signed_rosters: "list[bytes]") -> None:
        """Pin what enrolment granted: the newest of the rosters, every step of their chain checked."""
        if self.enrolled:
            raise Misuse("already enrolled; a device is wiped before it is enrolled again")
        newest: "Roster | None" = None
        for signed in signed_rosters:
            newest = rosters.accept(newest, signed)
        if newest is None:
            raise Misuse("enrolment without a roster")
        decoded = certificates.accept(certificate, newest.hub_ed25519)
        if decoded.ed25519 != self.ed25519 or decoded.x25519 != self.x25519:
            raise certificates.CertificateRefused("ed25519", "not this device's keys")
        if decoded.wing != newest.wing:
            raise certificates.CertificateRefused("wing", "not the roster's")
        self._storage.remove(ROSTER)
        self._storage.remove(TICKET)
        self.ticket = b""
        put(self._storage, ENROLMENT, cbor.dumps([certificate, signed_rosters[-1]]))
        self.certificate, self.roster = decoded, newest

    def accept_roster(self, signed: bytes) -> "Roster":
        """Take the next roster: one version up, signed by two administrators of the present one."""
        _, present = self.need()
        newer = rosters.accept(present, signed)
        put(self._storage, ROSTER, signed)
        self.roster = newer
        return newer

    def keep_ticket(self) -> None:
        """Put `ticket`, the newest, in the place of the one before."""
        try:
            self._storage.write(TICKET, self.ticket)
        except OSError:
            pass  # a full card: an old ticket costs nothing

    def reserve_counter(self) -> int:
        """The next counter, spent durably before anyone sees it: a cut may skip one, never repeat one."""
        counter = self._counter
        put(self._storage, COUNTER, cbor.dumps(counter + 1))
        self._counter = counter + 1
        return counter

    @property
    def next_counter(self) -> int:
        return self._counter
