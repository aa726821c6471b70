"""The pty wire keeps its own promises: the rate, the damage, cuts exact to the byte, hang-ups under one path."""

import os
import select
import threading
import time
from pathlib import Path

import pytest

from sim.wire import PtyWire


def read_until(fd: int, size: int, quiet_s: float = 0.4) -> bytes:
    got = bytearray()
    while len(got) < size and select.select([fd], [], [], quiet_s)[0]:
        got += os.read(fd, 65536)
    return bytes(got)


def write_all(fd: int, data: bytes) -> None:
    while data:
        select.select([], [fd], [])
        data = data[os.write(fd, data[:4096]) :]


def carry(wire: PtyWire, data: bytes, a: int, b: int) -> tuple[bytes, float]:
    start = time.monotonic()
    writer = threading.Thread(target=write_all, args=(a, data))
    writer.start()
    got = read_until(b, len(data))
    seconds = time.monotonic() - start
    writer.join()
    return got, seconds


@pytest.mark.parametrize("process", [False, True])
def test_bytes_arrive_unchanged_and_not_faster_than_the_line(process: bool) -> None:
    data = os.urandom(60_000)
    with PtyWire(921_600, process=process) as wire:
        got, seconds = carry(wire, data, wire.a_fd, wire.b_fd)
        assert got == data
        assert seconds >= 60_000 * 10 / 921_600 * 0.999
        back, _ = carry(wire, data[:5000], wire.b_fd, wire.a_fd)
        assert back == data[:5000]


def test_flips_come_at_the_asked_rate_and_are_the_same_for_the_same_seed() -> None:
    data = bytes(100_000)
    results = []
    for pieces in (4096, 100):
        with PtyWire(0, ber=1e-4, seed=7) as wire:
            a, b = wire.a_fd, wire.b_fd
            got = bytearray()
            for at in range(0, len(data), pieces):
                write_all(a, data[at : at + pieces])
                got += read_until(b, pieces)
            assert wire.counters()["ab"]["flipped"] == sum(byte.bit_count() for byte in got)
            results.append(bytes(got))
    assert results[0] == results[1]
    assert 40 <= sum(byte.bit_count() for byte in results[0]) <= 130


def test_bytes_are_lost_and_inserted_at_the_asked_rates() -> None:
    with PtyWire(0, lose=1e-3, insert=5e-4, seed=3) as wire:
        got, _ = carry(wire, bytes(60_000), wire.a_fd, wire.b_fd)
        counters = wire.counters()["ab"]
    assert 25 <= counters["lost"] <= 110 and 8 <= counters["inserted"] <= 70
    assert len(got) == 60_000 - counters["lost"] + counters["inserted"]


def test_a_cut_is_exact_to_the_byte_and_loses_what_is_sent_meanwhile() -> None:
    data = os.urandom(20_000)
    with PtyWire(3_000_000) as wire:
        wire.cut("ab", 7001, seconds=30)
        got, _ = carry(wire, data, wire.a_fd, wire.b_fd)
        assert got == data[:7001]
        assert wire.counters()["ab"]["discarded"] == 20_000 - 7001
        wire.seat()
        after, _ = carry(wire, b"after", wire.a_fd, wire.b_fd)
        assert after == b"after"


def test_a_break_in_one_direction_leaves_the_other_one() -> None:
    with PtyWire() as wire:
        a, b = wire.a_fd, wire.b_fd
        wire.lift("ab")
        assert carry(wire, b"there", a, b)[0] == b""
        assert carry(wire, b"back", b, a)[0] == b"back"


def test_a_hang_up_ends_the_tty_and_it_comes_back_under_the_same_path() -> None:
    with PtyWire() as wire:
        a, b = wire.a_fd, wire.b_fd
        name = os.readlink(wire.b_path)
        wire.hangup("b", 0.1)
        assert not Path(wire.b_path).exists()
        with pytest.raises(OSError):
            while True:
                if os.read(b, 100) == b"":
                    raise OSError("end of file")
        deadline = time.monotonic() + 3
        while not Path(wire.b_path).exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert name and carry(wire, b"again", a, wire.b_fd)[0] == b"again"


def test_latency_delays_and_does_not_slow_down() -> None:
    with PtyWire(3_000_000, latency_s=0.05) as wire:
        got, seconds = carry(wire, bytes(30_000), wire.a_fd, wire.b_fd)
        assert len(got) == 30_000 and seconds >= 0.05 + 0.1
