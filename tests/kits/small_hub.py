"""The hub's end of small_device.py: CPython, the other side of a pty, until the device has done everything."""

import os
import random
import select
import subprocess
import tempfile
import time
import tty
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from protocol import blob, cbor, crypto, noise
from protocol.link import Link
from protocol.stack import Stack
from tests.kits.memory_hub import HubSide, Kept
from tests.kits.wing import Seeded, Wing

KEYS_AT = 1 << 23  # as in small_device.py
VIDEO_BYTES = 256 * 1024 + 4321
WAIT_S = 300
WINDOW_BYTES = 16384
TAKE_BYTES = 4096  # read from the pty at once


@dataclass
class Outcome:
    """What both ends say at the end: the device's exit code and words, and whether the hub has every byte."""

    code: int
    said: str
    whole: bool

    @property
    def figures(self) -> dict[str, int]:
        """`down`, `up`: bytes of blobs; `imported`, `least`: bytes of heap that were free."""
        words = self.said.strip().splitlines()[-1].replace("after imports", "imported").split()
        return {name: int(words[words.index(name) + 1]) for name in ("down", "up", "imported", "least")}


def run(command: Sequence[str], env: dict[str, str] | None = None) -> Outcome:
    """One docking. `command` starts the device, after it come the descriptors of the wire and of the file."""
    wing = Wing()
    seed, private = bytes(range(32)), bytes(range(100, 132))
    backend = crypto.default()
    certificate = wing.certify(backend.public_key(seed), noise.public_of(private), "ann")
    keys = cbor.dumps([private, seed, wing.hub_x25519, wing.hub.public, certificate])
    kept = Kept(wing)
    video = random.Random(3).randbytes(VIDEO_BYTES)
    kept.approve(b"\1" * 32, "ben", "Hello Ann", media=[("video", video, "video/webm")])
    hub = HubSide(kept, Seeded(os.urandom(8)))
    # a busy machine decides nothing here: neither end takes the other for dead
    hub.stack = Stack(Link(os.urandom(8), WINDOW_BYTES, WINDOW_BYTES, dead_ms=1000 * WAIT_S), hub._session)
    master, slave = os.openpty()
    tty.setraw(slave)
    os.set_blocking(slave, False)
    os.set_blocking(master, False)
    with tempfile.TemporaryFile() as file, tempfile.TemporaryFile("w+") as said:
        os.pwrite(file.fileno(), len(keys).to_bytes(2, "big") + keys, KEYS_AT)
        device = subprocess.Popen(
            [*command, str(slave), str(file.fileno())], pass_fds=(slave, file.fileno()),
            stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT, env=env,
        )  # fmt: skip
        try:
            _serve(hub, master, lambda: device.poll() is None)
        finally:
            device.kill()
            device.wait()
            os.close(master)
            os.close(slave)
        said.seek(0)
        words = said.read()
    return Outcome(device.returncode, words, device.returncode == 0 and _same(kept, video))


def _serve(hub: HubSide, wire: int, going: Callable[[], bool]) -> None:
    start = time.monotonic()
    waiting = b""
    while going():
        now = int((time.monotonic() - start) * 1000)
        assert now < WAIT_S * 1000, "the device neither ends nor goes on"
        hub.tick(now)
        waiting = waiting or hub.to_send(now)
        readable, writable, _ = select.select([wire], [wire] if waiting else [], [], 0.005)
        if writable:
            waiting = waiting[os.write(wire, waiting) :]
        if readable:
            hub.receive(os.read(wire, TAKE_BYTES), int((time.monotonic() - start) * 1000))


def _same(kept: Kept, video: bytes) -> bool:
    """Whether the device's own envelope is in custody, its blob opens to `video`, and its receipt came."""
    ((item, content),) = kept.items.items()
    chunks = kept.chunks[content.blob.root]
    plain = b"".join(blob.open_chunk(content.blob.key, index, chunk) for index, chunk in enumerate(chunks))
    return plain == video and kept.own[item] == 1 and kept.receipts[b"\1" * 32] == 1 and len(kept.journal) == 1
