"""One signature over one payload: COSE_Sign1 (RFC 9052 section 4.2) with EdDSA over Ed25519 (RFC 9053 2.2).

Every signed act in Perch, of a device, the hub or a person, is one of these. Ours carry the algorithm and
the signer's key id in the protected header, so neither can be changed without breaking the signature. What
is read must be tagged 18 and deterministic CBOR, with EdDSA, the payload inside, no header that stands twice
or asks to be understood (`crit`), and a key of the main subgroup.
"""

from protocol import cbor, crypto
from protocol.compat import TYPE_CHECKING, const
from protocol.errors import Refusal

if TYPE_CHECKING:
    from typing import Any

_TAG_SIGN1 = const(18)  # RFC 9052 section 2
_ALG = const(1)  # header labels, RFC 9052 section 3.1
_CRIT = const(2)
_CONTENT_TYPE = const(3)
_KID = const(4)
_EDDSA = -8  # RFC 9053 section 2.2


class CoseError(Refusal):
    """Not a COSE_Sign1 message of this profile, or its signature does not verify."""


def sign1(
    seed: bytes,
    key_id: bytes,
    payload: bytes,
    external_aad: bytes = b"",
    backend: "crypto.Backend | None" = None,
) -> bytes:
    """A tagged COSE_Sign1 message. `seed` is 32 bytes; an empty `key_id` leaves the kid out."""
    headers: "dict[int, Any]" = {_ALG: _EDDSA}
    if key_id:
        headers[_KID] = bytes(key_id)
    protected = cbor.dumps(headers)
    chosen = backend or crypto.default()
    signature = chosen.sign(seed, _to_be_signed(protected, external_aad, payload))
    return cbor.dumps(cbor.Tag(_TAG_SIGN1, [protected, {}, bytes(payload), signature]))


def verify1(public: bytes, data: bytes, external_aad: bytes = b"", backend: "crypto.Backend | None" = None) -> bytes:
    """The payload, once the signature of the 32-byte Ed25519 key verifies; anything else raises CoseError."""
    protected, _, payload, signature = _parse(data)
    chosen = backend or crypto.default()
    if not chosen.verify(public, _to_be_signed(protected, external_aad, payload), signature):
        raise CoseError("the signature does not verify")
    return payload


def key_id(data: bytes) -> bytes:
    """The key id that a message names, b"" where it names none. Nothing is verified."""
    kid = _parse(data)[1].get(_KID, b"")
    assert isinstance(kid, bytes)
    return kid


def _to_be_signed(protected: bytes, external_aad: bytes, payload: bytes) -> bytes:
    """Sig_structure, RFC 9052 section 4.4."""
    return cbor.dumps(["Signature1", protected, bytes(external_aad), bytes(payload)])


def _parse(data: bytes) -> "tuple[bytes, dict[Any, Any], bytes, bytes]":
    """(protected bytes as signed, all headers, payload, signature)."""
    try:
        message = cbor.loads(data)
        if not isinstance(message, cbor.Tag) or message.number != _TAG_SIGN1:
            raise CoseError("not tagged as COSE_Sign1")
        parts = message.value
        if not isinstance(parts, list) or len(parts) != 4:
            raise CoseError("a COSE_Sign1 has four parts")
        protected, unprotected, payload, signature = parts
        if not isinstance(protected, bytes) or not isinstance(unprotected, dict):
            raise CoseError("the headers are not bytes and a map")
        secured = cbor.loads(protected) if protected else {}
    except cbor.CborError as error:
        raise CoseError("not deterministic CBOR: " + str(error))
    if not isinstance(secured, dict):
        raise CoseError("the protected header is not a map")
    if not isinstance(payload, bytes):
        raise CoseError("the payload is not inside")
    if not isinstance(signature, bytes) or len(signature) != 64:
        raise CoseError("an Ed25519 signature has 64 bytes")
    if not secured:
        protected = b""  # RFC 9052 section 4.4: an empty map is signed as a string of no bytes
    return protected, _headers(secured, unprotected), payload, signature


def _headers(secured: "dict[Any, Any]", unprotected: "dict[Any, Any]") -> "dict[Any, Any]":
    headers: "dict[Any, Any]" = {}
    for bucket in (secured, unprotected):
        for label in bucket:
            if not isinstance(label, (int, str)) or label in headers:
                raise CoseError("a header label that is neither integer nor text, or stands twice")
            headers[label] = bucket[label]
    if _CRIT in headers:
        raise CoseError("a header that asks to be understood is not")
    algorithm = headers.get(_ALG)
    if isinstance(algorithm, bool) or algorithm != _EDDSA:
        raise CoseError("the algorithm is not EdDSA")
    if not isinstance(headers.get(_KID, b""), bytes):
        raise CoseError("the key id is not bytes")
    content_type = headers.get(_CONTENT_TYPE, 0)
    if isinstance(content_type, bool) or not isinstance(content_type, (int, str)):
        raise CoseError("the content type is neither integer nor text")
    return headers
