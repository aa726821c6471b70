"""Fuzzing: Noise, session and stack. Whoever holds the wire but no key may break a session, never enter or bend one."""

from __future__ import annotations

from functools import cache

from protocol import crypto, frame, noise
from protocol.link import Link
from protocol.noise import CipherState, Handshake, NoiseError
from protocol.session import Session
from protocol.stack import Stack
from tests.fuzz.feed import Feed, piece
from tests.fuzz.registry import target
from tests.kits.records import counting_random, keys

PATTERNS = ("XX", "IK", "IKpsk2", "NN", "X", "KK", "IX")
SUITE = "_25519_ChaChaPoly_SHA256"
PSK = bytes(range(32))


@cache
def pair_of(name: str) -> tuple[bytes, bytes]:
    return keys(name).x_private, keys(name).x_public


def sides(pattern: str) -> tuple[Handshake, Handshake]:
    """Initiator and responder, each with the keys that the pattern may need."""
    made = []
    for initiator, own, other, fixed in ((True, "slate-1", "hub", 1), (False, "hub", "slate-1", 2)):
        pre_initiator, pre_responder, messages = noise.pattern(pattern.partition("psk")[0])
        theirs = pre_responder if initiator else pre_initiator
        static = any("s" in "".join(message) for message in messages)
        made.append(
            Handshake(
                "Noise_" + pattern + SUITE, initiator,
                s=pair_of(own) if static else None,
                e=pair_of(f"ephemeral {fixed}"),
                rs=pair_of(other)[1] if theirs else None,
                psk=PSK if "psk" in pattern else None,
            )
        )  # fmt: skip
    return made[0], made[1]


@target("noise_handshake", lambda: [bytes([n, m, 0]) for n in range(7) for m in range(3)], 3)
def noise_handshake(data: bytes) -> None:
    """One message of a handshake is changed: NoiseError, or two ends that do not agree; never one session."""
    feed = Feed(data)
    pattern = PATTERNS[feed.byte() % len(PATTERNS)]
    spoiled, cut = feed.byte() % 4, feed.byte()
    change = feed.rest()
    turn = 0
    writer, reader = sides(pattern)
    initiator, responder = writer, reader
    changed = False
    while not (initiator.done and responder.done):
        message = writer.write(b"payload")
        sent = message
        if turn == spoiled:
            sent = bytes(a ^ b for a, b in zip(message, change + bytes(len(message))))
            sent = sent[:-cut] if 0 < cut < 128 else sent + change[: max(0, cut - 128)]
        changed = changed or sent != message
        try:
            reader.read(sent)
        except NoiseError:
            assert changed and not reader.done
            return
        writer, reader = reader, writer
        turn += 1
    assert (initiator.hash == responder.hash) == (not changed)


@target("noise_garbage", lambda: [bytes([n]) + bytes(96) for n in range(7)], 2)
def noise_garbage(data: bytes) -> None:
    """Bytes that nobody chose open no handshake that has a key in its first message, of either side."""
    feed = Feed(data)
    pattern = PATTERNS[feed.byte() % len(PATTERNS)]
    message = feed.rest()
    initiator, responder = sides(pattern)
    initiator.write(b"")
    for side in (responder, initiator):
        if pattern == "X" and side is initiator:
            continue
        try:
            payload = side.read(message)
        except NoiseError:
            assert not side.done
        else:
            assert pattern not in ("IK", "IKpsk2", "X", "KK") and len(payload) <= len(message)
    if len(message) > 1:
        try:
            noise.open_from(keys("hub").x_private, message)
        except NoiseError:
            return
        raise AssertionError("opened what nobody sealed")


@target("noise_transport", lambda: [b"\0\x05\1\0\x06\1", b"\0\x05\0\x04\2\0\1\3\x01\xff"], 2)
def noise_transport(data: bytes) -> None:
    """A stream of sealed messages opens in its order only; a refused one changes nothing."""
    feed = Feed(data)
    sender, receiver = (CipherState(PSK, crypto.default()) for _ in range(2))
    sealed: list[bytes] = []
    opened = 0
    while feed.left:
        what = feed.byte() & 3
        if what == 0:
            sealed.append(sender.seal(b"ad", feed.piece()))
            continue
        if what == 1 and opened < len(sealed):
            receiver.open(b"ad", sealed[opened])
            opened += 1
            continue
        message = sealed[feed.byte() % len(sealed)] if what == 2 and sealed else feed.piece()
        right = opened < len(sealed) and message == sealed[opened]
        before = receiver.nonce
        try:
            receiver.open(b"ad", message)
        except NoiseError:
            assert not right and receiver.nonce == before
        else:
            assert right
            opened += 1


def session_ends(pattern: str) -> tuple[Session, Session]:
    remote = pair_of("hub")[1] if pattern == "IK" else None
    device = Session(True, pair_of("slate-1"), counting_random(1), pattern, remote, payload=b"from device")
    hub = Session(False, pair_of("hub"), counting_random(1000), payload=b"from hub")
    return device, hub


class Heard:
    """The events of one session: up once, data that its peer wrote and nothing else, closed once and last."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.wrote = b""
        self.data = b""
        self.names: list[str] = []

    def drain(self, peer: Heard) -> None:
        while (event := self.session.next_event()) is not None:
            assert "closed" not in self.names, "an event after the end"
            self.names.append(event[0])
            if event[0] == "data":
                assert isinstance(event[-1], bytes)
                self.data += event[-1]
        assert self.names.count("up") <= 1 and (not self.names or self.names[0] in ("up", "closed"))
        assert peer.wrote.startswith(self.data), "data that nobody wrote"
        assert self.session.closed == ("closed" in self.names)
        if self.session.closed:
            assert self.session.to_send() == b"" and self.session.write(b"x") == 0


def session_seeds() -> list[bytes]:
    out = []
    for pattern, first in (("XX", 0), ("IK", 1)):
        device, hub = session_ends(pattern)
        there = device.to_send()
        hub.receive(there)
        out.append(bytes([first]) + b"\0\1" * 4 + b"\2\x20\0" + b"\4\x20\1" + b"\6\x01")
        out.append(bytes([first]) + b"\x08" + piece(there) + b"\x09" + piece(hub.to_send()))
        out.append(bytes([first]) + b"\0\1\0\1\3\x10\5\x05\x08" + piece(bytes([0, 16]) + bytes(16)))
    return out


@target("session", session_seeds, 4, (b"\x01\x00\x20", b"\x02\x00\x60", b"\x10\x10", b"\0\x10"))
def session(data: bytes) -> None:
    """Two ends and a wire that flips, drops, cuts, repeats and says what it likes: no false byte, no exception."""
    feed = Feed(data)
    device, hub = session_ends(("XX", "IK")[feed.byte() & 1])
    heard = (Heard(device), Heard(hub))
    last = [b"", b""]
    for _ in range(120):
        if not feed.left:
            break
        what = feed.byte()
        side = what & 1
        end, other = heard[side], heard[1 - side]
        kind = what >> 1 & 7
        if kind == 0 or kind == 7:  # one honest message across, whole or in pieces
            last[side] = end.session.to_send()
            for part in feed.pieces(last[side]) if kind else (last[side],):
                other.session.receive(part)
        elif kind == 1 or kind == 2:
            text = bytes([len(end.wrote) & 0xFF]) * (feed.byte() * kind * 12)
            end.wrote += text[: end.session.write(text)]
        elif kind == 3:  # lost, or the last one once more
            other.session.receive(last[side])
        elif kind == 4:
            end.session.receive(feed.piece())
        elif kind == 5:
            sent = bytearray(end.session.to_send())
            if sent:
                sent[feed.u16() % len(sent)] ^= feed.byte()
            other.session.receive(bytes(sent))
        else:
            end.session.close("for a test")
        for one, two in ((end, other), (other, end)):
            one.drain(two)
    for one, two in (heard, heard[::-1]):
        # who is up has a peer that knows it: the keys of both are in what it opened
        assert "up" not in one.names or two.session.pattern == one.session.pattern


class Wired:
    """Two stacks and the wire between them: what each said, and what each heard in its present session."""

    def __init__(self) -> None:
        def device_session() -> Session:
            return Session(True, pair_of("slate-1"), self.random, "IK", pair_of("hub")[1])

        def hub_session() -> Session:
            return Session(False, pair_of("hub"), self.random, accept=lambda pattern, *_: pattern == "IK")

        self.random = counting_random(7)
        self.makers = (device_session, hub_session)
        self.ends = (
            Stack(Link.for_device(b"device01"), device_session), Stack(Link(b"thehub01", 4096, 4096, 512), hub_session)
        )  # fmt: skip
        self.now = 0
        self.wire: list[list[bytes]] = [[], []]  # what each end said lately
        self.hash = [b"", b""]
        self.said: dict[bytes, list[bytes]] = {}  # handshake hash -> what each end wrote in that session
        self.heard = [b"", b""]

    def drain(self) -> None:
        for side, end in enumerate(self.ends):
            while (event := end.next_event()) is not None:
                if event[0] == "up":
                    self.hash[side] = event[-1]  # type: ignore[assignment]
                    self.said.setdefault(self.hash[side], [b"", b""])
                    self.heard[side] = b""
                elif event[0] == "data":
                    self.heard[side] += event[-1]  # type: ignore[operator]
                    wrote = self.said[self.hash[side]][1 - side]
                    assert wrote.startswith(self.heard[side]), "data that nobody wrote"

    def write(self, side: int, data: bytes) -> None:
        self.drain()
        if self.ends[side].up:
            taken = self.ends[side].write(data)
            self.said[self.hash[side]][side] += data[:taken]

    def round(self, keep: int = 3) -> None:
        """Both ends say what they have to say; bit `side` of `keep`: it arrives."""
        for side, end in enumerate(self.ends):
            data = end.to_send(self.now)
            if data:
                self.wire[side] = [*self.wire[side][-7:], data]
                if keep >> side & 1:
                    self.ends[1 - side].receive(data, self.now)
            self.drain()

    def talk(self, ms: int, keep: int = 3) -> None:
        until = self.now + ms
        while self.now < until:
            self.round(keep)
            self.now += 5


def stack_seeds() -> list[bytes]:
    up, forged = b"\0\x20", piece(b"\1\0\0\0\0\0x")
    return [up + b"\2\x20\3\x30\0\x40", up + b"\4\0\4\1\4\7" * 4 + up, up + b"\2\x40\1\x10\5" + forged + up]


@target("stack", stack_seeds, 4, (b"perch", b"\x01\0\0\0", b"\x03\0\0\0"))
def stack(data: bytes) -> None:
    """Whoever is on the wire cannot make either end hear a false byte; once he is gone, both hear each other."""
    feed = Feed(data)
    wired = Wired()
    for _ in range(80):
        if not feed.left:
            break
        what = feed.byte()
        side = what >> 4 & 1
        kind = what & 7
        if kind < 2:
            wired.talk(2 * feed.byte(), 3 if kind == 0 else 1 + side)
        elif kind < 4:
            wired.write(side, bytes([feed.byte()]) * 16 * feed.byte())
        elif kind == 4:  # something said before, once more
            old = wired.wire[side]
            wired.ends[1 - side].receive(old[feed.byte() % len(old)] if old else b"", wired.now)
        elif kind == 5:
            wired.ends[side].receive(frame.encode(feed.piece()), wired.now)
        elif kind == 6:
            wired.ends[side].receive(feed.piece(), wired.now)
        else:
            wired.now += 10 * feed.byte()
            wired.ends[side].tick(wired.now)
        wired.drain()
    honest_end(wired)


def honest_end(wired: Wired, within_ms: int = 60_000) -> None:
    """The wire is left alone: each end hears a word that the other says now, in one session."""
    until = wired.now + within_ms
    words = (b"<device's last word>", b"<hub's last word>")
    told = [b"", b""]
    while wired.now < until:
        wired.talk(20)
        for side in (0, 1):
            if wired.ends[side].up and told[side] != wired.hash[side]:
                told[side] = wired.hash[side]
                wired.write(side, words[side])
        if all(wired.heard[side].endswith(words[1 - side]) for side in (0, 1)) and wired.hash[0] == wired.hash[1]:
            return
    raise AssertionError(f"deaf: {wired.heard}")
