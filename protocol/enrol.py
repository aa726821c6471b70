"""Enrolment over an XX session's stream: how a device and a hub that never met come to trust each other.

Two people's eyes are the trust: both screens show six digits, staff compare them and confirm. The digits
must be such that a wire in the middle, which runs one session with each side, cannot make them agree.

Digits of the plain handshake hash would not do. The one in the middle finishes its session with the device
first and reads the device's digits; in its session with the hub it then still owes the last message, which
carries its own static key, and may try a million static keys offline until the hub's digits come out the
same. (`tests/protocol/test_enrol_grinding.py` does it, with fewer digits.) So each side adds a nonce, and
the hub is committed to its own before it sees the device's:

    hub -> device   in the handshake's 2nd message   SHA-256(nonce_h)
    device -> hub   in the handshake's 3rd message   nonce_d
    hub -> device   first record                     nonce_h; the device checks the commitment
    digits = SHA-256("perch/enrol/1" || handshake hash || nonce_h || nonce_d) mod 10^6

Whatever the one in the middle chooses, it chooses before it knows a nonce that goes into the digits: one
guess in a million, and a wrong guess is seen by staff. Then, length-prefixed (u32 BE) CBOR records:

    device -> hub   Request   its keys, and a signature over the handshake hash: it holds the signing key
    hub -> device   Answer    certificate and rosters, once two members of staff agree; or a refusal's name
    device -> hub   Ack       committed to disk, after a person at the device said that the digits agree;
                              the device then docks again with IK
"""

from protocol import crypto
from protocol.compat import TYPE_CHECKING
from protocol.errors import Misuse, Refusal
from protocol.limits import (
    CODE_CHARS_MAX,
    ENROL_MESSAGE_BYTES_MAX,
    GRANT_ROSTERS_MAX,
    RECORD_BYTES_MAX,
    SIGN1_BYTES_MAX,
    SOFTWARE_CHARS_MAX,
)
from protocol.records import certificate as certificates
from protocol.records import roster as rosters_of
from protocol.records import signing
from protocol.records.schema import (
    KEY,
    Flag,
    ListOf,
    Maybe,
    Octets,
    Record,
    RecordRefused,
    Unfit,
    Words,
    names,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

NONCE_BYTES = 32
DIGITS = 6
_TAG = b"perch/enrol/1"
_PREFIX_BYTES = 4


class EnrolRefused(RecordRefused):
    """A record of the enrolment is out of shape."""


class EnrolOutOfTurn(Refusal):
    """The other side said something where it had nothing to say, or more than its bound."""


class CommitmentBroken(Refusal):
    """The hub's nonce is not the one it was committed to: somebody is in the middle."""


class PossessionRefused(Refusal):
    """The device does not hold the keys it asks to enrol."""


class GrantRefused(Refusal):
    """The grant is not for this device, or not from the hub of this session."""


class Reveal(Record):
    """The hub's nonce, once the device's is known."""

    nonce: bytes
    FIELDS = (("nonce", Octets(NONCE_BYTES)),)
    __slots__ = names(FIELDS)
    REFUSAL = EnrolRefused


class Request(Record):
    """What the device asks to be. `proof` is its signature, kind "enrol", over the handshake hash."""

    ed25519: bytes
    x25519: bytes
    proof: bytes
    model: str
    FIELDS = (
        ("ed25519", KEY),
        ("x25519", KEY),
        ("proof", Octets(1, SIGN1_BYTES_MAX)),
        ("model", Words(SOFTWARE_CHARS_MAX)),
    )
    __slots__ = names(FIELDS)
    REFUSAL = EnrolRefused

    def device_id(self) -> bytes:
        return signing.key_id(self.ed25519)


class Answer(Record):
    """A grant (certificate and rosters, no refusal) or a refusal (nothing else)."""

    certificate: "bytes | None"
    rosters: "list[bytes]"
    refusal: "str | None"
    FIELDS = (
        ("certificate", Maybe(Octets(1, RECORD_BYTES_MAX))),
        ("rosters", ListOf(Octets(1, ENROL_MESSAGE_BYTES_MAX), GRANT_ROSTERS_MAX)),
        ("refusal", Maybe(Words(CODE_CHARS_MAX, 1))),
    )
    __slots__ = names(FIELDS)
    REFUSAL = EnrolRefused
    BYTES_MAX = ENROL_MESSAGE_BYTES_MAX

    def rules(self) -> None:
        granted = self.certificate is not None and len(self.rosters) > 0
        refused = self.certificate is None and not self.rosters
        if not (refused if self.refusal is not None else granted):
            raise Unfit("refusal", "either a grant or a refusal")


class Ack(Record):
    """The device has committed what it was granted."""

    committed: bool
    FIELDS = (("committed", Flag()),)
    __slots__ = names(FIELDS)
    REFUSAL = EnrolRefused


def commitment_to(nonce: bytes) -> bytes:
    """SHA-256 of the nonce: fixes it and tells nothing of it."""
    return crypto.default().sha256(nonce)


def digits_of(handshake_hash: bytes, nonce_h: bytes, nonce_d: bytes, count: int = DIGITS) -> str:
    """What both screens show. `count` is 6; tests use fewer to show what an attacker can do."""
    digest = crypto.default().sha256(_TAG + handshake_hash + nonce_h + nonce_d)
    digits = str(int.from_bytes(digest, "big") % 10**count)
    return "0" * (count - len(digits)) + digits


class _Side:
    """What both sides share: records in, records out, events, and an end that is final."""

    def __init__(self) -> None:
        self.digits: "str | None" = None
        self.closed = False
        self._in = bytearray()
        self._out = bytearray()
        self._events: "list[tuple[Any, ...]]" = []
        self._hash = b""
        self._remote_static = b""

    def to_send(self) -> bytes:
        """The bytes for the session's stream."""
        out = bytes(self._out)
        self._out = bytearray()
        return out

    def next_event(self) -> "tuple[Any, ...] | None":
        return self._events.pop(0) if self._events else None

    def receive(self, data: bytes) -> None:
        """Take bytes of the stream. Any refusal ends the enrolment: the session should be closed."""
        if self.closed:
            return
        if not self._hash:
            raise Misuse("enrolment not started")
        self._in.extend(data)
        try:
            while not self.closed:
                record = self._next_record()
                if record is None:
                    return
                self._take(record)
        except Refusal:
            self.closed = True
            raise

    def _take(self, record: bytes) -> None:
        raise Misuse("abstract")

    def _next_record(self) -> "bytes | None":
        if len(self._in) < _PREFIX_BYTES:
            return None
        length = int.from_bytes(self._in[:_PREFIX_BYTES], "big")
        if length > ENROL_MESSAGE_BYTES_MAX:
            raise EnrolOutOfTurn(f"a record of {length} bytes, more than {ENROL_MESSAGE_BYTES_MAX}")
        end = _PREFIX_BYTES + length
        if len(self._in) < end:
            return None
        record = bytes(self._in[_PREFIX_BYTES:end])
        self._in = self._in[end:]
        return record

    def _send(self, record: Record) -> None:
        data = record.encode()
        self._out.extend(len(data).to_bytes(_PREFIX_BYTES, "big") + data)

    def _begin(self, handshake_hash: bytes, remote_static: bytes) -> None:
        if self._hash:
            raise Misuse("enrolment started twice")
        if len(handshake_hash) != 32 or len(remote_static) != 32:
            raise Misuse("a handshake hash and a static key are 32 bytes")
        self._hash = handshake_hash
        self._remote_static = remote_static

    def _show(self, nonce_h: bytes, nonce_d: bytes) -> None:
        self.digits = digits_of(self._hash, nonce_h, nonce_d)
        self._events.append(("digits", self.digits))


class EnrolHub(_Side):
    """The hub's side, for one device on one bay.

    Put `commitment` in the responder's handshake payload; once the session is up, call `start`. Events:
    ("digits", text), ("request", Request) once the device has proved its keys, ("done",) at its ack.
    Answer a request with `grant` or `refuse`.
    """

    def __init__(self, random: "Callable[[int], bytes]") -> None:
        super().__init__()
        self._nonce = random(NONCE_BYTES)
        self.commitment = commitment_to(self._nonce)
        self.request: "Request | None" = None
        self._granted = False

    def start(self, handshake_hash: bytes, remote_payload: bytes, remote_static: bytes) -> None:
        """`remote_payload` is what the device put in the handshake's third message, its nonce."""
        self._begin(handshake_hash, remote_static)
        if len(remote_payload) != NONCE_BYTES:
            self.closed = True
            raise EnrolOutOfTurn(f"a nonce of {len(remote_payload)} bytes, not {NONCE_BYTES}")
        self._send(Reveal(nonce=self._nonce))
        self._show(self._nonce, remote_payload)

    def grant(self, certificate: bytes, rosters: "list[bytes]") -> None:
        """Send the signed certificate and the signed rosters, oldest first; see `roster.accept`."""
        if self.request is None or self._granted or self.closed:
            raise Misuse("nobody waits for a grant")
        self._granted = True
        self._send(Answer(certificate=certificate, rosters=rosters, refusal=None))

    def refuse(self, code: str) -> None:
        """Tell the device that it will not be enrolled; the enrolment is over."""
        if self._granted or self.closed or not self._hash:
            raise Misuse("nobody to refuse")
        self._send(Answer(certificate=None, rosters=[], refusal=code))
        self.closed = True

    def _take(self, record: bytes) -> None:
        if self.request is None:
            request = Request.decode(record)
            self._check(request)
            self.request = request
            self._events.append(("request", request))
        elif self._granted and Ack.decode(record).committed:
            self.closed = True
            self._events.append(("done",))
        else:
            raise EnrolOutOfTurn("a record where the device must wait")

    def _check(self, request: Request) -> None:
        if request.x25519 != self._remote_static:
            raise PossessionRefused("another X25519 key than the session's")
        try:
            signing.check(signing.ENROL, request.ed25519, self._hash, request.proof)
        except signing.SignatureRefused as refusal:
            raise PossessionRefused(f"the Ed25519 key: {refusal}")


class EnrolDevice(_Side):
    """The device's side.

    Put `nonce` in the initiator's third handshake message; once the session is up, call `start`. Events:
    ("digits", text) to show, ("granted", signed certificate, [signed roster, ...]) to commit to disk and
    then tell by `commit`, ("refused", code), ("done",) when the ack is on its way.

    The digits protect the device only if somebody compares them before it commits: commit after a person at
    the device said that they agree, in this session (firmware/dock.py). A grant alone proves nothing: whoever
    sits on the wire may grant what a hub and staff of their own signed.
    """

    def __init__(
        self,
        random: "Callable[[int], bytes]",
        ed25519_seed: bytes,
        ed25519_public: bytes,
        x25519_public: bytes,
        model: str,
    ) -> None:
        super().__init__()
        self.nonce = random(NONCE_BYTES)
        self._seed = ed25519_seed
        self._ed25519 = ed25519_public
        self._x25519 = x25519_public
        self._model = model
        self._commitment = b""
        self._granted = False

    def start(self, handshake_hash: bytes, remote_payload: bytes, remote_static: bytes) -> None:
        """`remote_payload` is what the hub put in the handshake's second message, its commitment."""
        self._begin(handshake_hash, remote_static)
        if len(remote_payload) != 32:
            self.closed = True
            raise EnrolOutOfTurn(f"a commitment of {len(remote_payload)} bytes, not 32")
        self._commitment = remote_payload

    def commit(self) -> None:
        """The grant is on disk."""
        if not self._granted or self.closed:
            raise Misuse("nothing granted")
        self._send(Ack(committed=True))
        self.closed = True
        self._events.append(("done",))

    def _take(self, record: bytes) -> None:
        if self.digits is None:
            nonce_h = Reveal.decode(record).nonce
            if commitment_to(nonce_h) != self._commitment:
                raise CommitmentBroken("the hub's nonce is not the one it was committed to")
            self._show(nonce_h, self.nonce)
            proof = signing.sign(signing.ENROL, self._seed, self._ed25519, self._hash)
            self._send(Request(ed25519=self._ed25519, x25519=self._x25519, proof=proof, model=self._model))
            return
        if self._granted:
            raise EnrolOutOfTurn("a second answer")
        answer = Answer.decode(record)
        if answer.refusal is not None:
            self.closed = True
            self._events.append(("refused", answer.refusal))
            return
        assert answer.certificate is not None
        check_grant(answer.certificate, answer.rosters, self._ed25519, self._x25519, self._remote_static)
        self._granted = True
        self._events.append(("granted", answer.certificate, answer.rosters))


def check_grant(
    certificate: bytes, rosters: "list[bytes]", ed25519: bytes, x25519: bytes, hub_x25519: bytes
) -> "tuple[certificates.Certificate, rosters_of.Roster]":
    """Hold a grant to this device's two public keys and to the hub of this session.

    The rosters must follow from each other; the newest one's hub is the session's, and its release key
    signed the certificate, which names our keys, our wing and one of its learners. Raises GrantRefused,
    or what a roster or a certificate that is wrong in itself raises.
    """
    roster = None
    for signed in rosters:
        roster = rosters_of.accept(roster, signed)
    if roster is None:
        raise GrantRefused("no roster")
    if roster.hub_x25519 != hub_x25519:
        raise GrantRefused("the roster is another hub's than the session's")
    made = certificates.accept(certificate, roster.hub_ed25519)
    if made.ed25519 != ed25519 or made.x25519 != x25519:
        raise GrantRefused("the certificate is for other keys")
    if made.wing != roster.wing:
        raise GrantRefused("the certificate is for another wing")
    if made.roster_version > roster.version:
        raise GrantRefused("the certificate stands on a newer roster")
    if roster.learner(made.learner) is None:
        raise GrantRefused("the certificate's learner is not on the roster")
    return made, roster
