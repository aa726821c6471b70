"""perch wire loop: frames out and back through a loop-back plug (TX joined to RX); no other end, no link, no session.

A frame's content follows from its number, so what comes back is known to the bit. The line keeps order: a number that
was passed over did not return. Sans-IO: bytes and integer milliseconds in, bytes and counts out.
"""

from __future__ import annotations

import random
import statistics
from collections import deque

from protocol.frame import Reader, encode

FRAME_BYTES = 256  # short ones: a frame with two wrong bits is damaged, and its bits cannot be counted
HEAD = b"perch loop"
RUN_BYTES = 8
LOST_MS = 1000  # what has not come back by then, with nothing behind it, does not
TRIPS_MAX = 4096
LONE_FRAMES = 8  # the first ones go one at a time, so that their round trip is the idle line's
IN_FLIGHT_S = 0.1
IN_FLIGHT_BYTES_MIN = 2048
IN_FLIGHT_BYTES_MAX = 16384  # what an adapter and its driver hold without losing any


class Loop:
    """`run`: 8 random bytes that mark this run's frames."""

    def __init__(self, run: bytes, baud: int) -> None:
        self._head = HEAD + run
        self._noise = random.Random(run).randbytes(4096)
        self._window = min(IN_FLIGHT_BYTES_MAX, max(IN_FLIGHT_BYTES_MIN, int(baud / 10 * IN_FLIGHT_S)))
        self._reader = Reader(FRAME_BYTES)
        self._flight: deque[tuple[int, int]] = deque()  # (number, sent ms), oldest first
        self._next = 0
        self._back_ms = 0
        self.trips_ms: deque[int] = deque(maxlen=TRIPS_MAX)
        self.idle_ms: list[int] = []
        self.returned = 0
        self.missing = 0
        self.strangers = 0
        self.wrong = 0  # "repaired" into something that was not sent
        self.bytes_sent = 0
        self.bytes_received = 0

    def _payload(self, number: int) -> bytes:
        head = self._head + number.to_bytes(4, "big")
        at = number * 31 % (len(self._noise) - FRAME_BYTES)
        return head + self._noise[at : at + FRAME_BYTES - len(head)]

    def to_send(self, now: int) -> bytes:
        """The next frame, or nothing while enough is on its way."""
        if self._flight and now - max(self._back_ms, self._flight[-1][1]) >= LOST_MS:
            self.missing += len(self._flight)
            self._flight.clear()
        lone = self._next < LONE_FRAMES or (self._flight and self._flight[0][0] < LONE_FRAMES)
        allowed = 1 if lone else self._window // FRAME_BYTES
        if len(self._flight) >= allowed:
            return b""
        wire = encode(self._payload(self._next))
        self._flight.append((self._next, now))
        self._next += 1
        self.bytes_sent += len(wire)
        return wire

    def receive(self, data: bytes, now: int) -> None:
        self.bytes_received += len(data)
        for payload, repaired in self._reader.read(data):
            if not payload.startswith(self._head) or len(payload) != FRAME_BYTES:
                self.strangers += 0 if repaired else 1
                self.wrong += 1 if repaired else 0
                continue
            number = int.from_bytes(payload[len(self._head) : len(self._head) + 4], "big")
            if payload == self._payload(number):
                self._came_back(number, now)
            else:
                self.wrong += 1

    def _came_back(self, number: int, now: int) -> None:
        while self._flight and self._flight[0][0] < number:
            self._flight.popleft()
            self.missing += 1
        if self._flight and self._flight[0][0] == number:
            _, sent_ms = self._flight.popleft()
            self.returned += 1
            self._back_ms = now
            self.trips_ms.append(now - sent_ms)
            if number < LONE_FRAMES:
                self.idle_ms.append(now - sent_ms)

    def lost_port(self) -> None:
        """The port went away, and with it what was on its way."""
        self._flight.clear()

    def counts(self) -> dict[str, int]:
        """As of a link's end: frames, repaired, damaged, bytes_sent, bytes_received; and missing, strangers."""
        reader = self._reader
        return {
            "frames": reader.taken + reader.repaired - self.wrong, "repaired": max(0, reader.repaired - self.wrong),
            "damaged": reader.damaged + self.wrong, "missing": self.missing, "strangers": self.strangers,
            "bytes_sent": self.bytes_sent, "bytes_received": self.bytes_received, "frame_bytes": FRAME_BYTES,
        }  # fmt: skip

    def round_trips(self) -> dict[str, float]:
        if not self.trips_ms:
            return {}
        found: dict[str, float] = {
            "round_trip_ms": self.trips_ms[-1], "round_trip_ms_min": min(self.trips_ms),
            "round_trip_ms_max": max(self.trips_ms),
        }  # fmt: skip
        if self.idle_ms:
            found["idle_round_trip_ms"] = statistics.median(self.idle_ms)
        return found
