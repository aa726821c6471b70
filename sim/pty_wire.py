"""A serial wire between two pseudo-terminals: throttled, damaged, cut and hung up, as a real one would be.

A relay thread (or, with `process=True`, a process of its own) moves bytes between two ptys. Each direction
has a FIFO of 4096 bytes as a UART driver has, a byte clock of 10 bits a byte that does not drift, a latency,
and seeded damage that is the same whatever the chunks: flipped bits (single or in bursts), lost and inserted
bytes. A cut is exact to the byte. Standard library only.

`a_path` and `b_path` are stable symbolic links; `open_a`/`open_b` give raw non-blocking descriptors for this
process or a child. While lifted, bytes are thrown away in both directions and the ttys stay; `hangup` makes
one side's tty vanish, as a pulled USB adapter does, and come back under the same path.
"""

import errno
import json
import os
import queue
import select
import shutil
import subprocess
import sys
import tempfile
import termios
import threading
import time
import tty
from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from sim.wire_damage import NEVER, Damage

FIFO_BYTES = 4096  # a UART driver's transmit ring
PIECE_BYTES = 512  # read from a pty at once: what the relay holds stays close to the FIFO
STEP_S = 0.001  # the relay looks this often while bytes are on the wire


class Side:
    """One pty: the relay holds the master, and the slave too, so that it stays when its user closes it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.master = -1
        self._slave = -1

    def create(self) -> None:
        self.master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self.master, False)
        temporary = self.path.with_suffix(".new")
        temporary.symlink_to(os.ttyname(self._slave))
        temporary.replace(self.path)

    def destroy(self) -> None:
        if self.master >= 0:
            self.path.unlink(missing_ok=True)
            os.close(self._slave)
            os.close(self.master)
            self.master = self._slave = -1


class Direction:
    """Bytes from one side to the other, by the clock."""

    def __init__(self, source: Side, target: Side, baud: int, latency_s: float, damage: Damage, drop: bool) -> None:
        self.source = source
        self.target = target
        self._byte_s = 10 / baud if baud else 0.0
        self._latency_s = latency_s
        self.damage = damage
        self._drop = drop
        self._fifo = bytearray()
        self._start = 0.0
        self._late: deque[tuple[float, bytes]] = deque()
        self.up = True
        self.cut_at = NEVER
        self.on_cut: Callable[[], None] = lambda: None
        self.offered = 0  # bytes that went onto the wire
        self.passed = 0  # ... and arrived in the other tty, damaged or not
        self.discarded = 0  # ... while it was cut
        self.overrun = 0  # ... and found the receiver's buffer full

    def read(self) -> None:
        if self.source.master < 0:
            return
        room = (FIFO_BYTES if self._byte_s else 65536) - len(self._fifo)
        while room >= PIECE_BYTES:
            try:
                data = os.read(self.source.master, PIECE_BYTES if self._byte_s else room)
            except OSError as error:
                if error.errno in (errno.EAGAIN, errno.EIO):
                    return
                raise
            if not self._fifo:
                self._start = max(self._start, time.monotonic())
            self._fifo += data
            room -= len(data)

    def advance(self, now: float) -> None:
        """Let as many bytes leave the FIFO as the clock says."""
        if not self._fifo or (self._late and not self._latency_s):
            return
        count = len(self._fifo)
        if self._byte_s:
            count = min(count, int((now - self._start) / self._byte_s))
            if count <= 0:
                return
            self._start += count * self._byte_s
        data = bytes(self._fifo[:count])
        del self._fifo[:count]
        while data:
            part = data[: self.cut_at - self.offered]
            data = data[len(part) :]
            self.offered += len(part)
            if part:
                self._carry(part, now)
            if self.offered == self.cut_at:
                self.cut_at = NEVER
                self.on_cut()

    def _carry(self, data: bytes, now: float) -> None:
        data = self.damage.apply(data)
        if self.up and self.target.master >= 0:
            self._late.append((now + self._latency_s, data))
        else:
            self.discarded += len(data)

    def deliver(self, now: float) -> None:
        while self._late and self._late[0][0] <= now:
            due, data = self._late.popleft()
            try:
                count = os.write(self.target.master, data) if self.target.master >= 0 else len(data)
            except BlockingIOError:
                count = 0
            except OSError:
                count = len(data)
            self.passed += count
            if count < len(data):
                if self._drop:
                    self.overrun += len(data) - count
                else:
                    self._late.appendleft((due, data[count:]))
                    return

    def clear(self) -> None:
        self.discarded += sum(len(data) for _, data in self._late)
        self._late.clear()

    def wait_s(self, now: float) -> float:
        waits = [1.0]
        if self._late:
            waits.append(max(STEP_S, self._late[0][0] - now))
        if self._fifo:
            waits.append(STEP_S if self._byte_s else 0.0005)
        return min(waits)

    def wants(self) -> bool:
        return self.source.master >= 0 and len(self._fifo) <= FIFO_BYTES - PIECE_BYTES

    def counters(self) -> dict[str, int]:
        return {
            "offered": self.offered, "passed": self.passed, "discarded": self.discarded,
            "overrun": self.overrun, "flipped": self.damage.flipped, "lost": self.damage.lost,
            "inserted": self.damage.inserted,
        }  # fmt: skip


class Relay:
    """Both directions in one thread; commands run in that thread too."""

    def __init__(self, folder: Path, baud: int, ber: float, seed: int, latency_s: float, burst_bits: int,
                 lose: float, insert: float, drop: bool) -> None:  # fmt: skip
        self.a = Side(folder / "a")
        self.b = Side(folder / "b")
        self.a.create()
        self.b.create()
        there = Damage(seed, ber, burst_bits, lose, insert)
        back = Damage(seed + 1_000_003, ber, burst_bits, lose, insert)
        self.directions = {
            "ab": Direction(self.a, self.b, baud, latency_s, there, drop),
            "ba": Direction(self.b, self.a, baud, latency_s, back, drop),
        }
        self._later: list[tuple[float, Callable[[], object]]] = []
        self._commands: "queue.Queue[tuple[Callable[[], object], queue.Queue[object]]]" = queue.Queue()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="pty wire", daemon=True)
        self._thread.start()

    def call(self, action: Callable[[], object]) -> object:
        answer: "queue.Queue[object]" = queue.Queue()
        self._commands.put((action, answer))
        os.write(self._wake_write, b"x")
        return answer.get(timeout=10)

    def stop(self) -> None:
        if self._thread.is_alive():
            self._stopping = True
            os.write(self._wake_write, b"x")
            self._thread.join(timeout=5)
            self.a.destroy()
            self.b.destroy()
            os.close(self._wake_read)
            os.close(self._wake_write)

    def _run(self) -> None:
        directions = list(self.directions.values())
        while not self._stopping:
            now = time.monotonic()
            fds = [self._wake_read] + [d.source.master for d in directions if d.wants()]
            waits = [d.wait_s(now) for d in directions] + [max(0.0, at - now) for at, _ in self._later]
            ready, _, _ = select.select(fds, [], [], min(waits))
            if self._wake_read in ready:
                os.read(self._wake_read, 4096)
                while not self._commands.empty():
                    action, answer = self._commands.get()
                    answer.put(action())
            now = time.monotonic()
            due = [action for at, action in self._later if at <= now]
            self._later = [(at, action) for at, action in self._later if at > now]
            for action in due:
                action()
            for direction in directions:
                direction.advance(now)
                direction.read()
                direction.advance(time.monotonic())
                direction.deliver(time.monotonic())

    # commands

    def set_up(self, up: bool, which: str) -> None:
        for name in ("ab", "ba") if which == "both" else (which,):
            self.directions[name].up = up  # what is past the wire already still arrives

    def hang_up(self, side: str, seconds: float) -> None:
        gone = self.a if side == "a" else self.b
        gone.destroy()
        for direction in self.directions.values():
            direction.clear()
        self._later.append((time.monotonic() + seconds, gone.create))

    def cut(self, direction: str, at_byte: int, how: str, seconds: float, side: str) -> None:
        """When byte `at_byte` of this direction has passed: lift for so long, or hang up one side."""

        def happen() -> None:
            if how == "hangup":
                self.hang_up(side, seconds)
                return
            self.set_up(False, "both")
            self._later.append((time.monotonic() + seconds, lambda: self.set_up(True, "both")))

        self.directions[direction].cut_at = at_byte
        self.directions[direction].on_cut = happen

    def counters(self) -> dict[str, dict[str, int]]:
        return {name: direction.counters() for name, direction in self.directions.items()}


class PtyWire:
    """The wire. `baud` 0: no throttle. `ber`: bit error rate; `lose` and `insert`: rates a byte.

    `drop`: a receiver whose tty buffer is full loses bytes (as a UART without flow control does); otherwise
    they wait. `process=True` runs the relay in a process of its own, for measurements.
    """

    def __init__(
        self,
        baud: int = 3_000_000,
        ber: float = 0.0,
        seed: int = 1,
        latency_s: float = 0.0,
        burst_bits: int = 1,
        lose: float = 0.0,
        insert: float = 0.0,
        drop: bool = False,
        process: bool = False,
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="perch-wire-"))
        self.a_path = str(self.folder / "a")
        self.b_path = str(self.folder / "b")
        settings = {
            "baud": baud, "ber": ber, "seed": seed, "latency_s": latency_s, "burst_bits": burst_bits,
            "lose": lose, "insert": insert, "drop": drop,
        }  # fmt: skip
        self._relay: Relay | None = None
        self._process: "subprocess.Popen[str] | None" = None
        self._lock = threading.Lock()
        self._opened: list[int] = []
        if process:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "sim.pty_wire", str(self.folder), json.dumps(settings)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
                cwd=Path(__file__).resolve().parents[1],
            )  # fmt: skip
            assert self._process.stdout is not None
            self._process.stdout.readline()
        else:
            self._relay = Relay(self.folder, **settings)  # type: ignore[arg-type]

    def __enter__(self) -> "PtyWire":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _do(self, name: str, *arguments: Any) -> Any:
        if self._relay is not None:
            relay = self._relay
            return relay.call(lambda: getattr(relay, name)(*arguments))
        process = self._process
        assert process is not None and process.stdin is not None and process.stdout is not None
        with self._lock:
            process.stdin.write(json.dumps([name, *arguments]) + "\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

    def lift(self, which: str = "both") -> None:
        """Pull the wire; `which` may be "ab" or "ba" for a break in one direction."""
        self._do("set_up", False, which)

    def seat(self, which: str = "both") -> None:
        """Plug it in again."""
        self._do("set_up", True, which)

    def hangup(self, side: str = "b", seconds: float = 0.1) -> None:
        """One side's tty vanishes, and comes back under the same path after so long."""
        self._do("hang_up", side, seconds)

    def cut(
        self, direction: str, at_byte: int, how: str = "lift", seconds: float = 0.1, side: str = "b"
    ) -> None:
        """Lift, or hang up, exactly after this byte of "ab" or "ba"."""
        self._do("cut", direction, at_byte, how, seconds, side)

    def counters(self) -> dict[str, dict[str, int]]:
        """For "ab" and "ba": offered, passed, discarded, overrun, flipped, lost, inserted."""
        result: dict[str, dict[str, int]] = self._do("counters")
        return result

    @property
    def a_fd(self) -> int:
        """A raw, non-blocking descriptor of side a; closed with the wire."""
        return self._open(self.a_path)

    @property
    def b_fd(self) -> int:
        """A raw, non-blocking descriptor of side b, for a child: Popen(pass_fds=(wire.b_fd,))."""
        return self._open(self.b_path)

    def _open(self, path: str) -> int:
        fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(fd, termios.TCSANOW)
        self._opened.append(fd)
        return fd

    def close(self) -> None:
        for fd in self._opened:
            try:
                os.close(fd)
            except OSError:
                pass  # the user of the descriptor closed it
        self._opened = []
        if self._relay is not None:
            self._relay.stop()
        if self._process is not None:
            assert self._process.stdin is not None and self._process.stdout is not None
            self._process.stdin.close()
            try:
                self._process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def main(argv: list[str]) -> int:
    """The relay as a process: commands as JSON lines on stdin, answers on stdout, until stdin ends."""
    folder, settings = Path(argv[0]), json.loads(argv[1])
    relay = Relay(folder, **settings)
    print("ready", flush=True)
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        result = relay.call(lambda name=name, arguments=arguments: getattr(relay, name)(*arguments))  # type: ignore[misc]
        print(json.dumps(result), flush=True)
    relay.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
