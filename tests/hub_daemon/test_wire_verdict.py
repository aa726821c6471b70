"""perch wire's verdict and diagnosis: what figures mean, in words; the estimate beside really damaged frames."""

import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub_daemon.wire_diagnosis import CHECK, NOBODY, RECEIVE, SEND, STRANGER, Silence, diagnose
from hub_daemon.wire_verdict import RATES, UNKNOWN, WORDS, amount, estimate, interval, judge, rounded_up, will_do
from protocol.frame import Reader, encode
from sim.wire_damage import Damage


def figures(**more: Any) -> dict[str, Any]:
    """Ten clean megabytes in both directions, except for what is given."""
    found = {
        "command": "check", "port": "/dev/ttyUSB7", "bytes_received": 10**7, "peer_bytes_received": 10**7,
        "frames": 5000, "peer_frames": 5000, "repaired": 0, "damaged": 0, "peer_repaired": 0, "peer_damaged": 0,
        "hangups": 0, "goodput_of_line_rate": 0.97, "idle_round_trip_ms": 1.5,
    }  # fmt: skip
    return {**found, **more}


TABLE = [
    (figures(), "good", ["clean in both directions", "no error in 20.0 MB", "better than 4e-8"], []),
    (figures(repaired=40), "good", ["bit errors only towards this end", "5.0e-07"], ["leave it", "RX here, TX"]),
    (figures(repaired=400, peer_repaired=400), "usable", ["in both directions", "about one bit in"], ["Clean"]),
    (figures(peer_repaired=2000, repaired=900), "worn", ["mostly towards the other end"], ["another cable"]),
    (figures(peer_repaired=2000), "worn", ["only towards the other end"], ["TX here, RX at the other end"]),
    (figures(frames=40000, repaired=8000, damaged=900), "bad", ["bit errors only towards this end"], ["shorter or sh"]),
    (figures(damaged=900), "worn", ["bytes are lost only towards this end", "one damaged place in 11.1 kB"],
     ["overrun, another baud or missing flow control", "half the baud rate"]),
    (figures(hangups=1, down_ms=2500), "usable", ["vanished once (2.5 s in sum): check the plug"], ["The plug:"]),
    (figures(hangups=3, peer_hangups=4), "worn", ["vanished 7 times"], ["The plug:"]),
    (figures(hangups=20), "bad", ["vanished 20 times", "clean in both directions"], ["The plug:"]),
    (figures(silences=2), "good", ["fell silent 2 times"], ["loose contact"]),
    (figures(idle_round_trip_ms=17.2), "good", [], ["17 ms", "/sys/class/tty/ttyUSB7/device/latency_timer",
                                                    "setserial /dev/ttyUSB7 low_latency"]),
    (figures(latency_timer_ms=16), "good", [], ["latency timer is 16 ms"]),
    (figures(goodput_of_line_rate=0.4), "good", [], ["40% of the line rate", "does not keep up"]),
    (figures(bytes_received=900, peer_bytes_received=900), "usable", ["too little to say more"], ["ten seconds"]),
    (figures(bytes_received=900), "good", ["clean towards the other end, no error in 10.0 MB", "too little was"], []),
    (figures(peer_bytes_received=0), "good", ["clean, no error in 10.0 MB"], []),
    ({}, UNKNOWN, ["Nothing was carried"], []),
]  # fmt: skip


@pytest.mark.parametrize("seen, word, sentences, advice", TABLE)
def test_figures_give_this_word_these_words_and_this_advice(
    seen: dict[str, Any], word: str, sentences: list[str], advice: list[str]
) -> None:
    verdict = judge(seen)
    assert verdict.word == word, verdict
    for part in sentences:
        assert part in verdict.sentence, verdict.sentence
    said = "\n".join(verdict.advice)
    for part in advice:
        assert part in said, said
    assert advice or not said, said


def test_what_a_yank_or_the_time_before_the_connection_damaged_is_no_fault_of_the_cable() -> None:
    assert judge(figures(hangups=3, damaged=6, peer_damaged=5)).sentence.startswith("The wire is worn: clean in both")
    assert judge(figures(damaged=30, damaged_before_up=30)).word == "good"
    assert judge(figures(repaired=30, damaged_before_up=30)).sentence.startswith("The wire is good: clean in both")
    assert "clean" not in judge(figures(damaged=30, repaired=300, damaged_before_up=30)).sentence


def test_a_word_is_never_worse_for_fewer_errors() -> None:
    places = [WORDS.index(judge(figures(repaired=errors)).word) for errors in range(0, 6000, 25)]
    assert places == sorted(places) and places[0] == 0 and places[-1] == 3
    assert [will_do(word) for word in (*WORDS, UNKNOWN)] == [True, True, False, False, False]


def through(rate: float, size: int, frames: int, seed: int, **damage: float) -> tuple[int, Reader]:
    """Frames of this size through a wire that does this damage: bytes that arrived, and their reader."""
    reader = Reader()
    wire = Damage(seed, rate, int(damage.get("burst_bits", 1)), damage.get("lose", 0.0), 0.0)
    content = random.Random(seed)
    carried = 0
    for _ in range(frames):
        data = wire.apply(encode(content.randbytes(size)))
        carried += len(data)
        reader.read(data)
    return carried, reader


@pytest.mark.parametrize(
    "rate, size, frames",
    [(1e-6, 4096, 1000), (1e-5, 4096, 500), (1e-4, 256, 4000), (1e-4, 1024, 1000), (1e-3, 256, 800)],
)
def test_the_estimate_finds_the_bit_error_rate_that_the_wire_really_has(rate: float, size: int, frames: int) -> None:
    carried, reader = through(rate, size, frames, 7)
    found = estimate(carried, reader.taken + reader.repaired, reader.repaired, reader.damaged)
    assert found.kind == "bits"
    # the interval is that of the count of bad frames; the bits in a damaged one are a mean: some more room for those
    assert found.low * 0.8 < rate < found.high * 1.25, found


@pytest.mark.parametrize("lose, burst_bits, rate", [(1e-4, 1, 0.0), (1e-5, 1, 0.0), (0.0, 40, 2e-6)])
def test_lost_bytes_and_bursts_are_told_from_single_bits(lose: float, burst_bits: int, rate: float) -> None:
    carried, reader = through(rate, 1024, 2000, 3, lose=lose, burst_bits=burst_bits)
    found = estimate(carried, reader.taken + reader.repaired, reader.repaired, reader.damaged)
    assert reader.damaged > 10 and found.kind == "bytes"


def test_the_interval_is_that_of_a_poisson_count() -> None:
    # exact limits of Garwood: 0.0253 to 5.57, 4.80 to 18.4, 81.4 to 121.6
    for events, low, high in ((1, 0.0253, 5.57), (10, 4.80, 18.39), (100, 81.36, 121.63)):
        found = interval(events)
        assert math.isclose(found[0], low, rel_tol=0.1, abs_tol=0.03) and math.isclose(found[1], high, rel_tol=0.02)
    assert interval(0) == (0.0, 3.0)


def test_a_bound_is_rounded_up_and_bytes_are_said_in_tens() -> None:
    assert [rounded_up(rate) for rate in (3.6e-7, 1e-7, 9.5e-7, 0.0, 2.0)] == ["4e-7", "1e-7", "1e-6", "1", "1"]
    assert [amount(size) for size in (0, 999, 1000, 2_500_000, 3 * 10**9)] == [
        "0 bytes", "999 bytes", "1.0 kB", "2.5 MB", "3.0 GB"
    ]  # fmt: skip


NAMES = [
    "bytes_received", "frames", "repaired", "damaged", "damaged_before_up", "hangups", "silences", "down_ms",
    "peer_bytes_received", "peer_frames", "peer_repaired", "peer_damaged", "peer_damaged_before_up", "peer_hangups",
    "idle_round_trip_ms", "latency_timer_ms", "goodput_of_line_rate", "port", "command",
]  # fmt: skip
NUMBERS = st.one_of(
    st.integers(0, 100), st.integers(0, 1 << 40), st.integers(), st.floats(), st.none(), st.booleans(),
    st.text(max_size=5),
)


@given(st.dictionaries(st.sampled_from(NAMES), NUMBERS))
def test_the_verdict_never_raises_whatever_the_counters_are(seen: dict[str, Any]) -> None:
    verdict = judge(seen)
    assert verdict.word in (*WORDS, UNKNOWN) and verdict.sentence.endswith(".")
    for one in (verdict.here, verdict.there):
        assert one is None or (0 <= one.rate <= 1 and 0 <= one.low <= one.high <= 1)


@given(st.integers(1, 1 << 40), st.integers(0, 1 << 30), st.integers(0, 1 << 30), st.integers(0, 1 << 30))
def test_an_estimate_lies_in_its_interval(carried: int, frames: int, repaired: int, damaged: int) -> None:
    found = estimate(carried, frames + repaired, repaired, damaged)
    assert 0 <= found.low <= found.rate <= found.high <= 1
    assert (found.kind == "none") == (repaired + damaged == 0)
    assert 0 <= found.place <= len(RATES)


def silence(**more: Any) -> Silence:
    found = {
        "ms": 6000, "port_open": True, "bytes": 0, "frames": 0, "own_hellos": 0, "other_hellos": 0, "hears_us": False,
        "role": SEND, "peer_role": NOBODY,
    }  # fmt: skip
    return Silence(**{**found, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "heard, words, final",
    [
        (silence(), "not one byte arrived in 6 s: the other end is not started", False),
        (silence(bytes=5), "only 5 bytes arrived", False),
        (silence(bytes=4000), "but no frame: probably another baud rate at the other end, or noise", False),
        (silence(bytes=400, frames=9, own_hellos=9), "loop-back plug", True),
        (silence(bytes=400, frames=9, other_hellos=9, peer_role=RECEIVE), "does not hear us", False),
        (silence(bytes=400, frames=9, other_hellos=9, peer_role=RECEIVE, hears_us=True), "very bad, or loose", False),
        (silence(bytes=400, frames=9, other_hellos=9, peer_role=SEND), "the other end sends as well", True),
        (silence(frames=9, other_hellos=9, peer_role=RECEIVE, role=RECEIVE), "waits to receive as well", True),
        (silence(frames=9, other_hellos=9, peer_role=CHECK), "runs `perch wire check`", True),
        (silence(frames=9, other_hellos=9, peer_role=SEND, role=CHECK), "runs `perch wire send`", True),
        (silence(bytes=400, frames=9, other_hellos=9, peer_role=STRANGER), "a device or a running hub", True),
        (silence(port_open=False), "the port is gone", False),
    ],
)
def test_what_is_heard_without_a_connection_is_said_in_words(heard: Silence, words: str, final: bool) -> None:
    found = diagnose(heard)
    assert found is not None and words in found.words and found.final == final


def test_nothing_is_said_too_early_and_no_check_between_fitting_ends_is_ended() -> None:
    assert diagnose(silence(ms=4000)) is None
    assert diagnose(silence(ms=500, own_hellos=2, frames=2, bytes=100)) is None
    for role, other in ((SEND, RECEIVE), (RECEIVE, CHECK), (CHECK, CHECK)):
        for hears_us in (False, True):
            heard = silence(role=role, peer_role=other, other_hellos=3, frames=3, hears_us=hears_us, ms=60_000)
            found = diagnose(heard)
            assert found is not None and not found.final


@given(
    st.builds(
        Silence, ms=st.integers(0, 10**9), port_open=st.booleans(), bytes=st.integers(0, 10**12),
        frames=st.integers(0, 10**9), own_hellos=st.integers(0, 5), other_hellos=st.integers(0, 5),
        hears_us=st.booleans(), role=st.sampled_from([RECEIVE, CHECK, SEND]),
        peer_role=st.sampled_from([NOBODY, STRANGER, RECEIVE, CHECK, SEND]),
    )
)  # fmt: skip
def test_there_are_words_for_every_silence_in_the_end(heard: Silence) -> None:
    found = diagnose(heard, after_ms=0)
    assert found is not None and found.words.endswith(".")
