"""Device <-> here <-> bay: the serial ports of both ends, and the wire between them in virtual time.

A port wakes its end when bytes arrive, when one of the end's deadlines comes, or when the line has room again. A wire
carries bytes at its rate; what is on it when it is lifted is lost. What an end says that nobody is connected to goes
nowhere: it has a turn now and then as long as it has a link, and none afterwards.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Protocol

from protocol.limits import LINK_KEEP_MS
from sim.box.kernel import Kernel

FIFO_BYTES = 4096  # what a port's driver takes ahead of the line, as Linux has it for a tty
ALONE_TURN_MS = 2 * LINK_KEEP_MS  # a longer pause is one in which a link believes that it did not listen
PIECE_MS_MAX = 50  # bytes come out of the far end one by one; they are handed over together for no longer than this
BITS_A_BYTE = 10  # 8N1: start, eight bits, stop

UP, DOWN = "up", "down"
Change = Callable[[bytes], bytes]


class Step(NamedTuple):
    """What an end did in one turn: bytes for the wire, when it wants to be woken, and whether it has more to say."""

    out: list[bytes]
    deadline: int | None
    more: bool


class End(Protocol):
    """A device or a bay."""

    def step(self, now: int, pieces: list[bytes], room_bytes: int) -> Step:
        """Take what came and say what is due, at most about `room_bytes`."""
        ...

    @property
    def linked(self) -> bool:
        """Whether the end believes that somebody is there: then it must go on being woken."""
        ...


class Lane:
    """One direction of a wire. `carried` and `crc` are of what was put on it; `change` is what damage does to it."""

    def __init__(self, target: Port, baud: int, latency_ms: int = 0) -> None:
        self.carried = 0
        self.crc = 0
        self.change: Change | None = None
        self.watch: Callable[[bytes], None] | None = None  # is shown what goes on the wire
        self.deliver: Callable[[int, bytes], None] = target.arrive  # how the bytes come out of the far end
        self.open = True
        self._marks: list[tuple[int, Callable[[int], None]]] = []  # in the order of their bytes
        self._byte_us = BITS_A_BYTE * 1_000_000 / baud
        self._piece_bytes = max(1, int(PIECE_MS_MAX * 1000 / self._byte_us))
        self._latency_ms = latency_ms
        self._free_us = 0.0

    def room(self, now: int) -> int:
        """Bytes that the port's driver takes now."""
        waiting = max(0.0, self._free_us - now * 1000) / self._byte_us
        return max(0, FIFO_BYTES - int(waiting))

    def room_at(self) -> int:
        """When the driver is half empty again."""
        return int((self._free_us - FIFO_BYTES / 2 * self._byte_us) // 1000) + 1

    def stall(self, until_ms: int) -> None:
        """Nothing moves on the line before `until_ms`."""
        self._free_us = max(self._free_us, until_ms * 1000.0)

    def when(self, byte: int, call: Callable[[int], None]) -> None:
        """Make `call(at_ms)` when so many bytes have been put on the line; the last of them arrives at `at_ms`."""
        self._marks.append((byte, call))
        self._marks.sort(key=lambda mark: mark[0])

    def put(self, data: bytes, now: int) -> None:
        """Bytes onto the line, in order."""
        while self._marks and self.carried + len(data) >= self._marks[0][0]:
            byte, call = self._marks.pop(0)
            before = max(0, byte - self.carried)
            call(self._put(data[:before], now))
            data = data[before:]
        for at in range(0, len(data), self._piece_bytes):
            self._put(data[at : at + self._piece_bytes], now)

    def _put(self, data: bytes, now: int) -> int:
        """When these bytes have arrived, if they do."""
        self.carried += len(data)
        self.crc = zlib.crc32(data, self.crc)
        if self.watch is not None:
            self.watch(data)
        self._free_us = max(self._free_us, now * 1000.0) + len(data) * self._byte_us
        at_ms = -int(-self._free_us // 1000) + self._latency_ms
        if self.open:
            if self.change is not None:
                data = self.change(data)
            if data:
                self.deliver(at_ms, data)
        return at_ms


class Port:
    """One end's serial port. `lane` is where it writes, while a wire is connected."""

    def __init__(self, kernel: Kernel, end: End) -> None:
        self.end = end
        self.lane: Lane | None = None
        self.after_step: Callable[[], None] = lambda: None
        self._kernel = kernel
        self._arrived: deque[tuple[int, bytes]] = deque()
        self._due: int | None = None

    def arrive(self, at_ms: int, data: bytes) -> None:
        self._arrived.append((at_ms, data))
        self.wake(at_ms)

    def lose_arrivals(self) -> None:
        self._arrived.clear()

    def wake(self, at_ms: int) -> None:
        """Give the end a turn at `at_ms` at the latest."""
        if self._due is None or at_ms < self._due:
            self._due = at_ms
            self._kernel.at(at_ms, self._turn)

    def _turn(self) -> None:
        now = self._kernel.now
        if self._due is None or now < self._due:
            return  # an earlier turn has done this one's work
        self._due = None
        pieces = []
        while self._arrived and self._arrived[0][0] <= now:
            pieces.append(self._arrived.popleft()[1])
        lane = self.lane
        room = FIFO_BYTES if lane is None else lane.room(now)
        step = self.end.step(now, pieces, room)
        if lane is not None:
            for data in step.out:
                lane.put(data, now)
        self._plan(step, lane)
        self.after_step()

    def _plan(self, step: Step, lane: Lane | None) -> None:
        now = self._kernel.now
        if self._arrived:
            self.wake(max(now, self._arrived[0][0]))
        if lane is None and not self.end.linked:
            return
        if step.more:
            self.wake(max(now + 1, lane.room_at() if lane is not None else now + 1))
        if step.deadline is not None:
            self.wake(max(now + (1 if lane is not None else ALONE_TURN_MS), step.deadline))


class Wire:
    """A cable between a device's port and a bay's: `seat` connects it, `lift` pulls it."""

    def __init__(self, kernel: Kernel, device: Port, bay: Port, baud: int) -> None:
        self.device, self.bay = device, bay
        self.up = Lane(bay, baud)
        self.down = Lane(device, baud)
        self.seated = False
        self._kernel = kernel

    def lane(self, direction: str) -> Lane:
        return self.up if direction == UP else self.down

    def seat(self) -> None:
        self.seated = True
        self.device.lane, self.bay.lane = self.up, self.down
        now = self._kernel.now
        self.device.wake(now)
        self.bay.wake(now)

    def lift(self) -> None:
        """What is on the wire is lost; neither port notices."""
        self.seated = False
        for port, lane in ((self.device, self.up), (self.bay, self.down)):
            if port.lane is lane:
                port.lane = None
                port.lose_arrivals()
                port.wake(self._kernel.now)
