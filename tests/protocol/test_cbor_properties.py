"""The CBOR codec on values and bytes that nobody chose, and against cbor2.

Known differences from cbor2 6.2, all on purpose: it sorts maps by length first (RFC 8949 section 4.2.3), takes
indefinite lengths, long heads, double keys, keys of any kind and bytes after the item, and turns tags into
Python objects. So every item of ours must mean the same to it; not every item of its is one of ours.
"""

import math
import time
from typing import Any

import cbor2
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import cbor
from protocol.cbor import CborError, Simple, Tag, Undefined

INTEGERS = st.one_of(st.integers(-30, 300), st.integers(-(2**70), 2**70), st.integers(-(2**600), 2**600))
KEYS = st.one_of(INTEGERS, st.binary(max_size=6), st.text(max_size=6))
ATOMS = st.one_of(INTEGERS, st.binary(max_size=30), st.text(max_size=30), st.booleans(), st.none(), st.floats())


def _nest(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.lists(inner, max_size=5), st.dictionaries(KEYS, inner, max_size=5))


VALUES = st.recursive(ATOMS, _nest, max_leaves=20)
STRANGE = st.one_of(
    st.builds(Simple, st.one_of(st.integers(0, 19), st.integers(32, 255))),
    st.just(Undefined),
    st.builds(Tag, st.integers(4, 2**64 - 1), ATOMS),
)


def _same(a: Any, b: Any) -> bool:
    """Equal, of equal types, with NaN equal to itself and zeros told apart by sign."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return (a != a and b != b) or (a == b and math.copysign(1, a) == math.copysign(1, b))
    if isinstance(a, list):
        return len(a) == len(b) and all(_same(x, y) for x, y in zip(a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_same(a[k], b[k]) for k in a)
    if isinstance(a, Tag):
        return a.number == b.number and _same(a.value, b.value)
    return bool(a == b)


@settings(max_examples=300, deadline=None)
@given(st.one_of(VALUES, STRANGE, st.lists(STRANGE, max_size=3)))
def test_what_is_encoded_decodes_to_itself(value: Any) -> None:
    data = cbor.dumps(value)
    assert _same(cbor.loads(data), value)
    assert cbor.dumps(cbor.loads(data)) == data


@settings(max_examples=300, deadline=None)
@given(VALUES)
def test_what_is_encoded_means_the_same_to_cbor2(value: Any) -> None:
    assert _same(cbor2.loads(cbor.dumps(value)), value)


@settings(max_examples=300, deadline=None)
@given(ATOMS)
def test_a_single_value_has_the_bytes_of_canonical_cbor2(value: Any) -> None:
    assert cbor.dumps(value) == cbor2.dumps(value, canonical=True)


@settings(max_examples=600, deadline=None)
@given(st.binary(max_size=60))
def test_bytes_decode_to_a_value_with_these_bytes_or_raise_the_named_error(data: bytes) -> None:
    try:
        value = cbor.loads(data)
    except CborError:
        return
    assert cbor.dumps(value) == data


@settings(max_examples=400, deadline=None)
@given(VALUES, st.data())
def test_a_changed_encoding_is_another_value_or_none(value: Any, choose: st.DataObject) -> None:
    data = bytearray(cbor.dumps(value))
    at = choose.draw(st.integers(0, len(data) - 1))
    data[at] ^= choose.draw(st.integers(1, 255))
    try:
        other = cbor.loads(bytes(data))
    except CborError:
        return
    assert cbor.dumps(other) == bytes(data)
    assert not _same(other, value)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=12), st.text(max_size=8).map(lambda text: text.encode())))
def test_our_utf8_is_that_of_cpython(data: bytes) -> None:
    try:
        data.decode()
        valid = True
    except UnicodeDecodeError:
        valid = False
    assert cbor.utf8_valid(data) is valid


def _seconds(data: bytes) -> float:
    best = 1.0
    for _ in range(3):
        start = time.perf_counter()
        try:
            cbor.loads(data)
        except CborError:
            pass
        best = min(best, time.perf_counter() - start)
    return best


def test_decoding_takes_a_time_in_proportion_to_the_input() -> None:
    for small, large in (
        (cbor.dumps([0] * 5000), cbor.dumps([0] * 40000)),
        (cbor.dumps(dict.fromkeys(range(5000))), cbor.dumps(dict.fromkeys(range(40000)))),
        (b"\x81" * 5000, b"\x81" * 40000),
        (b"\x9a\x00\x00\x13\x88" + b"\x60" * 5000, b"\x9a\x00\x00\x9c\x40" + b"\x60" * 40000),
    ):
        # eight times the input; quadratic work would take 64 times as long
        assert _seconds(large) < 30 * _seconds(small) + 0.005


@given(st.binary(max_size=300), st.lists(st.binary(max_size=80), max_size=4))
def test_a_pair_with_a_long_first_is_the_same_bytes_as_any_array_of_two(first, second):
    assert cbor.pair(first, second) == cbor.dumps([first, second])
