"""Frames under hypothesis: any payloads, any noise between them, any cuts of the stream."""

from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import frame

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


@given(st.lists(noise, max_size=8), payloads)
def test_after_any_noise_and_one_zero_the_first_clean_frame_is_taken(prefix: list[bytes], payload: bytes) -> None:
    for repair in (False, True):
        reader = frame.Reader(1300)  # the longest payload here has 1270 bytes
        for part in prefix:
            reader.read(part, repair)
        got = reader.read(b"\0" + frame.encode(payload)[1:], repair)
        assert got[-1] == (payload, False)


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
