"""Attack -> here -> bay: whatever is no device puts on a wire: bytes, frames, and sessions of another kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from protocol import frame, noise
from protocol.link import Link, packets
from protocol.noise import Handshake
from sim.box.attackers.attack import Attack
from sim.box.attackers.speaker import Keys, Speaker
from sim.box.attackers.spoken import Spoken
from sim.box.devices import Core, DeviceBox
from sim.box.docks import Docking
from sim.box.flash import Flash

PIECE_BYTES = 2048
CLOSING_BYTES = b"\0"
HELLO_WINDOW_BYTES = 16_384


class Raw:
    """A core of a DeviceBox that writes `pieces` as the line takes them, and listens to nothing."""

    def __init__(self, pieces: Iterator[bytes], first: Callable[[], None], gap_ms: int = 0) -> None:
        self._pieces = pieces
        self._first = first
        self._gap_ms = gap_ms
        self._next_at = 0
        self.sent = 0
        self.done = False

    def step(self, now: int, clock_s: int, pieces: list[bytes], room_bytes: int) -> list[Any]:
        out: list[bytes] = []
        while room_bytes > 0 and not self.done and now >= self._next_at:
            piece = next(self._pieces, None)
            if piece is None:
                self.done = True
                break
            if not piece:
                break  # not connected yet
            self._first()
            out.append(piece)
            self.sent += len(piece)
            room_bytes -= len(piece)
            self._next_at = now + self._gap_ms
        deadline = None if self.done else max(now + 1, self._next_at)
        return [out, deadline, not self.done and not self._gap_ms, self.status()]

    def status(self) -> list[Any]:
        return [False, "hostile", False, 0, 0, "", ""]

    def restart(self) -> None:
        """It does not notice."""

    def act(self, clock_s: int, name: str, values: dict[str, Any]) -> dict[str, Any]:
        return {"refused": "NotADevice"}

    def close(self) -> None:
        """Nothing of it lies outside of this object."""


class OnTheWire(Attack):
    """`pieces` are what it writes, one after the other."""

    reported = ("refused", "wire")
    gap_ms = 0
    stay_ms = 8_000

    def start(self) -> None:
        self.raw: Raw | None = None
        self.visit(self.box, self.make_core, lifted=self._lifted, stay_ms=self.stay_ms)

    def pieces(self) -> Iterator[bytes]:
        raise NotImplementedError

    def make_core(self, flash: Flash, seed: str, actor: str, clock_s: int) -> Core:
        # nothing is written before the wire is connected: a port without one is not woken
        self.raw = Raw(self._when_seated(), self.begin, self.gap_ms)
        return self.raw

    def _when_seated(self) -> Iterator[bytes]:
        while not self.bays:
            yield b""
        yield from self.pieces()

    def _lifted(self, docking: Docking) -> None:
        assert self.raw is not None
        self.end(bytes=self.raw.sent)


class OversizeFrame(OnTheWire):
    """One frame that does not end for a long while, and a right one behind it."""

    def pieces(self) -> Iterator[bytes]:
        left = self.whole("bytes")
        yield CLOSING_BYTES
        while left > 0:
            piece = self.random.randbytes(min(left, PIECE_BYTES)).replace(b"\0", b"\1")
            left -= len(piece)
            yield piece
        yield CLOSING_BYTES + frame.encode(packets.ping_frame(1))


class ZipOfSmallFrames(OnTheWire):
    """Thousands of the smallest frames that are right."""

    def pieces(self) -> Iterator[bytes]:
        small = [frame.encode(packets.ping_frame(serial)) for serial in range(64)]
        yield CLOSING_BYTES
        for number in range(0, self.whole("frames"), 64):
            yield b"".join(small[: self.whole("frames") - number])


class HandshakeFlood(OnTheWire):
    """HELLO after HELLO, each of another end and with another first message of a handshake."""

    stay_ms = 15_000

    def pieces(self) -> Iterator[bytes]:
        hub = self.world.provision.keys.x25519_public
        stranger = Keys(self.entropy(32), self.entropy(32))
        begun = Handshake(
            "Noise_IK_25519_ChaChaPoly_SHA256", True, b"perch/session/1/IK",
            s=(stranger.x_private, stranger.x25519), rs=hub, random=self.entropy,
        )  # fmt: skip
        message = begun.write(b"")
        for number in range(self.whole("times")):
            if number:  # the first is right, and of a key that nobody knows
                message = self.random.randbytes(32) + message[32:]
            greeting = b"\x02" + len(message).to_bytes(2, "big") + message
            made = packets.Hello(
                self.random.randbytes(10), packets.NOBODY, False, HELLO_WINDOW_BYTES, 1024, greeting=greeting
            )
            yield CLOSING_BYTES + frame.encode(made.encode())


class SlowLoris(OnTheWire):
    """The first frame of a session, byte by byte."""

    stay_ms = 60_000

    def start(self) -> None:
        self.gap_ms = self.whole("gap_ms")
        super().start()

    def pieces(self) -> Iterator[bytes]:
        made = packets.Hello(self.random.randbytes(10), packets.NOBODY, False, HELLO_WINDOW_BYTES, 1024)
        whole = CLOSING_BYTES + frame.encode(made.encode())
        while True:
            for at in range(len(whole)):
                yield whole[at : at + 1]


class WrongKey(Spoken):
    """A device as good as any, with keys that nobody enrolled."""

    def keys_of(self, box: DeviceBox) -> Keys:
        return Keys(self.entropy(32), self.entropy(32))

    def make_core(self, flash: Flash, seed: str, actor: str, clock_s: int) -> Core:
        self.speaker = self.speaking(self.box, seed, actor)
        return self.speaker

    def start(self) -> None:
        self.speaker: Speaker | None = None
        self.visit(self.box, self.make_core, lambda docking: self.begin(), self._lifted)

    def came(self, speaker: Speaker) -> dict[str, int | str]:
        return {"sessions": speaker.ups}


class Talker:
    """A core of a DeviceBox: a link of its own and, in its stream, the next of `streams` each time that it comes up."""

    def __init__(self, streams: list[bytes], random: Callable[[int], bytes], first: Callable[[], None]) -> None:
        self.link = Link(random(8))
        self.downs = 0
        self.said = 0
        self._streams = streams
        self._first = first

    def step(self, now: int, clock_s: int, pieces: list[bytes], room_bytes: int) -> list[Any]:
        for piece in pieces:
            self.link.receive(piece, now)
        self.link.tick(now)
        while (event := self.link.next_event()) is not None:
            self.downs += event[0] == "down"
            if event[0] == "up" and self._streams:
                self._first()
                self.said += 1
                self.link.write(self._streams.pop(0))
        out = []
        while room_bytes > 0 and (data := self.link.to_send(now)):
            out.append(data)
            room_bytes -= len(data)
        return [out, self.link.next_deadline(), room_bytes <= 0, self.status()]

    def status(self) -> list[Any]:
        return [self.link.up, "hostile", False, 0, 0, "", ""]

    def restart(self) -> None:
        """It goes on where it is."""

    def act(self, clock_s: int, name: str, values: dict[str, Any]) -> dict[str, Any]:
        return {"refused": "NotADevice"}

    def close(self) -> None:
        """Nothing of it lies outside of this object."""


class Downgrade(Attack):
    """Patterns and protocols that are older or weaker than what Perch speaks; a new link for each."""

    def start(self) -> None:
        self.talker: Talker | None = None
        self.visit(self.box, self._make, lifted=self._lifted, stay_ms=45_000)

    def _make(self, flash: Flash, seed: str, actor: str, clock_s: int) -> Core:
        self.talker = Talker([*self._offers()], self.entropy, self.begin)
        return self.talker

    def _offers(self) -> Iterator[bytes]:
        stranger = Keys(self.entropy(32), self.entropy(32))
        hub = self.world.provision.keys.x25519_public
        yield b"\x04" + bytes(32)  # a pattern that there is none of
        yield b"\x02\x00\x30" + noise.public_of(self.entropy(32)) + bytes(16)  # no static key in it
        for code, name, prologue in (
            (2, "IK", b"perch/session/0/IK"),  # an older session
            (2, "IK", b""),
            (1, "XX", b"perch/session/1/XX"),  # an enrolment that goes no further
        ):
            begun = Handshake(
                f"Noise_{name}_25519_ChaChaPoly_SHA256", True, prologue, s=(stranger.x_private, stranger.x25519),
                rs=hub if name == "IK" else None, random=self.entropy,
            )  # fmt: skip
            message = begun.write(b"")
            yield bytes([code]) + len(message).to_bytes(2, "big") + message

    def _lifted(self, docking: Docking) -> None:
        assert self.talker is not None
        self.end(offers=self.talker.said, downs=self.talker.downs)
