"""What a hostile peer costs a link: instructions, bytes looked at and bytes held, for each kind of flood.

The link under test is at its worst: up, with as many of the shortest frames in flight as there may be, because the
peer asked for short ones.
"""

from collections.abc import Callable

import pytest

from protocol import frame
from protocol.limits import (
    LINK_DEAD_MS,
    LINK_FLIGHT_FRAMES_MAX,
    LINK_REFUSALS_MAX,
    LINK_STALL_MS,
    LINK_WINDOW_BYTES,
    LINK_WINDOW_BYTES_MAX,
)
from protocol.link import Link, packets
from protocol.link.ring import Ring
from tests.kits.cost import peak, steps

NAME = b"thepeer\0\0\1"
SHORTEST = 64  # the shortest frames that a peer may ask for
FLOOD_BYTES = 3000


def hello(up: bool, peer: bytes, name: bytes = NAME) -> bytes:
    return frame.encode(packets.Hello(name, peer, up, LINK_WINDOW_BYTES_MAX, SHORTEST).encode())


def up_with_a_peer_that_wants_short_frames() -> Link:
    link = Link(b"ourlink!")
    link.receive(hello(False, packets.NOBODY), 0)
    ours = packets.parse_hello(frame.Reader().feed(link.to_send(0))[0])
    link.receive(hello(True, ours.name), 0)
    assert link.up and link.next_event() == ("up",)
    return link


def busy() -> Link:
    """... and everything that can be in flight is."""
    link = up_with_a_peer_that_wants_short_frames()
    link.write(bytes(LINK_WINDOW_BYTES))
    while len(link.to_send(0)) > SHORTEST:
        pass
    return link


def noted(bits: tuple[int, ...], index: int) -> bytes:
    """A damaged DATA frame that looks like the next one."""
    wire = bytearray(frame.encode(packets.data_frame(600 * index, index, b"x" * 300, False)))
    for bit in bits:
        wire[bit >> 3] ^= 1 << (bit & 7)
    return bytes(wire)


DIGITS = "{:010d}".format
RANGES = [(10 + 2 * index, 11 + 2 * index) for index in range(64)]

# a flood: the frames of it, and the instructions a byte that it may cost
FLOODS: dict[str, tuple[Callable[[int], bytes], int]] = {
    "PINGs": (lambda n: frame.encode(packets.ping_frame(n)), 60),
    "bytes one by one, each behind a hole": (
        lambda n: frame.encode(packets.data_frame(2 * n + 1, n, b"x", False)), 160),
    "bytes that are here": (lambda n: frame.encode(packets.data_frame(0, n, b"x", False)), 60),
    "DATA beyond the credit": (lambda n: frame.encode(packets.data_frame(1 << 23, n, b"x", False)), 80),
    "ACKs that say nothing new": (lambda n: frame.encode(packets.ack_frame(0, 0, 0, 1 << 22, [])), 90),
    "ACKs of the future": (lambda n: frame.encode(packets.ack_frame(1 << 23, 0, 0, 1 << 22, [])), 80),
    "ACKs that take back what they acked": (lambda n: frame.encode(packets.ack_frame(n % 2, n, 0, 0, [])), 90),
    "ACKs of holes": (lambda n: frame.encode(packets.ack_frame(0, 2 * n, 0, 0, RANGES)), 110),
    "CLAIMs of nothing that is in flight": (lambda n: frame.encode(packets.claim_frame(1, 64, [0])), 270),
    "CLAIMs of every frame in flight": (lambda n: frame.encode(packets.claim_frame(64 * n, 64, [0x758D])), 270),
    "CLAIMs of more than a frame": (lambda n: frame.encode(packets.claim_frame(0, 65535, [0] * 1024)), 60),
    "REFERs to what is not here": (
        lambda n: frame.encode(packets.refer_frame(0, n, [(64 * i, 64 * i + 64, 7) for i in range(64)])), 70),
    "REFERs to the same again and again": (
        lambda n: frame.encode(packets.refer_frame(0, n, [(0, 4096, 7)] * 500)), 70),
    "HELLOs of ever new peers": (lambda n: hello(False, packets.NOBODY, DIGITS(n).encode()), 60),
    "damaged DATA": (lambda n: noted((900, 1700), n), 40),
    "kinds that there are not": (lambda n: frame.encode(b"\x09"), 70),
    "frames of nothing": (lambda n: frame.encode(b""), 60),
}  # fmt: skip


def wire_of(make: Callable[[int], bytes], size: int) -> bytes:
    out = bytearray()
    number = 0
    while len(out) < size:
        out += make(number)
        number += 1
    return bytes(out)


def flood(link: Link, wire: bytes, now: int = 1) -> None:
    for at in range(0, len(wire), 4096):
        link.receive(wire[at : at + 4096], now)


@pytest.mark.parametrize("name", FLOODS)
def test_what_a_flood_costs_a_byte(name: str) -> None:
    make, most = FLOODS[name]
    for size in (FLOOD_BYTES, 2 * FLOOD_BYTES, 4 * FLOOD_BYTES):
        link, wire = busy(), wire_of(make, size)
        cost = steps(lambda link=link, wire=wire: flood(link, wire)) / len(wire)  # type: ignore[misc]
        # one ACK may land everything that is in flight: once, however long the flood is
        assert cost <= most + 40 * LINK_FLIGHT_FRAMES_MAX / len(wire), (size, cost)


@pytest.mark.parametrize("name", [name for name in FLOODS if "CLAIM" in name or "REFER" in name])
def test_what_is_read_again_to_be_checked_is_little_for_each_byte_of_the_question(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = []
    crc = Ring.crc

    def counting(self: Ring, offset: int, size: int) -> int:
        checked.append(size)
        return crc(self, offset, size)

    monkeypatch.setattr(Ring, "crc", counting)
    link, wire = busy(), wire_of(FLOODS[name][0], 4 * FLOOD_BYTES)
    flood(link, wire)
    assert sum(checked) <= 200 * len(wire)


@pytest.mark.parametrize("name", FLOODS)
def test_no_flood_makes_a_link_hold_more_and_it_ends_in_a_name_or_goes_on(name: str) -> None:
    link = busy()
    wire = wire_of(FLOODS[name][0], 12_000)
    now = 1

    def second() -> None:
        nonlocal now
        for at in range(0, len(wire), 4096):
            now += 10
            link.receive(wire[at : at + 4096], now)
            assert len(link.to_send(now)) < 3 * 8192

    peak(second)
    # its rings are there from the start: what comes on top is a burst to send, and what waits to be heard
    held = [peak(second) for _ in range(4)]
    assert max(held) < 3 * LINK_WINDOW_BYTES and held[-1] <= max(held[:2]) + 4096
    names = {event[0] for event in drained(link)}
    assert names <= {"up", "down", "data"}
    refused = link.counters["refused"]
    assert link.up or "down" in names or refused > 0


def drained(link: Link) -> list[tuple[str, object]]:
    events = []
    while (event := link.next_event()) is not None:
        events.append((event[0], event[-1]))
    return events


def reason_of(link: Link) -> object:
    return next((what for name, what in drained(link) if name == "down"), None)


def test_floods_of_what_no_honest_peer_says_end_by_name() -> None:
    for name in ("DATA beyond the credit", "ACKs of the future", "kinds that there are not", "frames of nothing"):
        link = busy()
        flood(link, wire_of(FLOODS[name][0], 40 * LINK_REFUSALS_MAX))
        assert link.counters["refused"] >= LINK_REFUSALS_MAX
        assert reason_of(link) == "peer breaks the protocol", name


def test_a_flood_of_hellos_ends_the_connection_by_name_and_then_holds_no_more() -> None:
    link = busy()
    flood(link, wire_of(FLOODS["HELLOs of ever new peers"][0], 40_000))
    assert not link.up and reason_of(link) == "peer restarted"


def test_hellos_that_are_answered_and_forgotten_again_are_refused_once_nobody_hears_of_them() -> None:
    """A peer that comes up, restarts, comes up: each is two events; who does not take them holds few."""
    link = Link(b"ourlink!")
    name = 0
    for now in range(0, 3000):
        name += 1
        link.receive(hello(False, packets.NOBODY, DIGITS(name).encode()), now)
        said = frame.Reader().feed(link.to_send(now))
        ours = [packets.parse_hello(each).name for each in said if each[0] == packets.HELLO]
        if ours:
            link.receive(hello(True, ours[0], DIGITS(name).encode()), now)
            link.receive(frame.encode(packets.data_frame(0, 0, bytes(1000), False)), now)
    assert len(drained(link)) <= 8 * LINK_REFUSALS_MAX
    assert link.counters["refused"] > 0


SOME = bytes(8192)
TAKES_NOTHING = {
    "says nothing": ("silent", LINK_DEAD_MS),
    "keeps alive and acks nothing": ("peer does not ack", LINK_STALL_MS),
    "gives no credit and answers no PING": ("peer does not ack", LINK_STALL_MS),
    "gives no credit and answers every PING": (None, LINK_STALL_MS + 3000),
}


@pytest.mark.parametrize("answers", TAKES_NOTHING)
def test_a_peer_that_takes_nothing_costs_one_window_and_is_named_or_seen(answers: str) -> None:
    reason, after_ms = TAKES_NOTHING[answers]
    link = up_with_a_peer_that_wants_short_frames()
    reader = frame.Reader()
    now = 0
    written = 0
    newest = -1

    def live(until_ms: int) -> None:
        nonlocal now, written, newest
        while now < until_ms and link.up:
            now += 50
            written += link.write(SOME)
            for payload in reader.feed(link.to_send(now)):
                if payload[0] == packets.PING:
                    newest = packets.parse_ping(payload)
            if answers == "says nothing":
                link.tick(now)
                continue
            acked = newest if answers.endswith("every PING") else -1
            credit = 1 << 20 if answers.endswith("acks nothing") else 0
            link.receive(frame.encode(packets.ack_frame(0, acked, 0, credit, [])), now)

    assert peak(lambda: live(after_ms // 2)) < 3 * LINK_WINDOW_BYTES
    live(after_ms + 2000)
    assert written == LINK_WINDOW_BYTES or (written < LINK_WINDOW_BYTES and reason == "silent")
    if reason is not None:
        assert reason_of(link) == reason and not link.up
    else:  # it may be a device that writes its flash: whoever is above sees that nothing goes
        assert link.up and link.unacked() == LINK_WINDOW_BYTES and link.room() == 0
