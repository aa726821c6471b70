"""A real MicroPython device process on a pty, and the hub in memory on the other end of it."""

import os
import subprocess
import sys
import time
import tty
from pathlib import Path

from tests.kits import micropython
from tests.kits.memory_hub import HubSide

ROOT = Path(__file__).resolve().parents[2]
HEAP = "256k"  # a board's RAM for Python; on the unix port, whose words have 64 bits, it holds more than a board would


def build(out: Path) -> Path:
    """The device's program, compiled; returns its folder."""
    subprocess.run([sys.executable, "-m", "firmware.build", str(out)], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return out


started: "list[DeviceProcess]" = []  # for a test to end what a failure left running


class DeviceProcess:
    """`perch device` as a board runs it: MicroPython, a heap of `heap`, one wire by file descriptor."""

    def __init__(self, program: Path, data: Path, page: str = "none", heap: str = HEAP, log=None) -> None:
        self.master, slave = os.openpty()
        tty.setraw(self.master)
        tty.setraw(slave)
        os.set_blocking(slave, False)
        os.set_blocking(self.master, False)
        self.log = log or data.with_suffix(".log")
        with open(self.log, "ab") as out:
            self.process = subprocess.Popen(
                [micropython.interpreter(), "-X", f"heapsize={heap}", str(program / "run.py"), "--data", str(data),
                 "--port", f"fd:{slave}", "--page", page],
                pass_fds=(slave,), stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            )  # fmt: skip
        os.close(slave)
        started.append(self)
        self.unsent = b""
        self.bytes_up = self.bytes_down = 0

    def kill(self) -> None:
        """As the power goes: SIGKILL."""
        started.remove(self)
        self.process.kill()
        self.process.wait()
        os.close(self.master)

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def turn(self, hub: HubSide) -> None:
        """Move what there is, once, between the process and the hub."""
        now = int(time.monotonic() * 1000)
        moved = False
        try:
            data = os.read(self.master, 65536)
            if data:
                moved = True
                self.bytes_up += len(data)
                hub.receive(data, now)
        except OSError:  # nothing there, or the process is gone, which `run` sees
            pass
        hub.tick(now)
        if not self.unsent:
            self.unsent = hub.to_send(now)
        if self.unsent:
            try:
                sent = os.write(self.master, self.unsent)
                self.bytes_down += sent
                self.unsent = self.unsent[sent:]
                moved = True
            except OSError:
                pass
        if not moved:
            time.sleep(0.002)

    def run(self, hub: HubSide, until, limit_s: float = 30) -> None:
        """Turn until `until()`; AssertionError with the process's output when it ends or takes too long."""
        end = time.monotonic() + limit_s
        while not until():
            if self.process.poll() is not None:
                raise AssertionError("the device ended:\n" + self.output())
            if time.monotonic() > end:
                raise AssertionError("not reached:\n" + self.output())
            self.turn(hub)
