"""COSE and Noise under bytes that nobody chose: the named error, and nothing else."""

from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import cbor, cose, crypto, noise
from protocol.cose import CoseError
from protocol.noise import Handshake, NoiseError

SEED = bytes(range(32))
PUBLIC = crypto.default().public_key(SEED)
SUITE = "_25519_ChaChaPoly_SHA256"
HEADER = st.dictionaries(
    st.one_of(st.integers(-3, 6), st.text(max_size=2), st.binary(max_size=2)),
    st.one_of(st.integers(-9, 9), st.binary(max_size=3), st.none(), st.booleans(), st.lists(st.integers(0, 9))),
    max_size=4,
)
PART = st.one_of(st.binary(max_size=70), st.none(), st.integers(), HEADER)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=50), st.binary(max_size=300), st.binary(max_size=50))
def test_what_is_signed_verifies_in_its_context_only(kid: bytes, payload: bytes, context: bytes) -> None:
    message = cose.sign1(SEED, kid, payload, context)
    assert cose.verify1(PUBLIC, message, context) == payload
    assert cose.key_id(message) == kid
    try:
        cose.verify1(PUBLIC, message, context + b"\0")
    except CoseError:
        return
    raise AssertionError("verified in another context")


def _only_the_named_error(data: bytes) -> None:
    for function in (lambda: cose.verify1(PUBLIC, data), lambda: cose.key_id(data)):
        try:
            function()
        except CoseError:
            pass


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=100))
def test_random_bytes_are_no_message(data: bytes) -> None:
    _only_the_named_error(data)


@settings(max_examples=300, deadline=None)
@given(st.integers(17, 19), st.lists(PART, min_size=3, max_size=5))
def test_messages_of_any_shape_raise_the_named_error(tag: int, parts: list[object]) -> None:
    _only_the_named_error(cbor.dumps(cbor.Tag(tag, parts)))


@settings(max_examples=300, deadline=None)
@given(HEADER, HEADER)
def test_messages_with_any_headers_raise_the_named_error(protected: object, unprotected: object) -> None:
    parts = [cbor.dumps(protected), unprotected, b"payload", bytes(64)]
    _only_the_named_error(cbor.dumps(cbor.Tag(18, parts)))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["XX", "IK", "NN", "X"]), st.binary(max_size=250))
def test_random_bytes_are_no_handshake(pattern: str, data: bytes) -> None:
    responder = Handshake("Noise_" + pattern + SUITE, False, s=SEED)
    try:
        responder.read(data)
    except NoiseError:
        assert not responder.done


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.data())
def test_a_changed_sealed_message_does_not_open(text: bytes, choose: st.DataObject) -> None:
    sealed = bytearray(noise.seal_to(noise.public_of(SEED), text, b"\x02" * 32, crypto.default().random))
    assert noise.open_from(SEED, bytes(sealed))[0] == text
    at = choose.draw(st.integers(0, len(sealed) - 1))
    sealed[at] ^= choose.draw(st.integers(1, 255))
    try:
        noise.open_from(SEED, bytes(sealed))
    except NoiseError:
        return
    raise AssertionError("opened")
