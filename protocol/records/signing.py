"""Signatures over records: one form for every kind, over a digest, bound to the kind, counted by person.

A signature is a COSE_Sign1 (RFC 9052 section 4.2) whose payload is SHA-256 of the record's bytes, whose
external_aad is b"perch/<kind>/1" and whose key id is SHA-256(public key)[:8]. The external_aad keeps kinds
apart: a receipt that a device signed can never stand for a decision, whatever bytes somebody finds.

A signed record travels as CBOR [body bstr, [sign1 bstr, ...]]: the exact bytes that were signed, then the
signatures.
"""

from protocol import cbor, cose, crypto
from protocol.compat import TYPE_CHECKING
from protocol.errors import Misuse, Refusal
from protocol.limits import RECORD_BYTES_MAX, SIGN1_BYTES_MAX, SIGNATURES_MAX

if TYPE_CHECKING:
    from protocol.records.roster import Roster

ROSTER = "roster"
CERTIFICATE = "certificate"
ENVELOPE = "envelope"
DECISION = "decision"
LIST = "list"
JOURNAL = "journal"
RECEIPT = "receipt"
ENROL = "enrol"
KINDS = (ROSTER, CERTIFICATE, ENVELOPE, DECISION, LIST, JOURNAL, RECEIPT, ENROL)


class SignatureRefused(Refusal):
    """A signature is not this key's over these bytes as this kind of record."""


class SignedRefused(Refusal):
    """A signed record is not [body, [signature, ...]] within its bounds."""


class TooFewSigners(Refusal):
    """Fewer different people signed than it takes."""


class TooManySignatures(Refusal):
    """More signatures than anybody needs: they are not even looked at."""


class UnknownSigner(Refusal):
    """A signature's key is nobody's on the roster."""


class SignerRole(Refusal):
    """The signer is on the roster but may not do this."""


class SignerExpired(Refusal):
    """The signer's key has expired on the roster."""


def key_id(public: bytes) -> bytes:
    """8 bytes that name an Ed25519 public key; a device's id is the same function of its key."""
    return crypto.default().sha256(public)[:8]


def digest(body: bytes) -> bytes:
    """SHA-256: the name of a record's bytes everywhere."""
    return crypto.default().sha256(body)


def _aad(kind: str) -> bytes:
    if kind not in KINDS:
        raise Misuse("no record kind " + kind)
    return b"perch/" + kind.encode() + b"/1"


def sign(kind: str, seed: bytes, public: bytes, body: bytes) -> bytes:
    """COSE_Sign1 over SHA-256(body). `seed` and `public` are one Ed25519 key, 32 bytes each."""
    return cose.sign1(seed, key_id(public), digest(body), _aad(kind))


def check(kind: str, public: bytes, body: bytes, sign1: bytes) -> None:
    """Raise SignatureRefused unless `sign1` is `public`'s signature over `body` as `kind`."""
    if len(sign1) > SIGN1_BYTES_MAX:
        raise SignatureRefused(f"{len(sign1)} bytes, more than {SIGN1_BYTES_MAX}")
    try:
        if cose.key_id(sign1) != key_id(public):
            raise SignatureRefused("another key's")
        signed = cose.verify1(public, sign1, _aad(kind))
    except (cose.CoseError, cbor.CborError, crypto.CryptoError) as error:
        raise SignatureRefused(str(error))
    if signed != digest(body):
        raise SignatureRefused("over other bytes")


def signer(sign1: bytes) -> bytes:
    """The key id that a signature claims (8 bytes); raises SignatureRefused when it names none."""
    if len(sign1) > SIGN1_BYTES_MAX:
        raise SignatureRefused(f"{len(sign1)} bytes, more than {SIGN1_BYTES_MAX}")
    try:
        return cose.key_id(sign1)
    except (cose.CoseError, cbor.CborError) as error:
        raise SignatureRefused(str(error))


def pack_signed(body: bytes, sign1s: "list[bytes]") -> bytes:
    return cbor.pair(body, sign1s)


def unpack_signed(data: bytes, bytes_max: int = RECORD_BYTES_MAX) -> "tuple[bytes, list[bytes]]":
    """-> (body, signatures), none of it verified; raises SignedRefused for any other shape."""
    # the array, the signatures and their lengths on top of the body
    if len(data) > bytes_max + SIGNATURES_MAX * (SIGN1_BYTES_MAX + 3) + 16:
        raise SignedRefused(f"{len(data)} bytes")
    try:
        value = cbor.loads(data)
    except cbor.CborError as error:
        raise SignedRefused(str(error))
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise SignedRefused("not [body, signatures]")
    body, sign1s = value
    if not isinstance(body, bytes) or not isinstance(sign1s, (list, tuple)):
        raise SignedRefused("not [body, signatures]")
    if not 1 <= len(sign1s) <= SIGNATURES_MAX:
        raise SignedRefused(f"{len(sign1s)} signatures, not within 1..{SIGNATURES_MAX}")
    for sign1 in sign1s:
        if not isinstance(sign1, bytes) or len(sign1) > SIGN1_BYTES_MAX:
            raise SignedRefused("a signature is not a short byte string")
    return body, list(sign1s)


def open_signed(kind: str, public: bytes, data: bytes, bytes_max: int = RECORD_BYTES_MAX) -> bytes:
    """The body of a record that must carry exactly one signature, that of `public`, as `kind`."""
    body, sign1s = unpack_signed(data, bytes_max)
    if len(sign1s) != 1:
        raise SignedRefused(f"{len(sign1s)} signatures, not 1")
    check(kind, public, body, sign1s[0])
    return body


def require_people(
    kind: str, body: bytes, sign1s: "list[bytes]", roster: "Roster", role: str, needed: int, at_s: int
) -> "list[str]":
    """The first `needed` different people with `role` whose signatures over `body` hold at `at_s`.

    People are counted, never keys or signatures. One that does not count (unknown, expired, another role,
    a bad signature) spoils nothing when enough others do; when too few are left, the first such reason is
    the refusal, else TooFewSigners. Stops verifying as soon as there are enough: on a small device one
    verification costs half a second.
    """
    if needed < 1:
        raise Misuse("nobody needed")
    if len(sign1s) > SIGNATURES_MAX:
        raise TooManySignatures(f"{len(sign1s)} signatures, more than {SIGNATURES_MAX}")
    people: "list[str]" = []
    reason: "Refusal | None" = None
    for sign1 in sign1s:
        try:
            person = _person(kind, body, sign1, roster, role, at_s, people)
        except Refusal as refusal:
            reason = reason or refusal
            continue
        if person is not None:
            people.append(person)
            if len(people) == needed:
                return people
    raise reason or TooFewSigners(f"{len(people)} of {needed} people signed")


def _person(
    kind: str, body: bytes, sign1: bytes, roster: "Roster", role: str, at_s: int, counted: "list[str]"
) -> "str | None":
    """Who signed, or None for somebody already counted; raises why this signature does not count."""
    staff = roster.staff_by_key(signer(sign1))
    if staff is None:
        raise UnknownSigner(f"key {signer(sign1).hex()} is not on roster {roster.version}")
    if staff.person in counted:
        return None
    if role not in staff.roles:
        raise SignerRole(f"{staff.person} is no {role}")
    if staff.expires_s <= at_s:
        raise SignerExpired(f"the key of {staff.person} expired at {staff.expires_s}")
    check(kind, staff.public, body, sign1)
    return staff.person
