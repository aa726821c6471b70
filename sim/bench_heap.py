"""The figures of small heaps: runs in real MicroPython, with the heap that is claimed and not more."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from firmware.build import compiler

ROOT = Path(__file__).resolve().parent.parent
TRANSFER = ROOT / "tests" / "kits" / "small_heap.py"
SESSION_KIB = 128


def rows(quick: bool) -> list[dict[str, Any]]:
    return [transfer(SESSION_KIB)]


def transfer(heap_kib: int) -> dict[str, Any]:
    """protocol/, compiled as a device has it, with link and session at both ends of a wire, in one heap."""
    micropython = Path(sys.executable).parent / "micropython"
    with tempfile.TemporaryDirectory() as folder:
        compile_protocol(Path(folder))
        done = subprocess.run(
            [str(micropython), "-X", f"heapsize={heap_kib}k", str(TRANSFER)],
            env={**os.environ, "MICROPYPATH": folder}, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
    last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else done.stderr.strip()[-200:]
    return {"what": "protocol/ and one session", "heap KiB": heap_kib, "result": last, "holds": done.returncode == 0}


def compile_protocol(out: Path) -> None:
    """protocol/ as .mpy files under `out`."""
    for source in sorted((ROOT / "protocol").rglob("*.py")):
        name = source.relative_to(ROOT)
        target = (out / name).with_suffix(".mpy")
        target.parent.mkdir(parents=True, exist_ok=True)
        command = [compiler(), "-march=x64", "-s", str(name), "-o", str(target), str(source)]
        subprocess.run(command, check=True, timeout=60)
