"""Goodput with MQTT and a blob on top: a device pulls a blob from a hub, or a hub from a device, chunk by chunk.

The two ends are the protocol and nothing else: link, session, MQTT 3.1.1 and `blob.Fetch`, as a docking has them,
without storage and broker. They are sans-IO, so that `tests/protocol/test_pull.py` runs them in virtual time;
here they are two processes on a throttled wire:

    python -m sim.bench_pull serve --port PORT --baud N --file FILE
    python -m sim.bench_pull pull  --port PORT --baud N --root HEX --size BYTES

`pull` says in one line of JSON how long it took from the opening of its port to the last verified chunk.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import serial

from protocol import blob, crypto, mqtt
from protocol.errors import Refusal
from protocol.link import Link
from protocol.noise import public_of
from protocol.records import topics
from protocol.session import Session
from protocol.stack import Stack
from sim.pty_wire import PtyWire

ROOT = Path(__file__).resolve().parent.parent
HUB = hashlib.sha256(b"the hub of the bench").digest()  # a session needs a key; nothing here is secret
WAIT_S_MAX = 60
GOODBYE_S = 0.4  # after the last byte the ends stay this long, so that the other one hears the last ack
Random = Callable[[int], bytes]
AHEAD_BYTES = 16384  # made and not yet taken by the session


class End:
    """One end of the wire: `receive(data, now)`, `tick(now)`, `next_deadline()`, `to_send(now)`, as any other.

    It serves `body`, or pulls the blob `root` of `size` bytes into `body`; `done` tells that all of it is verified.
    """

    own = peer = ""  # the direction of what this end says, and of what it hears

    def __init__(self, stack: Stack, body: bytes | None = None, root: bytes = b"", size: int = 0) -> None:
        self.stack = stack
        self.served = body
        self.body = bytearray()
        self.fetch = blob.Fetch(root, size) if body is None else None
        self.refused: list[str] = []
        self.ended = False
        self._answers: list[Callable[[], bytes]] = []
        self._out = bytearray()
        if body is not None:
            builder = blob.Builder()
            builder.feed(body)
            self.leaves = builder.finish().leaves

    @property
    def done(self) -> bool:
        return self.fetch is not None and self.fetch.done

    def receive(self, data: bytes, now: int) -> None:
        self.stack.receive(data, now)
        self._events(now)

    def tick(self, now: int) -> None:
        self.stack.tick(now)
        self._events(now)

    def next_deadline(self) -> int | None:
        times = [self.stack.next_deadline(), None if self.fetch is None else self.fetch.next_deadline()]
        return min((one for one in times if one is not None), default=None)

    def to_send(self, now: int) -> bytes:
        self._fill(now)
        return self.stack.to_send(now)

    def _fill(self, now: int) -> None:
        """What there is to say into the session, as far as it has room."""
        while self.stack.up:
            self._say(now)
            taken = self.stack.write(bytes(self._out[: self.stack.room()])) if self._out else 0
            if not taken:
                return
            del self._out[:taken]

    def _say(self, now: int) -> None:
        if self.fetch is not None and self._may_publish():
            while (want := self.fetch.want(now)) is not None:
                self._publish("want", want.encode())
        while self._answers and len(self._out) < AHEAD_BYTES:
            self._publish("chunk", self._answers.pop(0)())

    def _publish(self, kind: str, payload: bytes) -> None:
        self._out += mqtt.publish(topics.own(self.own, kind), payload)

    def _may_publish(self) -> bool:
        return True

    def _events(self, now: int) -> None:
        while (event := self.stack.next_event()) is not None:
            if event[0] == "up":
                self._up(now)
            elif event[0] == "data":
                assert isinstance(event[1], bytes)
                self._hear(event[1], now)
            else:
                self.refused.append(str(event[1]))

    def _up(self, now: int) -> None:
        self._out.clear()

    def _hear(self, data: bytes, now: int) -> None:
        raise NotImplementedError

    def _message(self, topic: str, payload: bytes, now: int) -> None:
        try:
            direction, kind = topics.parse_own(topic)
            if direction != self.peer:
                raise topics.TopicRefused(topic)
            if kind == "want" and self.served is not None:
                body = self.served
                want = blob.Want.decode(payload)
                self._answers += blob.answer(want, self.leaves, lambda at, size: body[at : at + size])
            elif kind == "chunk" and self.fetch is not None:
                self.fetch.receive(payload, now)
                self._keep()
        except Refusal as refusal:
            self.refused.append(refusal.name)

    def _keep(self) -> None:
        assert self.fetch is not None
        while (event := self.fetch.next_event()) is not None:
            if event[0] == "chunk":
                self.body += event[2]
                self.fetch.stored(event[1])


class DeviceEnd(End):
    """The end that opens the session and is an MQTT client."""

    own, peer = topics.UP, topics.DOWN

    def __init__(
        self, link: Link, body: bytes | None = None, root: bytes = b"", size: int = 0, random: Random = os.urandom
    ) -> None:
        static = random(32)
        session = lambda: Session(True, static, random, "IK", public_of(HUB))  # noqa: E731
        super().__init__(Stack(link, session), body, root, size)
        self._client = mqtt.Client("")

    def _up(self, now: int) -> None:
        super()._up(now)
        self._client = mqtt.Client("bench", keepalive_s=60)
        self._client.connect()
        self._client.subscribe(topics.own_filter(self.peer))  # MQTT 3.1.1 section 3.1.4: need not wait for the CONNACK

    def _say(self, now: int) -> None:
        while data := self._client.to_send(now):
            self._out += data
        super()._say(now)

    def end(self) -> None:
        self._client.disconnect()

    def _hear(self, data: bytes, now: int) -> None:
        self._client.receive(data, now)
        while (event := self._client.next_event()) is not None:
            if event[0] == "message":
                self._message(str(event[1]), event[2], now)  # type: ignore[arg-type,misc]
            elif event[0] == "closed" and not self.ended:
                self.ended = True


class HubEnd(End):
    """The end that answers, as a bay and a broker do together."""

    own, peer = topics.DOWN, topics.UP

    def __init__(
        self, link: Link, body: bytes | None = None, root: bytes = b"", size: int = 0, random: Random = os.urandom
    ) -> None:
        super().__init__(Stack(link, lambda: Session(False, HUB, random)), body, root, size)
        self._in = bytearray()
        self._listening = False

    def _up(self, now: int) -> None:
        super()._up(now)
        self._in.clear()
        self._answers.clear()
        self._listening = False

    def _may_publish(self) -> bool:
        return self._listening

    def _hear(self, data: bytes, now: int) -> None:
        self._in += data
        while (packet := mqtt.parse(self._in)) is not None:
            if isinstance(packet, mqtt.Connect):
                self._out += mqtt.connack(0)
            elif isinstance(packet, mqtt.Subscribe):
                self._out += mqtt.suback(packet.packet_id, [0] * len(packet.filters))
                self._listening = True
            elif isinstance(packet, mqtt.Publish):
                self._message(packet.topic, packet.payload, now)
            elif packet.kind == mqtt.DISCONNECT:
                self.ended = True
            else:
                self._out += mqtt.pingresp()


class Line:
    """A serial port that moves the bytes of an End."""

    def __init__(self, path: str, baud: int, end: End) -> None:
        self._port = serial.Serial(path, baud, timeout=0, write_timeout=0, exclusive=True)
        self.end = end
        self._start = time.monotonic()
        self._unsent = b""

    def seconds(self) -> float:
        return time.monotonic() - self._start

    def step(self) -> None:
        """Wait for the port or the next deadline, once."""
        now = int(self.seconds() * 1000)
        self._unsent = self._unsent or self.end.to_send(now)
        deadline = self.end.next_deadline()
        wait_s = 0.25 if deadline is None else min(0.25, max(0, deadline - now) / 1000)
        if self._unsent and not wait_s:
            wait_s = 0.25  # what is due goes out behind that: not before the port has room
        port = self._port.fileno()
        readable, writable, _ = select.select([port], [port] if self._unsent else [], [], wait_s)
        if writable:
            self._unsent = self._unsent[os.write(port, self._unsent) :]
        now = int(self.seconds() * 1000)
        if readable:
            self.end.receive(os.read(port, 65536), now)
        else:
            self.end.tick(now)

    def run(self, until: Callable[[], bool], seconds: float) -> bool:
        """Step until `until()` holds; False when it did not within so long."""
        end = time.monotonic() + seconds
        while not until():
            if time.monotonic() > end:
                return False
            self.step()
        return True


def pull(baud: int, size: int, ber: float, seed: int) -> tuple[float, dict[str, Any]]:
    """(share of the line rate, the figures of both ends) of one blob pulled by the device; share 0 if unfinished."""
    body = os.urandom(size)
    builder = blob.Builder()
    builder.feed(body)
    root = builder.finish().root
    with tempfile.TemporaryDirectory() as folder, PtyWire(baud, ber, seed, process=True) as wire:
        file = Path(folder, "blob")
        file.write_bytes(body)
        command = [sys.executable, "-m", "sim.bench_pull"]
        common = ["--baud", str(baud), "--port"]
        serve = [*command, "serve", *common, wire.a_path, "--file", str(file)]
        server = subprocess.Popen(serve, cwd=ROOT, stdout=subprocess.PIPE)
        try:
            assert server.stdout is not None
            server.stdout.readline()  # its start is not the wire's time
            done = subprocess.run(
                [*command, "pull", *common, wire.b_path, "--root", root.hex(), "--size", str(size)],
                cwd=ROOT, stdout=subprocess.PIPE, timeout=WAIT_S_MAX + 30,
            )  # fmt: skip
            said, _ = server.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            return 0.0, {}
        finally:
            if server.poll() is None:
                server.kill()
                server.communicate()
    if done.returncode or server.returncode:
        return 0.0, {}
    figures: dict[str, Any] = json.loads(done.stdout)
    figures["sender"] = json.loads(said)
    if figures["sha256"] != hashlib.sha256(body).hexdigest():
        return 0.0, figures
    return size / figures["seconds"] / (baud / 10), figures


def main(argv: list[str] | None = None) -> int:
    """One of the two processes."""
    parser = argparse.ArgumentParser(prog="python -m sim.bench_pull")
    parser.add_argument("what", choices=("serve", "pull"))
    parser.add_argument("--file")
    parser.add_argument("--port", required=True)
    parser.add_argument("--baud", type=int, required=True)
    parser.add_argument("--root", type=bytes.fromhex, default=b"")
    parser.add_argument("--size", type=int, default=0)
    options = parser.parse_args(argv)
    link = Link(os.urandom(8))
    crypto.default()  # the loading of its library is a program's start, which is not the wire's time
    if options.what == "serve":
        server = Line(options.port, options.baud, HubEnd(link, Path(options.file).read_bytes()))
        print("ready", flush=True)
        whole = server.run(lambda: server.end.ended, 2 * WAIT_S_MAX)
        server.run(lambda: False, GOODBYE_S)
        print(json.dumps({**link.counters, "refused names": server.end.refused}))
        return 0 if whole else 1
    device = DeviceEnd(link, None, options.root, options.size)
    line = Line(options.port, options.baud, device)
    whole = line.run(lambda: device.done, WAIT_S_MAX)
    seconds = line.seconds()
    device.end()
    line.run(lambda: False, GOODBYE_S)
    digest = hashlib.sha256(device.body).hexdigest()
    print(json.dumps({"seconds": seconds, "sha256": digest, **link.counters, "refused names": device.refused}))
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main())
