"""A serial wire between two pseudo-terminals: throttled, damaged, cut and hung up, as a real one would be.

A relay thread (or, with `process=True`, a process of its own) moves bytes between two ptys. Each direction
has a FIFO of 4096 bytes as a UART driver has, a byte clock of 10 bits a byte that does not drift, a latency,
and seeded damage that is the same whatever the chunks: flipped bits (single or in bursts), lost and inserted
bytes. Cuts are exact to the byte. Standard library only. docs/wire.md says what it is and what it is not.

`a_path` and `b_path` are stable symbolic links; `a_fd` and `b_fd` give raw non-blocking descriptors for this
process or a child. While lifted, bytes are thrown away in both directions and the ttys stay; `hangup` makes
one side's tty vanish, as a pulled USB adapter does, and come back under the same path.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import termios
import threading
import tty
from pathlib import Path
from types import TracebackType
from typing import Any

from sim.pty_relay import Relay


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
        """Lift, or hang up `side`, exactly when this many bytes of "ab" or "ba" have crossed; give as many as you like.

        Nothing crosses while the wire is cut, so the next cut comes after the wire is whole again.
        """
        self._do("cut", direction, at_byte, how, seconds, side)

    def disturb(
        self, seed: int = 1, ber: float = 0.0, lose: float = 0.0, insert: float = 0.0, latency_s: float = 0.0
    ) -> None:
        """From now on other damage, both ways, and another latency; without arguments, none."""
        self._do("disturb", seed, ber, lose, insert, latency_s)

    def counters(self) -> dict[str, dict[str, int]]:
        """For "ab" and "ba": what happened to how many bytes; `sim.wire_line.Line` says which figure is which."""
        result: dict[str, dict[str, int]] = self._do("counters")
        return result

    def downs(self) -> tuple[int, float]:
        """How many cuts and hang-ups are over again, and how many seconds they lasted in all."""
        count, seconds = self._do("downs")
        return int(count), float(seconds)

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
