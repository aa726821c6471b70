"""Counts machine instructions of MicroPython, exactly: the unix port under Valgrind's callgrind.

A script calls `mark()` before and after what it measures; callgrind starts a new count at each call, so that the start
of the interpreter, the script's own set-up and everything else between the pairs is left out. What remains is the same
in every run, as long as the measured code finds the heap in the same state: call `gc.collect()` before the first mark
of a pair, keep arguments in buffers that stay where they are, and run each thing before it is measured (MicroPython
remembers where it found a name).
"""

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.kits import micropython

MARK = "mem_peak"  # of the module micropython: does next to nothing, and nobody else calls it
MARK_SYMBOL = "mp_micropython_mem_peak"
HEAD = f"""import sys
sys.path.insert(0, {str(micropython.ROOT)!r})
import gc
from micropython import {MARK} as mark
"""


class ValgrindMissing(Exception):
    """Nothing can be counted without it."""


def counts(script: str) -> list[int]:
    """Instructions between the two marks of each pair, in the order of the script, marks included."""
    return _run(script)[1]


def named_counts(script: str) -> tuple[list[str], list[int]]:
    """The same of a script that prints `measured NAME` after each pair, and these names."""
    said, found = _run(script)
    names = [line.removeprefix("measured ") for line in said.splitlines() if line.startswith("measured ")]
    if len(names) != len(found):
        raise RuntimeError(f"{len(names)} names of {len(found)} counts")
    return names, found


def _run(script: str, heap: str = "32m", timeout_s: float = 600) -> tuple[str, list[int]]:
    if shutil.which("valgrind") is None:
        raise ValgrindMissing("valgrind is not installed: `make setup`, or sudo apt-get install valgrind")
    found = importlib.util.find_spec("micropython_run")
    if found is None or found.origin is None:
        raise RuntimeError("there is no MicroPython beside this Python: `make setup` installs it")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "measured.py").write_text(HEAD + script, encoding="utf-8")
        start = (
            f"import sys; sys.path.insert(0, {str(Path(found.origin).parent)!r})\n"
            "from micropython_run import run_main\n"
            f"sys.exit(run_main(['micropython', '-X', 'heapsize={heap}', 'measured.py']))"
        )
        done = subprocess.run(
            ["valgrind", "--tool=callgrind", f"--dump-before={MARK_SYMBOL}", "--callgrind-out-file=counted",
             sys.executable, "-S", "-E", "-c", start],
            cwd=folder, env={"PATH": os.environ["PATH"], "PYTHONHASHSEED": "0"}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout_s,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(done.stdout[-3000:])
        marks = len(list(Path(folder).glob("counted.*")))
        if not marks or marks % 2:
            raise RuntimeError(f"{marks} marks are no pairs\n{done.stdout[-3000:]}")
        return done.stdout, [_total(Path(folder) / f"counted.{number}") for number in range(2, marks + 1, 2)]


def _total(file: Path) -> int:
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("totals:"):
            return int(line.split()[1])
    raise RuntimeError(f"{file.name} has no totals")


def version() -> str:
    """The interpreter whose instructions are counted."""
    return micropython.run(["-c", "import sys; print(sys.version)"]).stdout.strip()
