"""One direction of a simulated serial wire, without a port and without a clock: time comes in as a number.

Bytes go into a FIFO as a UART driver has one, leave it by a byte clock (10 bits a byte), cross the wire if it is up,
are damaged, and arrive after the latency. Cuts happen exactly behind a byte that crossed. `sim.pty_relay` drives two
of these between real ttys; tests drive them in virtual time.
"""

from collections import deque
from collections.abc import Callable

from sim.wire_damage import Damage

FIFO_BYTES = 4096  # a UART driver's transmit ring
UNTHROTTLED_BYTES = 65536  # without a baud rate: as much as one read can give
STEP_S = 0.001  # the wire is looked at this often while bytes are on it ...
STEP_BYTES = 64  # ... or, on a slow one, after this many bytes ...
STEP_S_MAX = 0.004  # ... but at least this often


class Line:
    """Put bytes in with `put`, let time pass with `advance`, take what arrived from `arrived`.

    The clock does not drift and never runs ahead: `n` bytes need `10 * n / baud` seconds from the first one of a
    busy period, however late and in whatever steps `advance` is called. A busy period lasts until the FIFO is empty
    and the source was seen to have nothing (`seen_dry`): a relay that the machine did not schedule for some
    milliseconds does not make the wire slower.
    """

    def __init__(self, baud: int, latency_s: float, damage: Damage) -> None:
        self._byte_s = 10 / baud if baud else 0.0
        self._latency_s = latency_s
        self._step_s = min(STEP_S_MAX, max(STEP_S, STEP_BYTES * self._byte_s))
        self.damage = damage
        self._fifo = bytearray()
        self._start = 0.0  # when the byte at the head of the FIFO began
        self._dry = True
        self.held_up = False  # the receiver's buffer is full, and the sender is made to wait
        self._cuts: list[tuple[int, Callable[[], object]]] = []
        self.arrived: deque[tuple[float, bytes]] = deque()  # (not before, bytes)
        self.up = True  # the wire is plugged
        self.there = True  # and the other end has a port
        self.offered = 0  # bytes that went onto the wire
        self.crossed = 0  # ... and got to the other end of it, before damage
        self.discarded = 0  # ... and did not, because it was cut or nobody was there
        self.stranded = 0  # crossed, but the other end had hung up when it arrived
        self.passed = 0  # bytes that arrived in the other tty, after damage
        self.overrun = 0  # ... and found the receiver's buffer full
        self.destroyed = 0  # written into the tty, but not on the wire yet when it hung up
        self.unread = 0  # arrived in a tty, but not read yet when it hung up

    def disturb(self, damage: Damage, latency_s: float) -> None:
        """From now on another damage, whose counters begin at 0, and another latency."""
        self.damage = damage
        self._latency_s = latency_s

    def room(self) -> int:
        """Bytes that `put` may give now."""
        return (FIFO_BYTES if self._byte_s else UNTHROTTLED_BYTES) - len(self._fifo)

    def put(self, data: bytes, now: float) -> None:
        """Bytes of the sender, at most `room()`."""
        if not self._fifo and self._dry:
            self._start = max(self._start, now)
        self._dry = False
        self._fifo += data

    def seen_dry(self) -> None:
        """The sender had nothing more when it was looked at."""
        self._dry = True

    def cut_after(self, byte: int, action: Callable[[], object]) -> None:
        """Call `action` when byte number `byte` (from 1) has crossed, before anything of the next one does."""
        self._cuts.append((byte, action))
        self._cuts.sort(key=lambda cut: cut[0])

    def advance(self, now: float) -> None:
        """Let as many bytes leave the FIFO as the clock says."""
        if self.held_up:
            self._start = max(self._start, now)  # the wire stands still, as it does with flow control
            return
        count = len(self._fifo)
        if self._byte_s:
            count = max(0, min(count, int((now - self._start) / self._byte_s)))
            self._start += count * self._byte_s
        while count and self._fifo:  # a hang-up takes what is left in the FIFO with it
            size = min(count, len(self._fifo))
            if self.up and self.there and self._cuts:
                size = min(size, max(0, self._cuts[0][0] - self.crossed))
            part = bytes(self._fifo[:size])
            del self._fifo[:size]
            count -= size
            self._carry(part, now)
            if self.up and self.there and self._cuts and self.crossed >= self._cuts[0][0]:
                self._cuts.pop(0)[1]()

    def _carry(self, data: bytes, now: float) -> None:
        self.offered += len(data)
        if not self.up or not self.there:
            self.discarded += len(data)
            return
        self.crossed += len(data)
        data = self.damage.apply(data)
        if data:
            self.arrived.append((now + self._latency_s, data))

    def lose_unsent(self) -> None:
        """The sender's port is gone, and its FIFO with it."""
        self.destroyed += len(self._fifo)
        self._fifo.clear()

    def lose_arrived(self) -> None:
        """The receiver's port is gone: what has not reached it finds nobody."""
        self.stranded += sum(len(data) for _, data in self.arrived)
        self.arrived.clear()

    def wait_s(self, now: float) -> float:
        """How long nothing needs to be done, if the sender has nothing new."""
        waits = [1.0]
        if self.arrived:
            waits.append(max(STEP_S, self.arrived[0][0] - now))
        if self._fifo:
            all_through_s = self._start + len(self._fifo) * self._byte_s - now
            waits.append(min(self._step_s, max(STEP_S / 4, all_through_s)))
        return min(waits)

    def counters(self) -> dict[str, int]:
        """What happened to how many bytes (`flipped`: bits) of this direction."""
        return {
            "offered": self.offered, "crossed": self.crossed, "passed": self.passed, "discarded": self.discarded,
            "stranded": self.stranded, "overrun": self.overrun, "destroyed": self.destroyed, "unread": self.unread,
            "flipped": self.damage.flipped, "lost": self.damage.lost, "inserted": self.damage.inserted,
        }  # fmt: skip
