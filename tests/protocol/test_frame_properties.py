"""Frames under hypothesis: any payloads, any noise between them, any cuts of the stream."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import frame
from tests.protocol.both.test_no_deaf_state import every_prefix_is_survived

payloads = st.binary(max_size=700) | st.lists(
    st.sampled_from([b"\0", b"\x01", b"\xff", bytes(254), b"\x05" * 254]), max_size=5
).map(b"".join)
noise = st.binary(max_size=60) | st.lists(st.sampled_from([0, 1, 2, 0x80, 0xFF]), max_size=60).map(bytes)


@given(st.lists(payloads, max_size=6), st.lists(st.integers(1, 400), max_size=40))
def test_any_payloads_survive_any_cuts(sent: list[bytes], cuts: list[int]) -> None:
    wire = b"".join(frame.encode(payload) for payload in sent)
    reader = frame.Reader()
    got = []
    for cut in cuts:
        got += reader.feed(wire[:cut])
        wire = wire[cut:]
    got += reader.feed(wire)
    assert got == sent
    assert reader.damaged == 0


def test_after_every_prefix_of_five_bytes_or_three_breaths_the_first_clean_frame_is_taken() -> None:
    """The bounded model of tests/protocol/both/test_no_deaf_state.py, deeper than a board would run it."""
    assert every_prefix_is_survived(5, 3, 3) > 40_000


@pytest.mark.soak
def test_after_every_prefix_of_seven_bytes_or_four_breaths_the_first_clean_frame_is_taken() -> None:
    assert every_prefix_is_survived(7, 4, 4) > 2_000_000


real = st.lists(payloads, max_size=4).map(lambda sent: b"".join(frame.encode(payload) for payload in sent))
anything = st.lists(noise | real | st.builds(lambda byte, n: bytes([byte]) * n, st.integers(0, 255),
                                             st.integers(0, 20_000)), max_size=8).map(b"".join)  # fmt: skip


@settings(deadline=None)
@given(anything, payloads, st.lists(st.integers(1, 5000), max_size=20), st.sampled_from([16, 1300, 8192]))
def test_after_any_noise_in_any_pieces_and_one_zero_the_first_clean_frame_is_taken(
    prefix: bytes, payload: bytes, cuts: list[int], most: int
) -> None:
    payload = payload[:most]
    wire = prefix + b"\0" + frame.encode(payload)[1:]
    for repair in (False, True):
        whole, pieces = frame.Reader(most), frame.Reader(most)
        taken = whole.read(wire, repair)
        assert taken[-1] == (payload, False)
        again = []
        at = 0
        for cut in cuts:
            again += pieces.read(wire[at : at + cut], repair)
            at += cut
        assert again + pieces.read(wire[at:], repair) == taken


@given(st.lists(noise, max_size=20))
def test_noise_never_raises_and_its_cost_is_bounded(parts: list[bytes]) -> None:
    reader = frame.Reader(100)
    for part in parts:
        assert len(reader.read(part)) <= len(part)
    assert reader._fill <= frame.encoded_bytes_max(100)
    assert len(reader._bad) <= frame.encoded_bytes_max(100)


@given(payloads, st.data())
def test_one_flip_anywhere_is_repaired_or_the_frame_is_clean(payload: bytes, data: st.DataObject) -> None:
    wire = bytearray(frame.encode(payload))
    bit = data.draw(st.integers(8, 8 * len(wire) - 9))
    wire[bit >> 3] ^= 1 << (bit & 7)
    assert frame.Reader().read(bytes(wire)) == [(payload, True)]


@settings(max_examples=300)
@given(st.binary(min_size=20, max_size=300), st.data())
def test_a_few_flips_never_give_a_clean_frame_of_other_content(payload: bytes, data: st.DataObject) -> None:
    wire = bytearray(frame.encode(payload))
    bits = data.draw(st.lists(st.integers(8, 8 * len(wire) - 9), min_size=2, max_size=3, unique=True))
    for bit in bits:
        wire[bit >> 3] ^= 1 << (bit & 7)
    for got, repaired in frame.Reader().read(bytes(wire)):
        # CRC-32's distance is 4: three flips can look like another frame with one flip, never like a clean one
        assert repaired or got == payload
