"""One suite for every crypto backend that this interpreter can run."""

from protocol import crypto
from protocol.errors import Misuse
from tests.kits.vectors import load, raises

unhex = bytes.fromhex
BASE = b"\x09" + bytes(31)

# encodings of the eight points of small order, canonical and not (any library's list; each is checked below)
SMALL_ORDER = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
]
# the public key of RFC 8032 test 1 plus each point of small order but the neutral one
MIXED_ORDER = [
    "3b5b475c4b82dd1572799fc546f4c6c03e478c6654aa4c7f945b347ea32af60d",
    "40c7570f4dd54835b9131184410ed4a0cc93e7d9ad053cbc6d07a62426999582",
    "9158312a9a8d6e3b34c891d6d61444f8b8211c5117ebad15bdb0bd68b07e0245",
    "16a567fe7d4ef5482ab4012c369bf8c5f11e8d0c2559dcda50fde59708f8aee5",
    "b2a4b8a3b47d22ea8d86603ab90b393fc1b87399ab55b3806ba4cb815cd509f2",
    "ad38a8f0b22ab7ca46ecee7bbef12b5f336c182652fac34392f859dbd9666a7d",
    "5ca7ced5657291c4cb376e2929ebbb0747dee3aee81452ea424f42974f81fdba",
]
# X25519 inputs whose result is all zeros whatever the scalar (RFC 7748 section 6.1; Bernstein's list)
ZERO_POINTS = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]


def backends():
    found = []
    for name in ("pure", "nacl", "viper"):
        try:
            found.append(crypto.backend(name))
        except Misuse:
            pass
    assert len(found) == 2, "the reference and this interpreter's own"
    return found


def test_the_default_backend_is_not_the_slow_one():
    assert crypto.default().name in ("nacl", "viper")


def test_an_unknown_backend_is_misuse():
    assert raises(Misuse, crypto.backend, "openssl")


def test_x25519_gives_the_published_results():
    for backend in backends():
        for v in load("rfc7748.json")["vectors"]:
            result = backend.x25519(unhex(v["scalar"]), unhex(v["point"]))
            assert result == unhex(v["result"]), (backend.name, v["section"])


def test_x25519_ignores_the_top_bit_of_a_point_and_reduces_it():
    scalar = bytes(range(32))
    for backend in backends():
        with_bit = BASE[:31] + b"\x80"
        assert backend.x25519(scalar, with_bit) == backend.x25519(scalar, BASE)
        # p + 9
        assert backend.x25519(scalar, b"\xf6" + b"\xff" * 30 + b"\x7f") == backend.x25519(scalar, BASE)


def test_an_all_zero_shared_secret_is_refused():
    for backend in backends():
        for point in ZERO_POINTS:
            assert raises(crypto.CryptoError, backend.x25519, b"\x77" * 32, unhex(point)), point


def test_the_cipher_gives_the_published_results():
    for backend in backends():
        for v in load("rfc8439.json")["vectors"]:
            key, nonce, ad = unhex(v["key"]), unhex(v["nonce"]), unhex(v["ad"])
            sealed = backend.seal(key, nonce, ad, unhex(v["plaintext"]))
            assert sealed == unhex(v["sealed"]), (backend.name, v["section"])
            assert backend.open(key, nonce, ad, sealed) == unhex(v["plaintext"])


def test_the_cipher_in_place_gives_the_published_results_and_touches_nothing_behind_them():
    for backend in backends():
        for v in load("rfc8439.json")["vectors"]:
            key, nonce, ad = unhex(v["key"]), unhex(v["nonce"]), unhex(v["ad"])
            plain, sealed = unhex(v["plaintext"]), unhex(v["sealed"])
            buffer = bytearray(plain + b"\xaa" * 16 + b"behind")
            backend.seal_in_place(key, nonce, ad, buffer, len(plain))
            assert buffer == sealed + b"behind", (backend.name, v["section"])
            backend.open_in_place(key, nonce, ad, buffer, len(sealed))
            assert buffer[: len(plain)] == plain and buffer[len(sealed) :] == b"behind", (backend.name, v["section"])


def test_every_length_in_place_is_as_it_is_elsewhere():
    key, nonce = bytes(range(32)), bytes(range(12))
    for backend in backends():
        for length in (0, 1, 15, 16, 17, 63, 64, 65, 129, 1000):
            text = bytes([length * 7 + i & 255 for i in range(length)])
            buffer = bytearray(text + bytes(16))
            assert backend.seal_in_place(key, nonce, b"ad", buffer, length) is None
            assert buffer == backend.seal(key, nonce, b"ad", text), (backend.name, length)
            assert backend.open_in_place(key, nonce, b"ad", buffer, length + 16) is None
            assert buffer[:length] == text and len(buffer) == length + 16, (backend.name, length)


def test_what_does_not_open_in_place_is_refused_and_left_as_it_was():
    key, nonce = bytes(range(32)), bytes(12)
    for backend in backends():
        sealed = backend.seal(key, nonce, b"ad", b"five!")
        for i in range(len(sealed)):
            bad = bytearray(sealed)
            bad[i] ^= 1
            before = bytes(bad)
            assert raises(crypto.CryptoError, backend.open_in_place, key, nonce, b"ad", bad, len(bad))
            assert bad == before, (backend.name, i)
        for length in (0, 15, len(sealed) - 1, len(sealed) + 1):
            buffer = bytearray(sealed)
            assert raises(crypto.CryptoError, backend.open_in_place, key, nonce, b"ad", buffer, length), length
            assert buffer == sealed
        for wrong_key, wrong_nonce in ((key[1:], nonce), (key, nonce[1:])):
            buffer = bytearray(sealed)
            assert raises(crypto.CryptoError, backend.open_in_place, wrong_key, wrong_nonce, b"ad", buffer, len(buffer))
            assert raises(crypto.CryptoError, backend.seal_in_place, wrong_key, wrong_nonce, b"ad", buffer, 5)
            assert buffer == sealed, backend.name


def test_a_buffer_without_room_for_the_tag_is_refused_and_left_in_the_clear():
    for backend in backends():
        for room in (0, 1, 15):
            buffer = bytearray(b"five!" + bytes(room))
            assert raises(crypto.CryptoError, backend.seal_in_place, bytes(32), bytes(12), b"", buffer, 5), room
            assert buffer == b"five!" + bytes(room), backend.name


def test_all_backends_seal_every_length_alike():
    one, two = backends()
    key, nonce = bytes(range(32)), bytes(range(12))
    for length in (0, 1, 15, 16, 17, 31, 32, 63, 64, 65, 127, 128, 129, 1000):
        text = bytes([length * 7 + i & 255 for i in range(length)])
        ad = text[: length % 37]
        sealed = one.seal(key, nonce, ad, text)
        assert two.seal(key, nonce, ad, text) == sealed, length
        assert one.open(key, nonce, ad, sealed) == text
        assert two.open(key, nonce, ad, sealed) == text


def test_poly1305_reduces_a_sum_between_p_and_2_130():
    # all-ones blocks bring the accumulator past 2^130 - 5 again and again
    one, two = backends()
    for first in range(8):
        key = bytes([first]) * 32
        assert one.seal(key, bytes(12), b"\xff" * 160, b"") == two.seal(key, bytes(12), b"\xff" * 160, b"")


def test_any_changed_bit_of_a_sealed_message_is_refused():
    key, nonce = bytes(range(32)), bytes(12)
    for backend in backends():
        sealed = backend.seal(key, nonce, b"ad", b"five")
        for i in range(len(sealed) * 8):
            bad = bytearray(sealed)
            bad[i >> 3] ^= 1 << (i & 7)
            assert raises(crypto.CryptoError, backend.open, key, nonce, b"ad", bytes(bad))
        assert raises(crypto.CryptoError, backend.open, key, nonce, b"aD", sealed)
        assert raises(crypto.CryptoError, backend.open, key, b"\1" + nonce[1:], b"ad", sealed)
        assert raises(crypto.CryptoError, backend.open, b"\1" + key[1:], nonce, b"ad", sealed)
        for length in range(len(sealed)):
            assert raises(crypto.CryptoError, backend.open, key, nonce, b"ad", sealed[:length])


def test_wrong_lengths_are_refused():
    for backend in backends():
        for length in (0, 31, 33, 64):
            wrong = bytes(length)
            assert raises(crypto.CryptoError, backend.x25519, wrong, BASE)
            assert raises(crypto.CryptoError, backend.x25519, BASE, wrong)
            assert raises(crypto.CryptoError, backend.seal, wrong, bytes(12), b"", b"")
            assert raises(crypto.CryptoError, backend.open, wrong, bytes(12), b"", bytes(16))
            assert raises(crypto.CryptoError, backend.sign, wrong, b"")
            assert raises(crypto.CryptoError, backend.public_key, wrong)
            assert backend.is_public_key(wrong) is False
        for length in (0, 8, 11, 13, 24):
            assert raises(crypto.CryptoError, backend.seal, BASE, bytes(length), b"", b"")
            assert raises(crypto.CryptoError, backend.open, BASE, bytes(length), b"", bytes(16))


def test_buffers_are_taken_as_bytes():
    for backend in backends():
        key, nonce = bytearray(range(32)), bytearray(12)
        sealed = backend.seal(key, nonce, bytearray(b"ad"), memoryview(b"text"))
        assert backend.open(key, nonce, memoryview(b"ad"), bytearray(sealed)) == b"text"
        signature = backend.sign(bytearray(key), bytearray(b"m"))
        assert backend.verify(bytearray(backend.public_key(key)), bytearray(b"m"), bytearray(signature))


def test_ed25519_gives_the_published_signatures():
    for backend in backends():
        for v in load("rfc8032.json")["vectors"]:
            seed, public, message = unhex(v["seed"]), unhex(v["public"]), unhex(v["message"])
            assert backend.public_key(seed) == public, (backend.name, v["section"])
            assert backend.is_public_key(public)
            signature = backend.sign(seed, message)
            assert signature == unhex(v["signature"]), (backend.name, v["section"])
            assert backend.verify(public, message, signature)


def test_all_backends_sign_every_length_alike():
    one, two = backends()
    for length in (0, 1, 31, 47, 48, 79, 80, 95, 96, 127, 128, 129, 255, 256, 500):
        seed = bytes([length & 255]) * 32
        message = bytes([length + i & 255 for i in range(length)])
        signature = one.sign(seed, message)
        assert two.sign(seed, message) == signature, length
        assert two.verify(one.public_key(seed), message, signature)


def test_a_changed_signature_message_or_key_does_not_verify():
    for backend in backends():
        seed = b"\x42" * 32
        public = backend.public_key(seed)
        signature = backend.sign(seed, b"message")
        assert not backend.verify(public, b"massage", signature)
        assert not backend.verify(backend.public_key(b"\x43" * 32), b"message", signature)
        for i in range(0, 512, 37):
            bad = bytearray(signature)
            bad[i >> 3] ^= 1 << (i & 7)
            assert not backend.verify(public, b"message", bytes(bad))


def test_verify_answers_false_to_any_length_and_never_raises():
    for backend in backends():
        public = backend.public_key(bytes(32))
        signature = backend.sign(bytes(32), b"")
        for length in (0, 1, 31, 33, 64):
            assert backend.verify(bytes(length), b"", signature) is False
            assert backend.verify(b"\xff" * length, b"", signature) is False
        for length in (0, 1, 63, 65, 128):
            assert backend.verify(public, b"", (signature * 2)[:length]) is False


def test_a_signature_with_s_not_below_the_order_is_refused():
    order = 2**252 + 27742317777372353535851937790883648493
    for backend in backends():
        public = backend.public_key(bytes(32))
        signature = backend.sign(bytes(32), b"m")
        s = int.from_bytes(signature[32:], "little") + order
        assert not backend.verify(public, b"m", signature[:32] + s.to_bytes(32, "little"))


def test_keys_of_small_order_are_refused_with_every_signature():
    for backend in backends():
        for encoding in SMALL_ORDER:
            public = unhex(encoding)
            assert backend.is_public_key(public) is False, encoding
            # s = 0 and R the neutral point satisfy the bare equation for such keys
            assert not backend.verify(public, b"m", unhex(SMALL_ORDER[0]) + bytes(32))
            assert not backend.verify(public, b"m", public + bytes(32))


def test_a_key_with_a_part_of_small_order_is_refused():
    # A + T, T of order 8: decodes, and a verifier that multiplies by the cofactor would take its signatures
    for backend in backends():
        for encoding in MIXED_ORDER:
            assert backend.is_public_key(unhex(encoding)) is False, (backend.name, encoding)


def test_a_point_off_the_curve_is_no_key():
    for backend in backends():
        assert backend.is_public_key(b"\x02" + bytes(31)) is False
        assert backend.is_public_key(b"\xff" * 32) is False


def test_a_proven_key_stays_proven_when_many_come_between():
    for backend in backends():
        first = backend.public_key(bytes(32))
        signature = backend.sign(bytes(32), b"m")
        for i in range(1, 12):
            assert backend.is_public_key(backend.public_key(bytes([i]) * 32))
        assert backend.verify(first, b"m", signature)
        assert backend.is_public_key(unhex(SMALL_ORDER[0])) is False


def test_hmac_gives_the_published_results():
    for backend in backends():
        for v in load("rfc4231.json")["vectors"]:
            assert backend.hmac_sha256(unhex(v["key"]), unhex(v["data"])) == unhex(v["hmac"]), v["section"]


def test_sha256_gives_the_published_result():
    # FIPS 180-4, the example "abc"
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    for backend in backends():
        assert backend.sha256(b"abc") == unhex(expected)


def test_random_bytes_have_the_length_asked_for_and_differ():
    for backend in backends():
        assert len(backend.random(0)) == 0
        assert len(backend.random(33)) == 33
        assert backend.random(16) != backend.random(16)
