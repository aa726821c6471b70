"""One direction of the simulated wire in virtual time: the clock, the FIFO, the damage and the cuts, all exact."""

import random
from collections.abc import Callable

import pytest

from sim.wire_damage import Damage
from sim.wire_line import FIFO_BYTES, Line

BAUD = 1_000_000  # 10 microseconds a byte


def clean() -> Damage:
    return Damage(1, 0, 1, 0, 0)


def line(latency_s: float = 0.0, damage: Damage | None = None, baud: int = BAUD) -> Line:
    return Line(baud, latency_s, damage or clean())


def look(one: Line, source: bytearray, now: float) -> bytes:
    """What a relay does at one look: move what is due, fill the FIFO, and take what arrived."""
    got = bytearray()

    def take() -> None:
        while one.arrived and one.arrived[0][0] <= now:
            got.extend(one.arrived.popleft()[1])

    one.advance(now)
    take()
    while True:
        data = bytes(source[: one.room()])
        del source[: len(data)]
        if data:
            one.put(data, now)
        if not source:
            one.seen_dry()
        if not data:
            return bytes(got)
        one.advance(now)
        take()


@pytest.mark.parametrize("step_s", [0.0003, 0.001, 0.0071, 0.05])
def test_the_clock_neither_drifts_nor_runs_ahead_whatever_the_steps(step_s: float) -> None:
    one, source, now, count = line(), bytearray(100_000), 0.0, 0
    look(one, source, now)
    while count < 100_000:
        now += step_s
        count += len(look(one, source, now))
        assert min(100_000, now / 1e-5) - 1.01 <= count <= now / 1e-5 + 0.01


def test_a_pause_of_the_sender_is_not_made_up_for() -> None:
    one = line()
    assert look(one, bytearray(100), 0.0) == b""
    assert len(look(one, bytearray(), 0.5)) == 100
    look(one, bytearray(2000), 1.0)
    assert 499 <= len(look(one, bytearray(), 1.005)) <= 500


def test_the_fifo_holds_what_a_uart_driver_holds() -> None:
    one = line()
    source = bytearray(10_000)
    look(one, source, 0.0)
    assert len(source) == 10_000 - FIFO_BYTES and one.room() == 0
    look(one, source, 0.01)
    assert 999 <= 10_000 - FIFO_BYTES - len(source) <= 1000


def test_without_a_throttle_all_goes_at_once() -> None:
    one = line(baud=0)
    assert len(look(one, bytearray(50_000), 0.0)) == 50_000


def test_latency_delays_every_byte_and_slows_none() -> None:
    one, source = line(latency_s=0.05), bytearray(2000)
    look(one, source, 0.0)
    got = 0
    for tick in range(1, 80):
        now = tick / 1000
        got += len(look(one, source, now))
        ideal = max(0, (tick - 50) * 100)
        assert min(2000, ideal - 101) <= got <= ideal + 1  # what is due at this very look may wait for the next one
    assert got == 2000


def test_a_receiver_that_is_full_stops_the_clock() -> None:
    one, source = line(), bytearray(4000)
    look(one, source, 0.0)
    one.held_up = True
    for tick in range(1, 100):
        one.advance(tick / 1000)
    one.held_up = False
    assert one.offered == 0
    assert 99 <= len(look(one, source, 0.1)) <= 100


def test_cuts_are_exact_to_the_byte_however_many_there_are() -> None:
    data = random.Random(1).randbytes(20_000)
    places = sorted(random.Random(2).sample(range(1, 20_000), 150))
    one, source, now = line(), bytearray(data), 0.0
    seen: list[tuple[int, int]] = []

    def pull(at: int) -> Callable[[], None]:
        def happen() -> None:
            seen.append((at, one.crossed))
            one.up = False

        return happen

    for at in reversed(places):
        one.cut_after(at, pull(at))
    got = bytearray()
    lost = 0
    while one.offered < 20_000:
        now += 0.0007
        before = one.offered
        got += look(one, source, now)
        if not one.up:
            lost = one.discarded
            one.up = True
        assert one.offered >= before
    assert [at for at, _ in seen] == [crossed for _, crossed in seen] == places[: len(seen)] and len(seen) > 20
    assert one.offered == 20_000 == one.crossed + one.discarded and lost == one.discarded
    assert len(got) == one.crossed


def test_what_is_sent_while_the_wire_is_cut_is_discarded_and_the_rest_is_whole() -> None:
    one = line()
    one.cut_after(7, lambda: setattr(one, "up", False))
    look(one, bytearray(b"0123456789abcdef"), 0.0)
    assert look(one, bytearray(), 0.00012) == b"0123456"
    assert one.offered in (11, 12)
    one.up = True
    rest = look(one, bytearray(), 1.0)
    assert rest == b"0123456789abcdef"[7 + one.discarded :] and one.crossed == 16 - one.discarded


def test_a_hang_up_of_the_sender_takes_its_fifo_and_not_what_is_on_the_wire() -> None:
    one = line(latency_s=0.01)
    one.cut_after(100, one.lose_unsent)
    look(one, bytearray(1000), 0.0)
    look(one, bytearray(), 0.005)
    assert one.destroyed == 900 and one.offered == 100
    assert len(look(one, bytearray(), 0.1)) == 100


def test_a_hang_up_of_the_receiver_takes_what_has_not_arrived() -> None:
    one = line(latency_s=0.01)
    look(one, bytearray(1000), 0.0)
    look(one, bytearray(), 0.005)
    one.there = False
    one.lose_arrived()
    assert 499 <= one.stranded == one.crossed <= 500
    look(one, bytearray(), 0.1)
    assert one.stranded + one.discarded == one.offered == 1000


# damage


DAMAGES = {
    "flips": (1e-3, 1, 0.0, 0.0),
    "bursts": (1e-4, 8, 0.0, 0.0),
    "losses": (0.0, 1, 1e-3, 0.0),
    "insertions": (0.0, 1, 0.0, 1e-3),
    "all": (1e-3, 8, 1e-3, 1e-3),
}


@pytest.mark.parametrize("settings", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("seed", [1, 2])
def test_damage_is_the_same_whatever_the_chunks(settings: tuple[float, int, float, float], seed: int) -> None:
    data = random.Random(3).randbytes(60_000)
    whole = Damage(seed, *settings)
    expected = whole.apply(data)
    assert expected != data
    for pieces in (1, 7, 300):
        damage = Damage(seed, *settings)
        got = b"".join(damage.apply(data[at : at + pieces]) for at in range(0, len(data), pieces))
        assert got == expected
        assert (damage.flipped, damage.lost, damage.inserted) == (whole.flipped, whole.lost, whole.inserted)
    assert Damage(seed + 10, *settings).apply(data) != expected


@pytest.mark.parametrize("ber", [1e-4, 1e-3])
def test_flips_are_counted_and_as_frequent_as_asked(ber: float) -> None:
    damage = Damage(5, ber, 1, 0, 0)
    got = damage.apply(bytes(1_000_000))
    assert damage.flipped == int.from_bytes(got, "big").bit_count()
    assert damage.flipped == pytest.approx(8e6 * ber, rel=0.2)


def test_bursts_are_as_frequent_and_as_long_as_asked() -> None:
    damage = Damage(5, 1e-5, 16, 0, 0)
    got = damage.apply(bytes(8_000_000))
    places = [8 * at + bit for at, byte in enumerate(got) if byte for bit in range(8) if byte >> bit & 1]
    # independent flips at this rate would lie 100,000 bits apart: what is near belongs to one burst
    starts = [one for before, one in zip([-9999, *places], places) if one - before > 200]
    assert len(starts) == pytest.approx(640, rel=0.2)
    assert len(places) / len(starts) == pytest.approx(8, rel=0.2)
    ends = [before for before, one in zip(places, [*places[1:], 1 << 62]) if one - before > 200]
    spans = [end - start + 1 for start, end in zip(starts, ends)]
    assert sum(spans) / len(spans) == pytest.approx(15, rel=0.2)


def test_lost_and_inserted_bytes_are_counted_and_the_rest_is_in_order() -> None:
    data = bytes(range(1, 251)) * 400
    damage = Damage(9, 0, 1, 1e-3, 0)
    got = damage.apply(data)
    assert len(got) == len(data) - damage.lost and damage.lost == pytest.approx(100, rel=0.5)
    rest = iter(data)
    assert all(byte in rest for byte in got)  # a subsequence
    damage = Damage(9, 0, 1, 0, 1e-3)
    got = damage.apply(data)
    assert len(got) == len(data) + damage.inserted and damage.inserted == pytest.approx(100, rel=0.5)
    rest = iter(got)
    assert all(byte in rest for byte in data)
