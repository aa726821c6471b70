"""Real processes of a simulated wing: started, watched, killed; they print to files, never to pipes."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

# A board has 256 KiB and words of 32 bits. With the unix port's 64 the same objects take 2.2 times as much
# (docs/figures.md, heaps): what fits here takes some 150 KiB of a board's.
DEVICE_HEAP_KIB = 320


class DidNotStart(Exception):
    """A process of the wing ended or stayed silent before it was ready; the text names its log."""


class Child:
    """One process in a group of its own. `log` holds what it printed."""

    def __init__(
        self,
        name: str,
        argv: list[str],
        log: Path,
        pass_fds: tuple[int, ...] = (),
    ) -> None:
        self.name, self.log = name, log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                pass_fds=pass_fds,
                start_new_session=True,
            )

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def last_words(self, lines: int = 12) -> str:
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-lines:])

    def wait_for_page(self, url: str, seconds: float = 30.0) -> None:
        """Return when `url` answers anything below 500; raise DidNotStart otherwise."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not self.alive:
                code = self.process.returncode
                raise DidNotStart(f"{self.name} ended with code {code}. Its last words:\n{self.last_words()}")
            if answers(url):
                return
            time.sleep(0.1)
        raise DidNotStart(f"{self.name} did not answer at {url} in {seconds:.0f} s. See {self.log}.")

    def cpu_s(self) -> float:
        """CPU seconds of this process so far, in user and system."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def kill(self) -> None:
        """SIGKILL to the whole group: what a power cut does to a process."""
        self._signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, seconds: float = 5.0) -> None:
        self._signal(signal.SIGTERM)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def _signal(self, number: int) -> None:
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass


def answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=2).close()
    except urllib.error.HTTPError as answer:
        return answer.code < 500
    except OSError:
        return False
    return True


def free_port(wanted: int) -> int:
    """`wanted` where it is free on the loopback, else any free port."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise DidNotStart("no port is free on the loopback")


def hub_argv(data: Path, page_port: int, bays: dict[str, str], wing: str) -> list[str]:
    argv = [sys.executable, "-m", "perch", "hub", "--data", str(data), "--wing", wing]
    for name, port in bays.items():
        argv += ["--bay", f"{name}={port}"]
    return [*argv, "--page", f"127.0.0.1:{page_port}"]


def device_argv(firmware: Path, data: Path, port_fd: int, page_port: int) -> list[str]:
    """A device as real MicroPython, running what firmware.build made."""
    micropython = Path(sys.executable).parent / "micropython"
    return [
        str(micropython), "-X", f"heapsize={DEVICE_HEAP_KIB}k", str(firmware / "run.py"),
        "--data", str(data), "--port", f"fd:{port_fd}", "--page", f"127.0.0.1:{page_port}",
    ]  # fmt: skip
