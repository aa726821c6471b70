"""Wire of a bay -> here -> Wireshark: a pcapng file of what went over the simulated wires.

Blocks as draft-ietf-opsawg-pcapng has them, little-endian: one interface per bay, named after it, LINKTYPE_USER0,
milliseconds. A packet's flags say its direction as the hub sees it: up (from the device) is inbound. A packet is what
arrived at once, not a frame: `sim/wireshark/perch.lua` finds the frames.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

from sim.box.kernel import START_MS
from sim.box.limits import CAPTURE_BYTES_MAX

SECTION, INTERFACE, PACKET = 0x0A0D0D0A, 1, 6
BYTE_ORDER = 0x1A2B3C4D
LINKTYPE_USER0 = 147
OPT_END, OPT_COMMENT = 0, 1
SHB_USERAPPL, IF_NAME, IF_TSRESOL, EPB_FLAGS = 4, 2, 9, 2
INBOUND, OUTBOUND = 1, 2
_COMMENT_BYTES_MAX = 200
_LAST_BYTES = 256  # kept free for the packet that says that the capture stopped


class Capture:
    """Writes to `file`, which the caller opens and closes. `at_ms` counts from the first midnight of the world.

    Past `bytes_max` nothing more is written; `stopped` says so, and so does the comment of the file's last packet.
    """

    def __init__(self, file: BinaryIO, bytes_max: int = CAPTURE_BYTES_MAX) -> None:
        self.packets = 0
        self.written = 0  # bytes of the file
        self.stopped = ""
        self._file = file
        self._bytes_max = bytes_max
        self._interfaces: dict[str, int] = {}
        head = struct.pack("<IHHq", BYTE_ORDER, 1, 0, -1)
        self._write(_block(SECTION, head + _options((SHB_USERAPPL, b"perch, the wing in a box"))))

    def packet(self, bay: str, at_ms: int, up: bool, data: bytes, comment: str = "") -> None:
        """Bytes that arrived at one end of this bay's wire; `comment` is cut at 200 bytes."""
        if self.stopped:
            return
        blocks = b""
        number = self._interfaces.get(bay)
        if number is None:
            number = len(self._interfaces)
            blocks = _interface(bay)
        blocks += _packet(number, at_ms, up, data, comment)
        if self.written + len(blocks) + _LAST_BYTES > self._bytes_max:
            self._stop(at_ms, up)
            return
        self._interfaces[bay] = number
        self._write(blocks)
        self.packets += 1

    def _stop(self, at_ms: int, up: bool) -> None:
        self.stopped = f"the capture stopped at {self._bytes_max} bytes, after {self.packets} packets"
        if self._interfaces:
            self._write(_packet(0, at_ms, up, b"", self.stopped))

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self.written += len(data)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _options(*options: tuple[int, bytes]) -> bytes:
    parts = [struct.pack("<HH", code, len(value)) + _padded(value) for code, value in options]
    return b"".join(parts) + struct.pack("<HH", OPT_END, 0)


def _block(kind: int, body: bytes) -> bytes:
    size = len(body) + 12
    return struct.pack("<II", kind, size) + body + struct.pack("<I", size)


def _interface(bay: str) -> bytes:
    head = struct.pack("<HHI", LINKTYPE_USER0, 0, 0)  # no limit of a packet's length
    return _block(INTERFACE, head + _options((IF_NAME, bay.encode()), (IF_TSRESOL, b"\x03")))


def _packet(number: int, at_ms: int, up: bool, data: bytes, comment: str) -> bytes:
    at = START_MS + at_ms
    head = struct.pack("<IIIII", number, at >> 32, at & 0xFFFFFFFF, len(data), len(data))
    options = [(EPB_FLAGS, struct.pack("<I", INBOUND if up else OUTBOUND))]
    if comment:
        options.append((OPT_COMMENT, comment.encode()[:_COMMENT_BYTES_MAX].decode(errors="ignore").encode()))
    return _block(PACKET, head + _padded(data) + _options(*options))
