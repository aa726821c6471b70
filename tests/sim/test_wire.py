"""The pty wire keeps its own promises: the rate, the damage, cuts exact to the byte, hang-ups under one path."""

import os
import random
import select
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from sim.wire import PtyWire
from sim.wire_damage import Damage
from sim.wire_line import FIFO_BYTES

KERNEL_BYTES_MAX = 32768  # what a Linux pty holds each way is less; docs/wire.md has the figures


def read_until(fd: int, size: int, quiet_s: float = 0.4) -> bytes:
    got = bytearray()
    while len(got) < size and select.select([fd], [], [], quiet_s)[0]:
        got += os.read(fd, 65536)
    return bytes(got)


def write_all(fd: int, data: bytes, chunk: int = 4096) -> None:
    while data:
        select.select([], [fd], [])
        with suppress(BlockingIOError):
            data = data[os.write(fd, data[:chunk]) :]


def write_until_gone(fd: int, data: bytes) -> int:
    """How many bytes the tty took before it hung up."""
    written = 0
    with suppress(OSError):
        while written < len(data):
            select.select([], [fd], [])
            written += os.write(fd, data[written : written + 4096])
    return written


def write_until_full(fd: int) -> int:
    """How many bytes the tty takes, until it and all behind it is full for a while."""
    written = 0
    while select.select([], [fd], [], 0.2)[1]:
        with suppress(BlockingIOError):
            written += os.write(fd, bytes(4096))
        if written > 200_000:
            raise AssertionError("the wire does not hold its sender back")
    return written


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def carry(wire: PtyWire, data: bytes, a: int, b: int, chunk: int = 4096) -> tuple[bytes, float]:
    start = time.monotonic()
    writer = threading.Thread(target=write_all, args=(a, data, chunk))
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


def test_the_damage_is_that_of_its_seed_and_the_same_in_other_chunks() -> None:
    data = random.Random(1).randbytes(60_000)
    settings = {"ber": 1e-4, "burst_bits": 4, "lose": 1e-3, "insert": 5e-4}
    for process, chunk in ((False, 4096), (True, 700)):
        with PtyWire(3_000_000, seed=7, process=process, **settings) as wire:  # type: ignore[arg-type]
            got, _ = carry(wire, data, wire.a_fd, wire.b_fd, chunk)
            back, _ = carry(wire, data, wire.b_fd, wire.a_fd, chunk)
            counters = wire.counters()
        for name, arrived, seed in (("ab", got, 7), ("ba", back, 1_000_010)):
            damage = Damage(seed, 1e-4, 4, 1e-3, 5e-4)
            assert arrived == damage.apply(data) and damage.flipped and damage.lost and damage.inserted
            counts = (damage.flipped, damage.lost, damage.inserted)
            assert counts == tuple(counters[name][what] for what in ("flipped", "lost", "inserted"))
            assert counters[name]["passed"] == len(arrived)


def test_a_receiver_that_is_full_waits_or_overruns_as_asked() -> None:
    data = random.Random(2).randbytes(120_000)
    for drop in (False, True):
        with PtyWire(0, drop=drop) as wire:
            a, b = wire.a_fd, wire.b_fd
            writer = threading.Thread(target=write_all, args=(a, data))
            writer.start()
            wait_for(lambda: drop is False or wire.counters()["ab"]["offered"] == len(data))  # noqa: B023
            got = read_until(b, len(data))
            writer.join()
            counters = wire.counters()["ab"]
        assert counters["passed"] == len(got) == len(data) - counters["overrun"]
        assert (counters["overrun"] > 0) is drop
        assert drop or got == data


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


@pytest.mark.parametrize(("direction", "side"), [("ab", "a"), ("ab", "b"), ("ba", "a"), ("ba", "b")])
def test_a_hang_up_is_exact_to_the_byte_in_both_directions_and_of_both_sides(direction: str, side: str) -> None:
    data = random.Random(3).randbytes(20_000)
    with PtyWire(3_000_000) as wire:
        wire.cut(direction, 7001, "hangup", 3600, side)
        ends = {"a": wire.a_fd, "b": wire.b_fd}
        source, target = ends[direction[0]], ends[direction[1]]
        written = write_until_gone(source, data)
        if side == direction[0]:
            assert read_until(target, 7001, 20) == data[:7001] and read_until(target, 1) == b""
        else:
            wait_for(lambda: wire.counters()[direction]["offered"] == written == len(data))
        counters = wire.counters()[direction]
        assert not Path(wire.a_path if side == "a" else wire.b_path).exists()
    assert counters["crossed"] == 7001 and written == counters["offered"] + counters["destroyed"]
    if side == direction[0]:
        assert counters["passed"] == 7001 and counters["discarded"] == 0
    else:
        assert counters["unread"] == counters["passed"] == 7001 - counters["stranded"]
        assert counters["discarded"] == len(data) - 7001
        assert counters["destroyed"] == 0


def test_a_hang_up_destroys_no_more_than_the_fifo_and_the_kernels_queue() -> None:
    with PtyWire(115_200) as wire:
        a = wire.a_fd
        written = write_until_full(a)
        wire.hangup("a", 3600)
        counters = wire.counters()["ab"]
        assert written == counters["offered"] + counters["destroyed"]
        assert counters["destroyed"] <= written <= FIFO_BYTES + KERNEL_BYTES_MAX + counters["offered"]


def test_many_cuts_come_each_at_its_byte_and_the_time_down_is_counted() -> None:
    data = random.Random(4).randbytes(40_000)
    with PtyWire(3_000_000, process=True) as wire:
        a, b = wire.a_fd, wire.b_fd
        for at in range(4, 0, -1):
            wire.cut("ab", 1000 * at, "lift", 0.01)
        got, _ = carry(wire, data, a, b)
        wait_for(lambda: wire.downs()[0] == 4)
        count, seconds = wire.downs()
        counters = wire.counters()["ab"]
    assert count == 4 and seconds >= 0.04
    assert len(got) == counters["crossed"] == 40_000 - counters["discarded"] and counters["discarded"] > 0
    for at in range(4):
        piece = got[1000 * at : 1000 * at + 1000]
        assert piece in data  # 1000 bytes without a hole between two cuts
        assert at == 0 or data.find(got[1000 * at - 4 : 1000 * at + 4]) < 0  # and a hole at each of them


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
