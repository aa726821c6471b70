"""World <-> pty <-> here: a whole device in a MicroPython process, which does nothing but what it is asked.

Runs on MicroPython. A request is one frame, or several where it is long; the answer is what the call returned, what
it did to the storage, and how far the storage's counters are. Time, entropy and faults come with the requests, so that
the process can be run again. sim/box/lockstep.py is the other end, and says what the frames are.
"""

import gc
import hashlib
import io
import sys

from protocol import cbor
from protocol.compat import TYPE_CHECKING
from sim.box.device_core import DeviceCore
from sim.box.flash import OPS, Flash, PowerCut
from sim.box.streams import entropy

if TYPE_CHECKING:
    from typing import Any, BinaryIO

HEAP_THRESHOLD_BYTES = 2 * 1024 * 1024  # made between two collections; fewer of them cost a third less time
CHANGES_BYTES = 64 * 1024  # in one frame


class Line:
    """The pty: frames of a length (4 bytes, big endian) and one item of deterministic CBOR."""

    def __init__(self, stream: "BinaryIO") -> None:
        self.stream = stream

    def take(self) -> "Any":
        """The next frame's item, or None when the other end is gone."""
        head = self.stream.read(4)
        if not head or len(head) < 4:
            return None
        length = int.from_bytes(head, "big")
        body = self.stream.read(length)
        return cbor.loads(body) if body and len(body) == length else None

    def put(self, item: "Any") -> None:
        body = cbor.dumps(item)
        self.stream.write(len(body).to_bytes(4, "big") + body)


class Process:
    """One device between its being turned on and its end."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.flash = Flash()
        self.core: "DeviceCore | None" = None
        self.data = bytearray()  # of the recording that the next act takes

    def run(self) -> None:
        while True:
            asked = self.line.take()
            if asked is None:
                return
            kind = asked[0]
            if kind == "image":
                self.flash.files.clear()
                self.flash.blobs.clear()
            elif kind == "file":
                self.flash.files[asked[1]] = self.flash.files.get(asked[1], b"") + asked[2]
            elif kind == "blob":
                self.flash.blobs.setdefault(asked[1], bytearray()).extend(asked[2])
            elif kind == "data":
                self.data.extend(asked[1])
            elif kind == "faults":
                self.arm(asked)
            else:
                self.answer(asked)

    def arm(self, asked: "list[Any]") -> None:
        flash = self.flash
        _, flash.cut_at, flash.cut_op, flash.moment, flash.full_bytes_max, flash.worn_at, flash.worn_times = asked[:7]
        flash.operations = asked[7]
        for op, count in zip(OPS, asked[8]):
            flash.op_kinds[op] = count

    def answer(self, asked: "list[Any]") -> None:
        """Make the call and say how it ended: "did", "cut", "refused" (the card) or "failed" (a mistake)."""
        try:
            said = ["did", self.call(asked)]
        except PowerCut:
            said = ["cut", None]
        except OSError as error:
            said = ["refused", error.errno]
        except Exception as error:
            said = ["failed", traceback_of(error)]
        flash = self.flash
        changes = self.long_changes(flash.take_changes())
        self.line.put(said + [changes, flash.operations, [flash.op_kinds[op] for op in OPS]])

    def call(self, asked: "list[Any]") -> "Any":
        kind = asked[0]
        if kind == "begin":
            self.core = DeviceCore(self.flash, entropy(asked[1], asked[2]), asked[3])
            return None
        if kind == "digest":
            return digest(self.flash)
        core = self.core
        assert core is not None
        if kind == "step":
            out, deadline, more, status = core.step(asked[1], asked[2], asked[3], asked[4])
            return [[bytes(data) for data in out], deadline, more, status]
        if kind == "act":
            values = asked[3]
            if self.data:
                values["data"] = bytes(self.data)
                self.data = bytearray()
            return core.act(asked[1], asked[2], values)
        if kind == "restart":
            core.restart()
        return core.status()

    def long_changes(self, changes: "list[Any]") -> "list[Any]":
        """Say in frames of their own what does not go into the answer's; returns the rest."""
        kept: "list[Any]" = []
        size = 0
        for change in changes:
            if kept and size + len(change[3]) > CHANGES_BYTES:
                self.line.put(["changes", kept])
                kept = []
                size = 0
            kept.append(change)
            size += len(change[3])
        return kept


def digest(flash: Flash) -> bytes:
    """SHA-256 over everything that is stored."""
    made = hashlib.sha256()
    for name in flash.names(""):
        data = flash.blobs[name] if name in flash.blobs else flash.files[name]
        made.update(f"{name} {len(data)}\n".encode())
        made.update(data)
    return made.digest()


def traceback_of(error: Exception) -> str:
    """Where it was raised, as the interpreter says it; the last 2000 characters."""
    out = io.StringIO()
    sys.print_exception(error, out)  # type: ignore[attr-defined]
    return out.getvalue()[-2000:]


def main(argv: "list[str]") -> int:
    """`argv`: the descriptor of the pty, raw and blocking. Ends when the other end is gone."""
    gc.threshold(HEAP_THRESHOLD_BYTES)  # type: ignore[attr-defined]
    stream = open(int(argv[0]), "r+b")
    try:
        Process(Line(stream)).run()
    except OSError:  # the pty was hung up
        pass
    return 0
