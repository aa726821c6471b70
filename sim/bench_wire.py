"""Goodput on a throttled serial wire, as a share of the line rate: Perch beside ZMODEM in the same run.

Perch is `perch wire`: frame, link and session, encrypted, verified by SHA-256; the clock runs from the opening of
the sender's port to the receiver's word that the whole file is verified. ZMODEM is lrzsz's `sz -b` and `rz -b`,
where they are installed; its clock runs from the start of `sz` to its end. Both go through the same `PtyWire`
in a process of its own, with the same seed.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from sim.pty_wire import PtyWire

ROOT = Path(__file__).resolve().parent.parent
WAIT_S = 60
ZMODEM_WAIT_S = 40  # ten times what a clean line needs
# (baud, bytes, bit error rate, least share of the line rate or None)
QUICK = ((3_000_000, 1 << 19, 0.0, 0.95), (3_000_000, 1 << 19, 1e-5, None))
FULL = (
    (3_000_000, 1 << 20, 0.0, 0.95),
    (3_000_000, 1 << 20, 1e-6, 0.95),
    (3_000_000, 1 << 20, 1e-5, 0.90),
    (3_000_000, 1 << 20, 1e-4, 0.65),
    (921_600, 1 << 18, 0.0, 0.95),
    (921_600, 1 << 18, 1e-5, None),
    (115_200, 1 << 16, 0.0, None),
)
RUNS = 3


def rows(quick: bool) -> list[dict[str, Any]]:
    """One row a wire: the median share of each program over its runs, and whether Perch keeps its limit."""
    found = []
    for baud, size, ber, least in QUICK if quick else FULL:
        runs = 1 if quick else RUNS
        shares = [perch(baud, size, ber, seed) for seed in range(1, runs + 1)]
        median = statistics.median(share for share, _ in shares)
        worst = min(shares)[1]
        row: dict[str, Any] = {
            "baud": baud, "bytes": size, "bit error rate": ber, "perch": round(median, 4),
            "repaired": worst.get("peer_repaired", 0), "resent": worst.get("resent", 0),
        }  # fmt: skip
        if shutil.which("sz") and shutil.which("rz"):
            row["zmodem"] = median_of_zmodem(baud, size, ber, runs)
        row["limit"] = least
        if least is not None:
            row["holds"] = median >= least
        found.append(row)
    return found


def median_of_zmodem(baud: int, size: int, ber: float, runs: int) -> float | str:
    """The median share, or "not finished" as soon as one run is not: the next ones would wait as long."""
    shares = []
    for seed in range(1, runs + 1):
        shares.append(zmodem(baud, size, ber, seed))
        if not shares[-1]:
            return "not finished"
    return round(statistics.median(shares), 4)


def perch(baud: int, size: int, ber: float, seed: int) -> tuple[float, dict[str, Any]]:
    """(share of the line rate, the sender's figures) of one file; share 0 when it was not finished."""
    with tempfile.TemporaryDirectory() as folder, PtyWire(baud, ber, seed, process=True) as wire:
        file = random_file(Path(folder), size)
        command = [sys.executable, "-m", "hub_daemon.wire"]
        common = ["--json", "--baud", str(baud)]
        receiver = subprocess.Popen(
            [*command, "receive", "--once", "--port", wire.b_path, "--out", f"{folder}/out", *common],
            cwd=ROOT, stdout=subprocess.PIPE,
        )  # fmt: skip
        time.sleep(1)  # its start is not the wire's time
        try:
            done = subprocess.run(
                [*command, "send", str(file), "--port", wire.a_path, *common],
                cwd=ROOT, stdout=subprocess.PIPE, timeout=WAIT_S,
            )  # fmt: skip
            receiver.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            return 0.0, {}
        finally:
            if receiver.poll() is None:
                receiver.kill()
                receiver.communicate()
        if done.returncode or receiver.returncode:
            return 0.0, {}
        figures = json.loads(done.stdout)
        return size / figures["seconds_since_open"] / (baud / 10), figures


def zmodem(baud: int, size: int, ber: float, seed: int) -> float:
    """Share of the line rate of one file by lrzsz; 0 when it was not finished or is not the same file."""
    with tempfile.TemporaryDirectory() as folder, PtyWire(baud, ber, seed, process=True) as wire:
        file = random_file(Path(folder), size)
        out = Path(folder, "out")
        out.mkdir()
        # a shell would give them the tty without O_NONBLOCK
        a, b = (os.open(path, os.O_RDWR | os.O_NOCTTY) for path in (wire.a_path, wire.b_path))
        quiet = {"stderr": subprocess.DEVNULL}
        receiver = subprocess.Popen(["rz", "-b", "-y", "-q"], stdin=b, stdout=b, cwd=out, **quiet)  # type: ignore[call-overload]
        start = time.monotonic()
        sender = subprocess.Popen(["sz", "-b", "-q", str(file)], stdin=a, stdout=a, **quiet)  # type: ignore[call-overload]
        try:
            sender.wait(timeout=ZMODEM_WAIT_S)
            seconds = time.monotonic() - start
            receiver.wait(timeout=5)
        except subprocess.TimeoutExpired:
            seconds = 0.0
        finally:
            for process in (sender, receiver):
                if process.poll() is None:
                    process.kill()
                    process.wait()
            os.close(a)
            os.close(b)
        received = out / file.name
        whole = received.exists() and received.read_bytes() == file.read_bytes()
        return size / seconds / (baud / 10) if seconds and whole else 0.0


def random_file(folder: Path, size: int) -> Path:
    file = folder / "video.bin"
    file.write_bytes(os.urandom(size))
    return file
