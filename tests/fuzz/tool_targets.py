"""Fuzzing: what the ends of `perch wire` say to each other, over a session with whoever it is."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from hub_daemon.wire_check import Checking
from hub_daemon.wire_files import Receiving, Sending
from hub_daemon.wire_messages import (
    DATA,
    DONE,
    FIGURES,
    FILL,
    HAVE,
    HEAD_BYTES,
    LAST,
    OFFER,
    PING,
    PLAN,
    READY,
    VERIFIED,
    Exchange,
    Messages,
    WireRefused,
)
from protocol import cbor
from protocol.cbor import CborError
from protocol.link import Link
from protocol.session import Session
from protocol.stack import Stack
from tests.fuzz.feed import Feed
from tests.fuzz.registry import INPUT_BYTES_MAX, target
from tests.kits.records import counting_random, keys

SENT = b"what is sent"


def message(kind: int, content: bytes) -> bytes:
    return bytes([kind]) + len(content).to_bytes(4, "big") + content


def seeds() -> list[bytes]:
    body = b"a small file"
    digest, none = hashlib.sha256(body).digest(), hashlib.sha256(b"").digest()
    offer = message(OFFER, cbor.dumps({1: digest, 2: len(body), 3: "../a name.txt"}))
    start = message(HAVE, cbor.dumps({1: 0}))
    have = message(HAVE, cbor.dumps({1: 0, 2: none}))
    done = message(DONE, cbor.dumps({1: True, 2: {"frames": 3}}))
    figures = message(FIGURES, cbor.dumps({"sent": 3, "damaged": 0})) + message(PING, bytes(8))
    plan = message(PLAN, cbor.dumps({1: 10, 2: 0})) + message(READY, b"")
    last = message(LAST, cbor.dumps({1: 4, 2: hashlib.sha256(b"fill").digest()}))
    verified = message(VERIFIED, cbor.dumps({1: True, 2: {"sent": 1}}))
    return [
        b"\0" + offer + start + message(DATA, body) + figures,
        b"\x07" + have + done,
        b"\0" + offer * 2 + message(DATA, body),
        b"\x09" + plan * 2 + message(FILL, b"fill") + last + verified + figures,
    ]


@target("wire_messages", seeds, 2, (b"\xa3\x01\x58\x20", b"\0\0\0\x05", b"\xa1\x01\0", b"\xf5", b"\x08\0\0\0\x07\xa2"))
def wire_messages(data: bytes) -> None:
    """Every end of `perch wire`: files inside their folder, or a named refusal; messages are the same in pieces."""
    feed = Feed(data)
    size = feed.byte() or INPUT_BYTES_MAX
    stream = feed.rest()
    stack = idle_stack()
    with contextlib.suppress(WireRefused):
        found = Messages(stack).receive(stream)
        cut = Messages(stack)
        assert [each for at in range(0, len(stream), size) for each in cut.receive(stream[at : at + size])] == found
        whole = b"".join(message(kind, content) for kind, content in found)
        assert stream.startswith(whole) and all(HEAD_BYTES + len(content) <= len(data) for _, content in found)
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as name:
        folder = Path(name) / "folder"
        folder.mkdir()
        (folder / "sent").write_bytes(SENT)
        for make in ends(folder, stack):
            run(make(), stream, size)
        assert os.listdir(name) == ["folder"]
        assert all(path.is_file() and path.stat().st_size <= max(len(data), len(SENT)) for path in folder.iterdir())
        assert (folder / "sent").read_bytes() == SENT


def idle_stack() -> Stack:
    static = (keys("slate-1").x_private, keys("slate-1").x_public)
    return Stack(Link(b"perchwir", 2048, 2048), lambda: Session(True, static, counting_random(), "XX"))


def ends(folder: Path, stack: Stack) -> list[Callable[[], Exchange]]:
    """The three of them; their clock goes on by a tenth of a second each time that they look."""
    passed = [0.0]

    def clock() -> float:
        passed[0] += 0.1
        return passed[0]

    def own() -> dict[str, int]:
        return {"frames": 1}

    return [
        lambda: Receiving(folder, stack, own, 115200, clock),
        lambda: Sending(folder / "sent", stack, own, 115200, clock),
        lambda: Checking(stack, own, 115200, 100, 0, clock),
    ]


def run(end: Exchange, stream: bytes, size: int) -> None:
    end.connected()
    with contextlib.suppress(WireRefused, CborError):
        for at in range(0, len(stream), size):
            end.receive(stream[at : at + size])
            end.pump()
    assert all(type(name) is str and type(count) is int for name, count in end.peer.items())
    end.close()
