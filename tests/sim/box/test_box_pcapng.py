"""The capture file: read back by a reader of its own that takes nothing but what the pcapng draft allows."""

from __future__ import annotations

import io
import re
import struct
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from protocol.frame import encode, encoded_bytes_max
from protocol.limits import FRAME_PAYLOAD_BYTES_MAX
from protocol.link import packets
from sim.box.kernel import START_MS
from sim.box.limits import CAPTURE_BYTES_MAX
from sim.box.pcapng import Capture

LUA = Path(__file__).resolve().parents[3] / "sim" / "wireshark" / "perch.lua"


@dataclass
class Packet:
    interface: str
    at_ms: int
    data: bytes
    flags: int
    comment: str


@dataclass
class File:
    application: str = ""
    interfaces: list[str] = field(default_factory=list)
    packets: list[Packet] = field(default_factory=list)


def read_options(data: bytes) -> dict[int, bytes]:
    """Section 3.5: code, length, value padded to 32 bits; ended by opt_endofopt with nothing behind it."""
    found: dict[int, bytes] = {}
    at = 0
    while True:
        code, size = struct.unpack_from("<HH", data, at)
        at += 4
        if code == 0:
            assert size == 0 and at == len(data)
            return found
        end = at + size
        padded = end + (-size % 4)
        assert padded <= len(data) and not any(data[end:padded]) and code not in found
        found[code] = data[at:end]
        at = padded


def read_blocks(data: bytes) -> list[tuple[int, bytes]]:
    """Section 3.1: type, total length, body, total length again, on 32-bit borders."""
    blocks = []
    at = 0
    while at < len(data):
        kind, size = struct.unpack_from("<II", data, at)
        assert size % 4 == 0 and 12 <= size <= len(data) - at
        assert struct.unpack_from("<I", data, at + size - 4) == (size,)
        blocks.append((kind, data[at + 8 : at + size - 4]))
        at += size
    return blocks


def read(data: bytes) -> File:
    file = File()
    for index, (kind, body) in enumerate(read_blocks(data)):
        if kind == 0x0A0D0D0A:
            assert index == 0
            magic, major, minor, length = struct.unpack_from("<IHHq", body)
            assert (magic, major, minor, length) == (0x1A2B3C4D, 1, 0, -1)
            options = read_options(body[16:])
            file.application = options.pop(4).decode()
            assert not options
        elif kind == 1:
            assert struct.unpack_from("<HHI", body) == (147, 0, 0)
            options = read_options(body[8:])
            file.interfaces.append(options.pop(2).decode())
            assert options == {9: b"\x03"}  # if_tsresol: 10^-3 s
        else:
            assert kind == 6
            number, high, low, size, original = struct.unpack_from("<IIIII", body)
            assert number < len(file.interfaces) and size == original
            end = 20 + size
            padded = end + (-size % 4)
            assert not any(body[end:padded])
            options = read_options(body[padded:])
            (flags,) = struct.unpack("<I", options.pop(2))
            comment = options.pop(1, b"").decode()
            assert not options
            file.packets.append(Packet(file.interfaces[number], high << 32 | low, body[20:end], flags, comment))
    return file


def test_what_was_written_is_read_back() -> None:
    file = io.BytesIO()
    capture = Capture(file)
    wanted = []
    for number in range(40):
        bay, up, at_ms = f"bay{number % 3}", number % 2 == 0, number * 997
        data, comment = bytes(range(number)), "cut here: ü" if number == 7 else ""
        capture.packet(bay, at_ms, up, data, comment)
        wanted.append(Packet(bay, START_MS + at_ms, data, 1 if up else 2, comment))
    found = read(file.getvalue())
    assert found.packets == wanted and found.interfaces == ["bay0", "bay1", "bay2"]
    assert found.application == "perch, the wing in a box"
    assert (capture.packets, capture.written, capture.stopped) == (40, len(file.getvalue()), "")


def test_a_capture_is_bounded_and_says_where_it_stopped() -> None:
    file = io.BytesIO()
    capture = Capture(file, 5000)
    for number in range(100):
        capture.packet("bay0", number, True, bytes(300))
    capture.packet("bay1", 101, True, b"")
    found = read(file.getvalue())
    assert len(file.getvalue()) <= 5000 and capture.packets == len(found.packets) - 1 > 10
    assert capture.stopped == f"the capture stopped at 5000 bytes, after {capture.packets} packets"
    assert found.packets[-1] == Packet("bay0", START_MS + capture.packets, b"", 1, capture.stopped)
    assert found.interfaces == ["bay0"]
    assert CAPTURE_BYTES_MAX <= 1 << 30


def test_a_capture_without_room_for_one_packet_is_still_a_file() -> None:
    file = io.BytesIO()
    capture = Capture(file, 400)
    capture.packet("bay0", 0, True, bytes(300))
    assert capture.stopped and read(file.getvalue()).packets == []


def test_a_long_comment_is_cut_between_characters() -> None:
    file = io.BytesIO()
    Capture(file).packet("bay0", 0, False, b"x", "x" + "ü" * 300)
    assert read(file.getvalue()).packets[0].comment == "x" + "ü" * 99


def test_the_same_packets_make_the_same_file() -> None:
    files = []
    for _ in range(2):
        file = io.BytesIO()
        capture = Capture(file)
        for number in range(10):
            capture.packet("bay0", number, True, encode(packets.ping_frame(number)))
        files.append(file.getvalue())
    assert files[0] == files[1]


@pytest.mark.parametrize("name", ["HELLO", "DATA", "DATA_ASK", "ACK", "PING", "CLAIM", "REFER"])
def test_the_dissector_knows_every_kind_of_frame_by_its_number(name: str) -> None:
    listed = re.search(r"KINDS = \{ \[0\] = (.*?) \}", LUA.read_text())
    assert listed is not None
    kinds = re.findall(r'"(.*?)"', listed.group(1))
    assert kinds.index(name.replace("_ASK", " ask")) == getattr(packets, name)
    assert len(kinds) == packets.REFER + 1


def test_the_dissector_bounds_a_frame_as_its_reader_does() -> None:
    found = re.search(r"FRAME_BYTES_MAX = (\d+)", LUA.read_text())
    assert found is not None and int(found.group(1)) == encoded_bytes_max(FRAME_PAYLOAD_BYTES_MAX)
