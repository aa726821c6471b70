"""COSE_Sign1 with EdDSA: the published example, ours, and everything that is neither."""

from protocol import cbor, cose, crypto
from protocol.cose import CoseError
from tests.kits.vectors import load, raises

unhex = bytes.fromhex
SEED = bytes(range(32))


def signed(protected, unprotected, payload, external_aad=b"", covered=None):
    """A message with any headers and a good signature over `covered`, or over the protected bytes."""
    backend = crypto.default()
    what = protected if covered is None else covered
    signature = backend.sign(SEED, cbor.dumps(["Signature1", what, external_aad, payload]))
    return cbor.dumps(cbor.Tag(18, [protected, unprotected, payload, signature]))


def public():
    return crypto.default().public_key(SEED)


def test_the_published_example_verifies():
    v = load("cose_eddsa.json")
    message = unhex(v["message"])
    assert cose.verify1(unhex(v["public"]), message) == unhex(v["payload"])
    assert cose.key_id(message) == unhex(v["kid"])


def test_a_message_of_ours_is_exactly_this():
    message = cose.sign1(SEED, b"12345678", b"payload", b"context")
    tag = cbor.loads(message)
    assert tag.number == 18
    protected, unprotected, payload, signature = tag.value
    assert protected == unhex("a2012704") + b"\x48" + b"12345678"
    assert unprotected == {}
    assert payload == b"payload"
    to_be_signed = unhex("846a5369676e617475726531") + cbor.dumps(protected) + b"\x47context\x47payload"
    assert signature == crypto.default().sign(SEED, to_be_signed)
    assert cose.verify1(public(), message, b"context") == b"payload"
    assert cose.key_id(message) == b"12345678"


def test_a_message_without_a_key_id_names_none():
    message = cose.sign1(SEED, b"", b"payload")
    assert cose.key_id(message) == b""
    assert cose.verify1(public(), message) == b"payload"


def test_another_context_key_or_bit_is_refused():
    message = cose.sign1(SEED, b"kid", b"payload", b"context")
    assert raises(CoseError, cose.verify1, public(), message)
    assert raises(CoseError, cose.verify1, public(), message, b"Context")
    other = crypto.default().public_key(bytes(32))
    assert raises(CoseError, cose.verify1, other, message, b"context")
    assert raises(CoseError, cose.verify1, b"", message, b"context")
    for i in range(len(message)):
        bad = bytearray(message)
        bad[i] ^= 1
        assert raises(CoseError, cose.verify1, public(), bytes(bad), b"context"), i


def test_headers_may_stand_outside_but_only_once():
    assert cose.verify1(public(), signed(unhex("a10127"), {4: b"kid"}, b"p")) == b"p"
    assert cose.verify1(public(), signed(b"", {1: -8}, b"p")) == b"p"
    both = signed(unhex("a10127"), {1: -8}, b"p")
    assert raises(CoseError, cose.verify1, public(), both)
    assert raises(CoseError, cose.key_id, both)
    assert raises(CoseError, cose.verify1, public(), signed(unhex("a2012704414b"), {4: b"L"}, b"p"))


def test_an_empty_protected_map_is_signed_as_no_bytes():
    assert cose.verify1(public(), signed(unhex("a0"), {1: -8}, b"p", b"", b"")) == b"p"
    assert raises(CoseError, cose.verify1, public(), signed(unhex("a0"), {1: -8}, b"p"))


def test_another_algorithm_or_none_is_refused():
    for protected in ("a10126", "a1012e", "a101f5", "a10107", "a0", "", "a101654564445341", "a10408", "80", "01", "a1"):
        assert raises(CoseError, cose.verify1, public(), signed(unhex(protected), {}, b"p")), protected


def test_headers_of_the_wrong_type_are_refused():
    # crit; a kid of text; a content type of bytes or true; a label of bytes
    for protected in ("a20127028101", "a2012704614b", "a20127034100", "a2012703f5", "a201274100f6"):
        assert raises(CoseError, cose.verify1, public(), signed(unhex(protected), {}, b"p")), protected
    # an unknown label and a content type of either type are no harm
    for protected in ("a200f60127", "a20127616101", "a201270300", "a20127036a746578742f706c61696e"):
        assert cose.verify1(public(), signed(unhex(protected), {}, b"p")) == b"p"


def test_other_shapes_are_refused():
    good = cbor.loads(cose.sign1(SEED, b"kid", b"p")).value
    for value in (
        good,
        cbor.Tag(17, good),
        cbor.Tag(98, good),
        cbor.Tag(18, cbor.Tag(18, good)),
        cbor.Tag(18, {}),
        cbor.Tag(18, good[:3]),
        cbor.Tag(18, good + [b""]),
        cbor.Tag(18, [{}, {}, good[2], good[3]]),
        cbor.Tag(18, [good[0], [], good[2], good[3]]),
        cbor.Tag(18, [good[0], {}, None, good[3]]),
        cbor.Tag(18, [good[0], {}, "p", good[3]]),
        cbor.Tag(18, [good[0], {}, good[2], good[3][:63]]),
        cbor.Tag(18, [good[0], {}, good[2], good[3] + b"\0"]),
        cbor.Tag(18, [good[0], {}, good[2], None]),
    ):
        data = cbor.dumps(value)
        assert raises(CoseError, cose.verify1, public(), data)
        assert raises(CoseError, cose.key_id, data)
    assert cose.verify1(public(), cbor.dumps(cbor.Tag(18, good))) == b"p"


def test_a_second_spelling_of_a_good_message_is_refused():
    message = cose.sign1(SEED, b"kid", b"p")
    assert message[0] == 0xD2
    assert raises(CoseError, cose.verify1, public(), b"\xd8\x12" + message[1:])
    assert raises(CoseError, cose.verify1, public(), message + b"\0")
    assert raises(CoseError, cose.verify1, public(), b"")
    # the protected header's own map out of order
    assert raises(CoseError, cose.verify1, public(), signed(unhex("a204414b0127"), {}, b"p"))
