"""The figures of small heaps: runs in real MicroPython, with the heap that is claimed and not more."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TRANSFER = ROOT / "tests" / "kits" / "small_heap.py"
SESSION_KIB = 128


def rows(quick: bool) -> list[dict[str, Any]]:
    return [transfer(SESSION_KIB)]


def transfer(heap_kib: int) -> dict[str, Any]:
    """protocol/ with link and session on both ends of a memory wire, in one heap."""
    micropython = Path(sys.executable).parent / "micropython"
    done = subprocess.run(
        [str(micropython), "-X", f"heapsize={heap_kib}k", str(TRANSFER)],
        env={**os.environ, "MICROPYPATH": str(ROOT)}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else done.stderr.strip()[-200:]
    return {"what": "protocol/ and one session", "heap KiB": heap_kib, "result": last, "holds": done.returncode == 0}
