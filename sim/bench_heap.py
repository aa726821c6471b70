"""The figures of small heaps: a real docking in real MicroPython, with the heap that is claimed and not more.

The device's end is tests/kits/small_device.py: every module of protocol/ that a docking device has, loaded at once; a
session over a pty with a hub in CPython; the roster, the list and a bundle verified; a video down and another one up.
It runs on board32 (tests/kits/board32), whose words have 32 bits as a board's have, and on the unix port: 64 bits.
"""

import importlib
import os
import tempfile
from pathlib import Path
from typing import Any

from firmware import build

ROOT = Path(__file__).resolve().parent.parent
DEVICE = ROOT / "tests" / "kits" / "small_device.py"
EDGE = ROOT / "tests" / "kits" / "edge.py"
BOARD_KIB = 64
UNIX_KIB = 144
small_hub: Any = importlib.import_module("tests.kits.small_hub")


def rows(quick: bool) -> list[dict[str, Any]]:
    del quick
    return [
        row("32-bit words, as a board", BOARD_KIB, on_board32(BOARD_KIB)),
        row("64-bit words, the unix port", UNIX_KIB, on_unix(UNIX_KIB)),
    ]


def row(what: str, heap_kib: int, outcome: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"what": "protocol/, a session and transfers; " + what, "heap KiB": heap_kib}
    if outcome.code == 0:
        figures = outcome.figures
        found |= {"down": figures["down"], "up": figures["up"]}
        found |= {"free after imports": figures["imported"], "least free": figures["least"]}
    return found | {"holds": outcome.whole}


def on_board32(heap_kib: int) -> Any:
    """The docking in a heap of 32-bit words: an Outcome of small_hub. Raises NotBuilt where board32 cannot be made."""
    made = importlib.import_module("tests.kits.board32.build").board32(DEVICE)
    return small_hub.run([str(made), str(heap_kib)])


def on_unix(heap_kib: int) -> Any:
    """The docking on the unix port, its program in a ROM image (firmware/rom.py)."""
    with tempfile.TemporaryDirectory() as folder:
        edge = build.compile_all({"edge.py": EDGE.read_text(encoding="utf-8")}, "x64")
        files = {"device.mpy": build.build_flat(DEVICE, "x64"), **edge}
        build.write_program(Path(folder), files, "device", "x64")
        interpreter = importlib.import_module("tests.kits.micropython").interpreter()
        command = [interpreter, "-X", f"heapsize={heap_kib}k", f"{folder}/run.py"]
        return small_hub.run(command, {**os.environ, "MICROPYPATH": folder})
