"""Deterministic CBOR: the published examples, and every way of writing a value a second way."""

from protocol import cbor
from protocol.cbor import CborError, Simple, Tag, Undefined
from protocol.errors import Misuse
from protocol.limits import CBOR_DEPTH_MAX
from tests.kits.vectors import load, raises

unhex = bytes.fromhex

# the values of RFC 8949 appendix A, by their encoding
VALUES = {
    "00": 0,
    "01": 1,
    "0a": 10,
    "17": 23,
    "1818": 24,
    "1819": 25,
    "1864": 100,
    "1903e8": 1000,
    "1a000f4240": 1000000,
    "1b000000e8d4a51000": 1000000000000,
    "1bffffffffffffffff": 18446744073709551615,
    "c249010000000000000000": 18446744073709551616,
    "3bffffffffffffffff": -18446744073709551616,
    "c349010000000000000000": -18446744073709551617,
    "20": -1,
    "29": -10,
    "3863": -100,
    "3903e7": -1000,
    "f90000": 0.0,
    "f93c00": 1.0,
    "fb3ff199999999999a": 1.1,
    "f93e00": 1.5,
    "f97bff": 65504.0,
    "fa47c35000": 100000.0,
    "fa7f7fffff": 3.4028234663852886e38,
    "fb7e37e43c8800759c": 1.0e300,
    "f90001": 5.960464477539063e-8,
    "f90400": 0.00006103515625,
    "f9c400": -4.0,
    "fbc010666666666666": -4.1,
    "f97c00": float("inf"),
    "f9fc00": -float("inf"),
    "f4": False,
    "f5": True,
    "f6": None,
    "f7": Undefined,
    "f0": Simple(16),
    "f8ff": Simple(255),
    "c074323031332d30332d32315432303a30343a30305a": Tag(0, "2013-03-21T20:04:00Z"),
    "c11a514b67b0": Tag(1, 1363896240),
    "c1fb41d452d9ec200000": Tag(1, 1363896240.5),
    "d74401020304": Tag(23, b"\x01\x02\x03\x04"),
    "d818456449455446": Tag(24, b"dIETF"),
    "d82076687474703a2f2f7777772e6578616d706c652e636f6d": Tag(32, "http://www.example.com"),
    "40": b"",
    "4401020304": b"\x01\x02\x03\x04",
    "60": "",
    "6161": "a",
    "6449455446": "IETF",
    "62225c": '"\\',
    "62c3bc": "\u00fc",
    "63e6b0b4": "\u6c34",
    "64f0908591": "\U00010151",
    "80": [],
    "83010203": [1, 2, 3],
    "8301820203820405": [1, [2, 3], [4, 5]],
    "98190102030405060708090a0b0c0d0e0f101112131415161718181819": list(range(1, 26)),
    "a0": {},
    "a201020304": {1: 2, 3: 4},
    "a26161016162820203": {"a": 1, "b": [2, 3]},
    "826161a161626163": ["a", {"b": "c"}],
    "a56161614161626142616361436164614461656145": {"a": "A", "b": "B", "c": "C", "d": "D", "e": "E"},
}


def test_every_deterministic_example_of_rfc_8949_decodes_and_encodes():
    seen = 0
    for v in load("rfc8949.json")["deterministic"]:
        data = unhex(v["hex"])
        value = cbor.loads(data)
        assert cbor.dumps(value) == data, v
        if v["hex"] in VALUES:
            assert value == VALUES[v["hex"]], v
            assert cbor.dumps(VALUES[v["hex"]]) == data, v
            seen += 1
    assert seen == len(VALUES)


def test_negative_zero_and_nan_keep_their_bytes():
    assert str(cbor.loads(unhex("f98000"))) == "-0.0"
    assert cbor.dumps(-0.0) == unhex("f98000")
    nan = cbor.loads(unhex("f97e00"))
    assert nan != nan
    assert cbor.dumps(float("nan")) == unhex("f97e00")


def test_every_other_example_of_rfc_8949_is_refused():
    for v in load("rfc8949.json")["refused"]:
        assert raises(CborError, cbor.loads, unhex(v["hex"])), v


def test_what_is_not_as_short_as_it_can_be_is_refused():
    for text in (
        "1800 1817 190000 1900ff 1a00000000 1a0000ffff 1b0000000000000000 1b00000000ffffffff "
        "3800 390000 3a00000000 3b0000000000000000 5800 580161 590001ff 7800 780161 9800 b800 "
        "d81201 d90012a0 f818 f81f f80f f801 fa3f800000 fb3ff0000000000000 fa00000000 fa80000000 "
        "fb7ff8000000000000 f97e01 f9fe00 f97c01 fa7fc00000 fb36a0000000000000 fa33800000"
    ).split(" "):
        assert raises(CborError, cbor.loads, unhex(text)), text


def test_big_integers_that_fit_or_start_with_zero_are_refused():
    for text in ("c240", "c24101", "c248ffffffffffffffff", "c24a00010000000000000000", "c340", "c34100"):
        assert raises(CborError, cbor.loads, unhex(text)), text
    for text in ("c201", "c260", "c280", "c2c249010000000000000000"):
        assert raises(CborError, cbor.loads, unhex(text)), text
    for value in (2**64, 2**64 - 1, -(2**64), -(2**64) - 1, 2**200, -(2**500) - 7):
        assert cbor.loads(cbor.dumps(value)) == value


def test_map_keys_out_of_order_or_twice_are_refused():
    for text in (
        "a203040102",  # 3 before 1
        "a201020103",  # 1 twice
        "a2616201616102",  # "b" before "a"
        "a261610141610a",  # "a" before h'61': bytes sort first
        "a22001186402",  # -1 before 100: 4.2.1 sorts by bytes, not by length
    ):
        assert raises(CborError, cbor.loads, unhex(text)), text


def test_map_keys_are_sorted_by_their_bytes():
    # RFC 8949 section 4.2.1 gives 10, 100, -1, "z", "aa" in this order
    keys = ["aa", 100, "z", -1, 10]
    expected = unhex("a50a001864002000617a00626161" + "00")
    assert cbor.dumps(dict.fromkeys(keys, 0)) == expected
    assert cbor.loads(expected) == {10: 0, 100: 0, -1: 0, "z": 0, "aa": 0}


def test_a_key_of_another_kind_is_refused_so_true_and_one_cannot_be_one_key():
    for text in ("a1f501", "a20100f500", "a1f400", "a1f600", "a1f93c0000", "a18000", "a1a000", "a1c00000", "a1f700"):
        assert raises(CborError, cbor.loads, unhex(text)), text
    for key in (True, False, None, 1.0, (1,), Simple(0)):
        assert raises(Misuse, cbor.dumps, {key: 0})


def test_bytes_and_text_of_the_same_letters_are_two_keys():
    value = {b"a": 1, "a": 2}
    assert len(value) == 2
    assert cbor.loads(cbor.dumps(value)) == value


def test_true_is_not_one():
    assert cbor.dumps([True, 1, False, 0]) == unhex("84f501f400")
    decoded = cbor.loads(unhex("84f501f400"))
    assert decoded[0] is True and decoded[2] is False
    assert decoded[1] is not True and decoded[3] is not False


def test_text_that_is_not_utf8_is_refused():
    for text in (
        "80 bf c0 c1 c080 c1bf e08080 e09fbf eda080 edbfbf f0808080 f08fbfbf f4908080 f7bfbfbf f888808080 "
        "fe ff c3 e282 f09f92 c328 e228a1 e28228 f0288cbc f09028bc f0908c28 61c3 6180"
    ).split(" "):
        data = unhex(text)
        assert not cbor.utf8_valid(data), text
        assert raises(CborError, cbor.loads, bytes([0x60 + len(data)]) + data), text


def test_text_at_the_edges_of_utf8_is_taken():
    for text in ("00 7f c280 dfbf e0a080 ed9fbf ee8080 efbfbf f0908080 f48fbfbf").split(" "):
        data = unhex(text)
        assert cbor.utf8_valid(data), text
        assert cbor.dumps(cbor.loads(bytes([0x60 + len(data)]) + data))[1:] == data


def test_bytes_after_the_item_and_missing_bytes_are_refused():
    for v in load("rfc8949.json")["deterministic"]:
        data = unhex(v["hex"])
        assert raises(CborError, cbor.loads, data + b"\0")
        for length in range(len(data)):
            assert raises(CborError, cbor.loads, data[:length]), v


def test_reserved_heads_and_breaks_are_refused():
    for major in range(8):
        for info in (28, 29, 30, 31):
            head = major << 5 | info
            assert raises(CborError, cbor.loads, bytes([head]) + bytes(8)), head
            assert raises(CborError, cbor.loads, bytes([head])), head


def test_a_promise_of_many_items_costs_nothing():
    for text in ("9affffffff", "9bffffffffffffffff", "baffffffff", "bbffffffffffffffff", "5bffffffffffffffff"):
        assert raises(CborError, cbor.loads, unhex(text))
        assert raises(CborError, cbor.loads, unhex(text) + bytes(100))


def test_nesting_stops_at_its_bound():
    assert raises(CborError, cbor.loads, b"\xc2" * 5000 + b"\x49" + bytes([1]) * 9)
    for head in (b"\x81", b"\xa1\x00", b"\xc0"):
        assert cbor.dumps(cbor.loads(head * CBOR_DEPTH_MAX + b"\0")) == head * CBOR_DEPTH_MAX + b"\0"
        assert raises(CborError, cbor.loads, head * (CBOR_DEPTH_MAX + 1) + b"\0")
        assert raises(CborError, cbor.loads, head * 5000 + b"\0")
    deep = 0
    for _ in range(CBOR_DEPTH_MAX + 1):
        deep = [deep]
    assert raises(Misuse, cbor.dumps, deep)


def test_what_has_no_encoding_is_misuse():
    for value in (object(), {1, 2}, Simple(20), Simple(31), Simple(256), Tag(-1, 0), Tag(2, b""), Tag(2**64, 0)):
        assert raises(Misuse, cbor.dumps, value)
        assert raises(Misuse, cbor.dumps, [value])
    assert raises(Misuse, cbor.loads, "text")
    assert raises(Misuse, cbor.loads, 5)


def test_buffers_encode_and_decode_as_bytes():
    assert cbor.dumps(bytearray(b"ab")) == cbor.dumps(memoryview(b"ab")) == cbor.dumps(b"ab")
    assert cbor.loads(bytearray(b"\x42ab")) == cbor.loads(memoryview(b"\x42ab")) == b"ab"


def test_heads_change_length_where_they_must():
    for value, size in ((23, 1), (24, 2), (255, 2), (256, 3), (65535, 3), (65536, 5), (2**32 - 1, 5), (2**32, 9)):
        assert len(cbor.dumps(value)) == size
        assert len(cbor.dumps(-1 - value)) == size
        assert cbor.loads(cbor.dumps(value)) == value
        assert cbor.loads(cbor.dumps(-1 - value)) == -1 - value
    for length in (0, 23, 24, 255, 256, 4000):
        assert cbor.loads(cbor.dumps(bytes(length))) == bytes(length)
        assert cbor.loads(cbor.dumps("x" * length)) == "x" * length
        assert cbor.loads(cbor.dumps([0] * length)) == [0] * length


def test_the_pieces_of_a_map_are_its_encoding():
    for value in ({}, {0: b"", 23: "text"}, {2: [1, None, True], 1: b"x" * 300, 5: "ŵ" * 300, 3: b"y", 4: -1}):
        assert b"".join([bytes(piece) for piece in cbor.pieces(value)]) == cbor.dumps(value)
    raised = 0
    for key in (24, -1):
        try:
            cbor.pieces({key: 1})
        except Misuse:
            raised += 1
    assert raised == 2
