"""protocol/ with link and session carries 256 KiB inside a MicroPython heap of 128 KiB, both ends in it."""

from sim import bench_heap


def test_256_kib_through_link_and_session_in_a_heap_of_128_kib() -> None:
    row = bench_heap.transfer(128)
    assert row["holds"], row
    assert row["result"].startswith("carried 262144 bytes"), row


def test_the_same_in_a_heap_that_is_too_small_is_seen_to_fail() -> None:
    assert not bench_heap.transfer(64)["holds"]
