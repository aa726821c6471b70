"""The peers of the bench on the simulated wire: ZMODEM (lrzsz) and Reticulum (rns), each bounded in time.

A run is a dict: `finished`, `seconds` of the wire, `why` not, and what the wire counted. A program's start before it
opens its port is not the wire's time; its handshake is. A program that ends before the file is whole is started again,
with its own option to resume, for as long as the run may take: as somebody at the wire would.
"""

import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sim.bench_case import Case
from sim.pty_wire import PtyWire

ROOT = Path(__file__).resolve().parent.parent
START_S = 30.0  # no program needs longer to open its port
REOPEN_S = 0.005
Process = subprocess.Popen[str]


class NotFinished(Exception):
    """The run is over without the file; the message says why."""


@contextmanager
def wire_of(case: Case, seed: int) -> Iterator[PtyWire]:
    """The case's wire in a process of its own, with its cuts evenly over the file."""
    with PtyWire(case.baud, case.ber, seed, process=True) as wire:
        apart = case.size * 95 // 100 // max(1, case.cuts)
        for index in range(case.cuts):
            how = "hangup" if case.kind == "hang-ups" else "lift"
            wire.cut("ab", apart * (index + 1), how, case.down_s, "ab"[index % 2])
        yield wire


_running: list[list[Process]] = []


def stop_programs() -> None:
    """The bench was interrupted: end what its runs have started."""
    for process in [process for started in _running for process in started]:
        process.kill()


@contextmanager
def programs() -> Iterator[list[Process]]:
    """Whatever is put into this list does not outlive the run."""
    started: list[Process] = []
    _running.append(started)
    try:
        yield started
    finally:
        _running.remove(started)
        for process in started:
            if process.poll() is None:
                process.kill()
            process.communicate()


def random_file(folder: str, size: int) -> Path:
    file = Path(folder, "video.bin")
    file.write_bytes(os.urandom(size))
    return file


def figures(wire: PtyWire, seconds: float) -> dict[str, Any]:
    """What the wire says about a finished run."""
    downs, down_s = wire.downs()
    counted = wire.counters()["ab"]
    return {
        "finished": True, "seconds": round(seconds, 4), "downs": downs, "down_total_s": round(down_s, 4),
        "bytes_arrived": counted["passed"], "wire": {name: value for name, value in counted.items() if value},
    }  # fmt: skip


def ended(processes: list[Process], seconds: float) -> bool:
    """Wait until one of them has ended, without the pauses that Popen.wait(timeout) makes."""
    descriptors = [os.pidfd_open(process.pid) for process in processes if process.poll() is None]
    try:
        some = len(descriptors) < len(processes)
        return some or bool(select.select(descriptors, [], [], max(0.0, seconds))[0])
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


# ZMODEM


def zmodem(case: Case, seed: int) -> dict[str, Any]:
    if not shutil.which("sz") or not shutil.which("rz"):
        raise NotFinished("lrzsz is not installed")
    with tempfile.TemporaryDirectory() as folder, wire_of(case, seed) as wire, programs() as started:
        file = random_file(folder, case.size)
        out = Path(folder, "out")
        out.mkdir()
        content, target = file.read_bytes(), out / file.name

        def whole() -> bool:
            return target.exists() and target.stat().st_size == case.size and target.read_bytes() == content

        def start(sends: bool, again: bool) -> Process:
            resume = ["-r"] if again else []
            command = ["sz", "-b", "-q", *resume, str(file)] if sends else ["rz", "-b", "-q", *(resume or ["-y"])]
            started.append(on_tty(command, wire.a_path if sends else wire.b_path, out, until))
            return started[-1]

        until = time.monotonic() + START_S
        receiver = start(False, False)
        begin = time.monotonic()
        until = begin + case.wait_s
        sender = start(True, False)
        attempts = 1
        while True:
            if not ended([sender], until - time.monotonic()) and time.monotonic() >= until:
                raise NotFinished(f"not in {case.wait_s:.0f} s, {attempts} attempts")
            seconds = time.monotonic() - begin
            if within(0.2 if case.cuts else 5, whole):
                return {**figures(wire, seconds), "attempts": attempts}
            if not case.cuts:
                raise NotFinished(f"sz ended with {sender.poll()}, rz with {receiver.poll()}")
            if time.monotonic() >= until:
                raise NotFinished(f"not in {case.wait_s:.0f} s, {attempts} attempts")
            attempts += 1
            if receiver.poll() is not None:
                receiver = start(False, True)
            if sender.poll() is not None:
                sender = start(True, True)


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(REOPEN_S)
    return condition()


def on_tty(command: list[str], path: str, folder: Path, until: float) -> Process:
    """Start it with this tty as its input and output; waits for a tty that hung up."""
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY)  # a shell would not give it O_NONBLOCK either
        except OSError:
            if time.monotonic() >= until:
                raise NotFinished("the port did not come back") from None
            time.sleep(REOPEN_S)
            continue
        try:
            return subprocess.Popen(
                command, stdin=descriptor, stdout=descriptor, stderr=subprocess.DEVNULL, cwd=folder, text=True,
                start_new_session=True,
            )  # fmt: skip
        finally:
            os.close(descriptor)


# Reticulum


def reticulum(case: Case, seed: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder, wire_of(case, seed) as wire, programs() as started:
        file = random_file(folder, case.size)
        out = Path(folder, "out")

        def start(*words: str) -> Process:
            started.append(
                subprocess.Popen(
                    [sys.executable, "-m", "sim.rns_end", *words, "--baud", str(case.baud or 3_000_000)], cwd=ROOT,
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                    start_new_session=True,
                )  # fmt: skip
            )
            return started[-1]

        receiver = start("receive", "--port", wire.b_path, "--out", str(out))
        sender = start("send", "--port", wire.a_path, str(file))
        tell(sender, line_of(receiver, START_S))
        line_of(sender, START_S)  # "up"
        tell(sender, "go")
        begin = float(line_of(sender, START_S).split()[0])
        until = time.monotonic() + case.wait_s
        if not ended([receiver], case.wait_s):
            raise NotFinished(f"not in {case.wait_s:.0f} s")
        said = receiver.communicate()[0].split() if receiver.poll() == 0 else []
        if len(said) < 2 or out.read_bytes() != file.read_bytes():
            raise NotFinished(f"it gave up after {time.monotonic() - until + case.wait_s:.0f} s")
        return figures(wire, float(said[0]) - begin)


def tell(process: Process, line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line.strip() + "\n")
    process.stdin.flush()


def line_of(process: Process, seconds: float) -> str:
    """The next line that it says; only while nothing of an earlier line is left unread."""
    assert process.stdout is not None
    if not select.select([process.stdout], [], [], seconds)[0]:
        raise NotFinished(f"nothing was said in {seconds:.0f} s")
    line = process.stdout.readline()
    if not line:
        raise NotFinished(f"it ended at once with {process.wait()}")
    return line
