"""The whole of protocol/, a session and transfers both ways in a heap of 64 KiB, against a hub in another process."""

import platform

import pytest

from sim import bench_heap
from tests.kits import small_hub

pytestmark = [
    pytest.mark.skipif(platform.machine() != "x86_64", reason="board32 is made by a compiler for x86"),
    pytest.mark.timeout(900),  # the first run of a machine compiles an interpreter
]
CARRIED_BYTES_MIN = 256 * 1024  # each way


def whole(outcome: small_hub.Outcome) -> dict[str, int]:
    assert outcome.code == 0 and outcome.whole, outcome.said
    assert min(outcome.figures["down"], outcome.figures["up"]) >= CARRIED_BYTES_MIN
    return outcome.figures


def test_the_whole_protocol_docks_and_carries_a_video_each_way_in_a_heap_of_64_kib() -> None:
    figures = whole(bench_heap.on_board32(64))
    assert figures["imported"] < 64 * 1024 - 16 * 1024, "most of protocol/ is not loaded"


def test_the_same_in_a_heap_of_half_the_size_is_seen_to_fail() -> None:
    outcome = bench_heap.on_board32(32)
    assert outcome.code != 0 and "MemoryError" in outcome.said


def test_the_unix_port_docks_the_same_in_a_heap_of_144_kib_and_would_not_in_64() -> None:
    """Its words are twice as wide, and names are on its heap: what is imported alone is more than 64 KiB there."""
    figures = whole(bench_heap.on_unix(bench_heap.UNIX_KIB))
    assert bench_heap.UNIX_KIB * 1024 - figures["imported"] > 64 * 1024
