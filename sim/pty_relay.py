"""The relay behind `sim.pty_wire`: two ttys, a `Line` each way between them, and one thread that serves both."""

import errno
import os
import queue
import select
import termios
import threading
import time
import tty
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from sim.wire_damage import Damage
from sim.wire_line import Line

PIECE_BYTES = 512  # read from a pty at once: what the relay holds stays close to the FIFO
TURNS_MAX = 64  # FIFOs that one late look may move at once


class Side:
    """One pty: the relay holds the master, and the slave too, so that it stays when its user closes it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.master = -1
        self._slave = -1

    @property
    def there(self) -> bool:
        return self.master >= 0

    def create(self) -> None:
        self.master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self.master, False)
        os.set_blocking(self._slave, False)
        temporary = self.path.with_suffix(".new")
        temporary.symlink_to(os.ttyname(self._slave))
        temporary.replace(self.path)

    def destroy(self) -> tuple[int, int]:
        """Hang up; bytes that the kernel held (written and not sent, arrived and not read) are gone with it."""
        self.path.unlink(missing_ok=True)
        termios.tcflow(self._slave, termios.TCOOFF)  # else its user writes on while we look what was there
        held = drain(self.master), drain(self._slave)
        os.close(self._slave)
        os.close(self.master)
        self.master = self._slave = -1
        return held


def drain(descriptor: int) -> int:
    """Read what is there, and only count it."""
    count = 0
    with suppress(OSError):
        while count < 1 << 20 and (data := os.read(descriptor, 65536)):
            count += len(data)
    return count


class Relay:
    """Both directions in one thread; commands run in that thread too."""

    def __init__(self, folder: Path, baud: int, ber: float, seed: int, latency_s: float, burst_bits: int,
                 lose: float, insert: float, drop: bool) -> None:  # fmt: skip
        self.sides = {"a": Side(folder / "a"), "b": Side(folder / "b")}
        for side in self.sides.values():
            side.create()
        self.lines = {
            "ab": Line(baud, latency_s, Damage(seed, ber, burst_bits, lose, insert)),
            "ba": Line(baud, latency_s, Damage(seed + 1_000_003, ber, burst_bits, lose, insert)),
        }
        self._throttled = baud > 0
        self._drop = drop
        self._later: list[tuple[float, Callable[[], object]]] = []
        self._downs = 0
        self._down_s = 0.0
        self._commands: "queue.Queue[tuple[Callable[[], object], queue.Queue[object]]]" = queue.Queue()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="pty wire", daemon=True)
        self._thread.start()

    def call(self, action: Callable[[], object]) -> object:
        """Run it in the relay's thread, between two looks at the wire."""
        answer: "queue.Queue[object]" = queue.Queue()
        self._commands.put((action, answer))
        os.write(self._wake_write, b"x")
        return answer.get(timeout=10)

    def stop(self) -> None:
        if self._thread.is_alive():
            self._stopping = True
            os.write(self._wake_write, b"x")
            self._thread.join(timeout=5)
            for side in self.sides.values():
                if side.there:
                    side.destroy()
            os.close(self._wake_read)
            os.close(self._wake_write)

    def _run(self) -> None:
        a, b = self.sides["a"], self.sides["b"]
        ways = [(self.lines["ab"], a, b), (self.lines["ba"], b, a)]
        while not self._stopping:
            now = time.monotonic()
            fds = [self._wake_read]
            fds += [source.master for line, source, _ in ways if source.there and line.room() >= PIECE_BYTES]
            waits = [line.wait_s(now) for line, _, _ in ways] + [max(0.0, at - now) for at, _ in self._later]
            ready, _, _ = select.select(fds, [], [], min(waits))
            if self._wake_read in ready:
                self._obey()
            self._act_late()
            for line, source, target in ways:
                line.advance(time.monotonic())
                for _ in range(TURNS_MAX):  # once, unless the machine left this thread waiting
                    if not self._read(line, source):
                        break
                    line.advance(time.monotonic())
                    self._deliver(line, target)
                self._deliver(line, target)

    def _obey(self) -> None:
        os.read(self._wake_read, 4096)
        while not self._commands.empty():
            action, answer = self._commands.get()
            answer.put(action())

    def _act_late(self) -> None:
        now = time.monotonic()
        due = [action for at, action in self._later if at <= now]
        self._later = [(at, action) for at, action in self._later if at > now]
        for action in due:
            action()

    def _read(self, line: Line, source: Side) -> bool:
        """What the FIFO has room for; whether anything came."""
        came = False
        while source.there and (room := line.room()) >= PIECE_BYTES:
            try:
                data = os.read(source.master, PIECE_BYTES if self._throttled else room)
            except OSError as error:
                if error.errno in (errno.EAGAIN, errno.EIO):
                    line.seen_dry()
                    return came
                raise
            line.put(data, time.monotonic())
            came = True
        return came

    def _deliver(self, line: Line, target: Side) -> None:
        now = time.monotonic()
        line.held_up = False
        while target.there and line.arrived and line.arrived[0][0] <= now:
            due, data = line.arrived.popleft()
            try:
                count = os.write(target.master, data)
            except BlockingIOError:
                count = 0
            line.passed += count
            if count < len(data):
                if not self._drop:
                    line.arrived.appendleft((due, data[count:]))
                    line.held_up = True
                    return
                line.overrun += len(data) - count

    # commands

    def set_up(self, up: bool, which: str) -> None:
        for name in ("ab", "ba") if which == "both" else (which,):
            self.lines[name].up = up  # what is past the wire already still arrives

    def disturb(self, seed: int, ber: float, lose: float, insert: float, latency_s: float) -> None:
        for number, line in enumerate(self.lines.values()):
            line.disturb(Damage(seed + 1_000_003 * number, ber, 1, lose, insert), latency_s)

    def hang_up(self, side: str, seconds: float) -> None:
        gone = self.sides[side]
        if not gone.there:
            return
        other = "b" if side == "a" else "a"
        outward, inward = self.lines[side + other], self.lines[other + side]
        unsent, unread = gone.destroy()
        outward.lose_unsent()
        outward.destroyed += unsent
        inward.lose_arrived()
        inward.unread += unread
        inward.there = False

        def come_back() -> None:
            gone.create()
            inward.there = True

        self._go_down(seconds, come_back)

    def _go_down(self, seconds: float, come_back: Callable[[], object]) -> None:
        start = time.monotonic()

        def end() -> None:
            come_back()
            self._downs += 1
            self._down_s += time.monotonic() - start

        self._later.append((start + seconds, end))

    def cut(self, direction: str, at_byte: int, how: str, seconds: float, side: str) -> None:
        """When byte `at_byte` of this direction has crossed: lift for so long, or hang up one side."""

        def happen() -> None:
            if how == "hangup":
                self.hang_up(side, seconds)
                return
            self.set_up(False, "both")
            self._go_down(seconds, lambda: self.set_up(True, "both"))

        self.lines[direction].cut_after(at_byte, happen)

    def counters(self) -> dict[str, dict[str, int]]:
        return {name: line.counters() for name, line in self.lines.items()}

    def downs(self) -> tuple[int, float]:
        """(times that a cut or hang-up is over again, seconds that they lasted in all)."""
        return self._downs, self._down_s
