"""Link: wire bytes in, wire bytes out, and between them the stream; frame below, session above.

Two ends find each other by HELLO frames: each names its own connection and the one that it heard of. An end
is up once a HELLO names *it*; the wire keeps order, so nothing of an older connection can follow that HELLO.
A side that restarts, or gives up on silence, comes with a new name and the other side starts anew with it.

A HELLO has room for a greeting of the layer above, so that link and session come up in one round trip together:
`greet(heard, answer)` is asked for ours (heard is None), and told the peer's, `answer` being whether the peer had
heard ours; it gives what to carry from now on, or None for "not now": then no HELLO goes out yet.
"""

from protocol.compat import TYPE_CHECKING
from protocol.errors import Misuse
from protocol.frame import Reader, encode
from protocol.limits import (
    LINK_ACK_WAIT_MS_MAX,
    LINK_BURST_BYTES,
    LINK_CREDIT_ASK_MS,
    LINK_DATA_BYTES_MAX,
    LINK_DEAD_MS,
    LINK_DEVICE_DATA_BYTES_MAX,
    LINK_DEVICE_SEND_BYTES,
    LINK_DEVICE_WINDOW_BYTES,
    LINK_GREETING_BYTES_MAX,
    LINK_HELLO_MS_MAX,
    LINK_HELLO_MS_MIN,
    LINK_KEEP_MS,
    LINK_QUIET_ASK_MS,
    LINK_QUIET_MS_MIN,
    LINK_REFUSALS_MAX,
    LINK_STALL_MS,
    LINK_WINDOW_BYTES,
    LINK_WINDOW_BYTES_MAX,
)
from protocol.link import packets
from protocol.link.receiver import Receiver
from protocol.link.sender import Sender

if TYPE_CHECKING:
    from collections.abc import Callable

    from protocol.link.ring import Bytes

    Greet = Callable[[bytes | None, bool], bytes | None]
    Event = tuple[str] | tuple[str, str] | tuple[str, bytes]


class Link:
    """One end of one wire.

    `boot_id`: 8 bytes, new at every start of the program. `window_bytes` is the credit given to the peer,
    `send_bytes` what `write` holds until it is acked, `data_bytes_max` the longest frame either way.
    Events: ("up",), ("data", bytes), ("down", reason). Nothing that arrives raises.
    """

    def __init__(
        self,
        boot_id: bytes,
        window_bytes: int = LINK_WINDOW_BYTES,
        send_bytes: int = LINK_WINDOW_BYTES,
        data_bytes_max: int = LINK_DATA_BYTES_MAX,
        keep_ms: int = LINK_KEEP_MS,
        dead_ms: int = LINK_DEAD_MS,
        burst_bytes: int = LINK_BURST_BYTES,
        event_bytes_max: int = LINK_DATA_BYTES_MAX,
    ) -> None:
        if len(boot_id) != 8:
            raise Misuse("a boot id has 8 bytes")
        if not 256 <= window_bytes <= LINK_WINDOW_BYTES_MAX:
            raise Misuse("impossible window")
        if not 64 <= data_bytes_max <= LINK_DATA_BYTES_MAX:
            raise Misuse("impossible frame size")
        self._boot_id = bytes(boot_id)
        self._window = window_bytes
        self._data_max = min(data_bytes_max, window_bytes)
        self._keep_ms = keep_ms
        self._dead_ms = dead_ms
        self._burst = burst_bytes
        self._event_bytes_max = event_bytes_max
        # a HELLO must fit as well
        self._reader = Reader(max(self._data_max + packets.HEADER_BYTES, packets.HELLO_BYTES + LINK_GREETING_BYTES_MAX))
        self._sender = Sender(send_bytes, self._data_max)
        self._receiver = Receiver(window_bytes)
        self._events: "list[Event]" = []
        self._connection = 0
        self._peer = packets.NOBODY
        self.greet: "Greet | None" = None
        self._greeting: "bytes | None" = None  # what our HELLOs carry; None: to be asked for
        self._greeted_by = (b"", b"")  # the HELLO that it answers: name and greeting
        self.up = False
        self._ticked = -1  # when we were last called; a pause of ours is not the peer's silence
        self._heard = 0
        self._sent = 0
        self._hello_now = True
        self._hello_at = 0
        self._hello_wait = LINK_HELLO_MS_MIN
        self._rest_until = -1
        self._rest_heard = 0  # when something last came while this end rested
        self._ack_at = -1
        self._tail_at = -1
        self._progress = 0
        self._nudged = False  # the port was away, and nothing has come since
        self._damage_base = 0
        self._refusals = 0
        self._counts = {"sent": 0, "refused": 0, "ups": 0, "bytes_sent": 0, "bytes_received": 0}

    @classmethod
    def for_device(cls, boot_id: bytes) -> "Link":
        """An end that fits a small heap: 16 KiB to come, 8 KiB to go, frames of 1 KiB."""
        return cls(
            boot_id,
            window_bytes=LINK_DEVICE_WINDOW_BYTES,
            send_bytes=LINK_DEVICE_SEND_BYTES,
            data_bytes_max=LINK_DEVICE_DATA_BYTES_MAX,
            burst_bytes=LINK_DEVICE_DATA_BYTES_MAX,
            event_bytes_max=LINK_DEVICE_DATA_BYTES_MAX,
        )

    # figures

    @property
    def counters(self) -> dict[str, int]:
        """frames (taken), repaired, damaged, resent, referred_bytes, refused, sent, ups, frame_bytes, ..."""
        counts = self._counts.copy()
        counts["frames"] = self._reader.taken + self._reader.repaired
        counts["repaired"] = self._reader.repaired
        counts["damaged"] = self._reader.damaged
        counts["resent"] = self._sender.resent
        counts["referred_bytes"] = self._sender.referred
        counts["frame_bytes"] = self._sender.frame_bytes
        counts["round_trip_ms"] = self._sender.round_trip_ms
        return counts

    # the stream

    def write(self, data: "Bytes") -> int:
        """Queue bytes of the stream; returns how many were taken: 0 while the link is down."""
        if not self.up:
            return 0
        return self._sender.write(data)

    def room(self) -> int:
        """Bytes that `write` would take now."""
        return self._sender.room() if self.up else 0

    @property
    def data_bytes_max(self) -> int:
        """Bytes of the longest frame that both ends take."""
        return self._sender.data_bytes_max

    def unacked(self) -> int:
        """Bytes written that the peer has not acked yet."""
        return self._sender.written - self._sender.acked if self.up else 0

    def waiting(self) -> int:
        """Bytes written that have not been sent once."""
        return self._sender.written - self._sender.fresh if self.up else 0

    def next_event(self) -> "Event | None":
        """The next event; data that is not taken here keeps its part of the peer's credit."""
        if self._events:
            return self._events.pop(0)
        if self.up:
            data = self._receiver.take(self._event_bytes_max)
            if data:
                return ("data", data)
        return None

    @property
    def has_events(self) -> bool:
        """Whether the link came up or went down, and nobody has taken it. Data comes only with bytes."""
        return bool(self._events)

    def restart(self, reason: str, now: int, rest_ms: int = 0) -> None:
        """Drop the connection; the peer learns it at once, and HELLOs are heard again after rest_ms.

        Sooner when the wire fell silent: whoever was refused has been lifted, and the next device is not to wait.
        """
        self._down(reason, now)
        if rest_ms:
            self._rest_until = now + rest_ms
            self._rest_heard = now
            self._hello_at = self._rest_until

    def nudge(self, now: int) -> None:
        """The port was away and is back: ask at once what arrived, instead of at the next probe."""
        if self.up:
            self._receiver.ack_now = True
            self._tail_at = now
            self.receive(b"\0", now)  # nothing will follow the part of a frame that came before
            self._nudged = True
        else:
            self._hello_wait = LINK_HELLO_MS_MIN
            self._hello_at = min(self._hello_at, max(now, self._rest_until))

    # time

    def tick(self, now: int) -> None:
        """Let time pass; call at next_deadline() at the latest."""
        if self._ticked < 0:
            self._heard = self._progress = self._sent = now
            self._hello_at = now
        elif now - self._ticked > 2 * self._keep_ms:
            self._heard += now - self._ticked
        self._ticked = now
        if self.up:
            self._tick_up(now)
        elif now >= self._hello_at:
            self._rest_until = -1
            self._hello_now = True

    def _tick_up(self, now: int) -> None:
        if now - self._heard >= self._dead_ms:
            self._down("silent", now)
            return
        if not self._sender.flight:
            self._progress = now
        elif now - self._progress >= LINK_STALL_MS:
            self._down("peer does not ack", now)
            return
        if now - self._sent >= self._keep_ms or (0 <= self._ack_at <= now):
            self._receiver.ack_now = True

    def next_deadline(self) -> "int | None":
        """When tick() is due; None before the first call of tick() or receive(). Call to_send() first."""
        if self._ticked < 0:
            return None
        if not self.up:
            return self._hello_at
        at = min(self._heard + self._dead_ms, self._sent + self._keep_ms)
        if self._ack_at >= 0:
            at = min(at, self._ack_at)
        if self._tail_at >= 0:
            at = min(at, self._tail_at)
        return at

    # wire in

    def receive(self, data: bytes, now: int) -> None:
        """Bytes as they came from the wire."""
        self.tick(now)
        if now < self._rest_until:
            if now - self._rest_heard >= LINK_DEAD_MS:
                self._rest_until = now
            self._rest_heard = now
        self._counts["bytes_received"] += len(data)
        quiet = self.up and self._quiet(now)
        for payload, repaired in self._reader.read(data):
            try:
                self._take(payload, repaired, now)
            except packets.LinkRefusal:
                self._counts["refused"] += 1
                self._refusals += 1
                if self.up and self._refusals > LINK_REFUSALS_MAX:
                    self._down("peer breaks the protocol", now)
        for payload in self._reader.remains:
            self._salvage(payload, now)
        self._reader.remains.clear()
        if quiet and self._heard == now:
            if not self._nudged:
                self._tail_at = now  # the wire is back: ask at once what arrived
            self._nudged = False
        if self.up and self._receiver.unacked and self._ack_at < 0:
            self._ack_at = now + LINK_ACK_WAIT_MS_MAX

    def _take(self, payload: bytes, repaired: bool, now: int) -> None:
        kind = payload[0] if payload else -1
        if repaired and kind != packets.DATA and kind != packets.DATA_ASK:
            return  # control frames have no tag that could judge a repair; they come again
        if kind == packets.HELLO:
            self._take_hello(packets.parse_hello(payload), now)
            return
        if not self.up:
            self._hello_soon(now)
            return
        if kind == packets.DATA or kind == packets.DATA_ASK:
            offset, serial = packets.parse_data(payload)
            self._heard = now
            self._receiver.serial(serial)
            self._receiver.data(offset, payload, kind == packets.DATA_ASK)
        elif kind == packets.ACK:
            ack = packets.parse_ack(payload)
            self._heard = now
            if self._sender.ack(ack, now):
                self._progress = now
                self._tail_at = -1
        elif kind == packets.CLAIM:
            offset, size, checks = packets.parse_claim(payload)
            self._heard = now
            self._sender.claim(offset, size, checks)
        elif kind == packets.REFER:
            self._heard = now
            self._receiver.refer(payload)
        elif kind == packets.PING:
            serial = packets.parse_ping(payload)
            self._heard = now
            self._receiver.serial(serial)
            self._receiver.ack_now = True
        else:
            raise packets.LinkRefusal("frame of an unknown kind")

    def _salvage(self, payload: bytes, now: int) -> None:
        """What was decoded of a damaged segment: claim it where it looks like DATA of the stream."""
        if self.up and len(payload) > packets.HEADER_BYTES and payload[0] in (packets.DATA, packets.DATA_ASK):
            offset, _ = packets.parse_data(payload)
            if self._receiver.remains(offset, payload):
                self._heard = now  # on a slow wire every long frame of a second may be damaged: that is no silence

    # connection

    def _name(self) -> bytes:
        return self._boot_id + bytes((self._connection >> 8 & 0xFF, self._connection & 0xFF))

    def _hello_soon(self, now: int) -> None:
        """Answer at the next chance, but no more often than HELLO_MS_MIN: never an endless echo."""
        if now >= self._rest_until:
            self._hello_wait = LINK_HELLO_MS_MIN
            self._hello_at = min(self._hello_at, max(now, self._sent + LINK_HELLO_MS_MIN))
            if self._hello_at <= now:
                self._hello_now = True

    def _take_hello(self, hello: packets.Hello, now: int) -> None:
        if hello.name[:8] == self._boot_id:
            raise packets.LinkRefusal("our own HELLO came back")
        if hello.version_min > packets.VERSION_MAX or hello.version_max < packets.VERSION_MIN:
            raise packets.LinkRefusal("no common version")
        if now < self._rest_until:
            return
        if len(self._events) > 2 * LINK_REFUSALS_MAX:
            raise packets.LinkRefusal("HELLO after HELLO")
        self._heard = now
        if self.up:
            if hello.name == self._peer:
                self._hello_now = self._hello_now or not hello.up
                return
            self._down("peer restarted", now)
        answer = hello.peer == self._name()
        if not self._greeted(hello, answer):
            self._hello_soon(now)
            return
        self._peer = hello.name
        if answer:
            self._rise(hello, now)
            self._hello_now = not hello.up
        else:
            self._hello_now = True

    def _greeted(self, hello: packets.Hello, answer: bool) -> bool:
        """Hand the peer's greeting on, once; False: it cannot be heard now, and will come again."""
        by = (hello.name, hello.greeting)
        if self.greet is None or by == self._greeted_by:
            return True
        if not hello.greeting:
            if not answer:
                self._greeting = None  # ours may have been for somebody else
            return True
        ours = self.greet(hello.greeting, answer)
        if ours is None:
            return False
        self._greeting = ours
        self._greeted_by = by
        return True

    def _may_greet(self) -> bool:
        """Whether a HELLO may go out: with a greeting, if there is one."""
        if self._greeting is None:
            self._greeting = self.greet(None, False) if self.greet is not None else b""
        return self._greeting is not None

    def _rise(self, hello: packets.Hello, now: int) -> None:
        self.up = True
        self._receiver.reset()
        self._sender.reset(hello.data_max, hello.window)
        self._damage_base = self._reader.damaged + self._reader.repaired
        self._refusals = 0
        self._progress = now
        self._heard = now
        self._ack_at = self._tail_at = -1
        self._nudged = False
        self._counts["ups"] += 1
        self._events.append(("up",))

    def _down(self, reason: str, now: int) -> None:
        if self.up:
            data = self._receiver.take(self._event_bytes_max)
            while data:  # it was acked: the layer above gets it
                self._events.append(("data", data))
                data = self._receiver.take(self._event_bytes_max)
            self._events.append(("down", reason))
        self.up = False
        # a new name each time: no HELLO of the old connection can bring this end up again on its own
        self._connection = (self._connection + 1) & 0xFFFF
        self._peer = packets.NOBODY
        self._greeting = None
        self._greeted_by = (b"", b"")
        self._hello_now = True
        self._hello_wait = LINK_HELLO_MS_MIN
        self._hello_at = now
        self._rest_until = -1

    # wire out

    def to_send(self, now: int) -> bytes:
        """Wire bytes that are due, at most about one burst; call again once they are on their way."""
        self.tick(now)
        out: list[bytes] = []
        if self._hello_now and (self.up or self._may_greet()):
            self._hello_now = False
            hello = packets.Hello(self._name(), self._peer, self.up, self._window, self._data_max)
            hello.greeting = self._greeting or b""
            out.append(encode(hello.encode()))
            if not self.up:
                self._hello_at = max(now, self._rest_until) + self._hello_wait
                self._hello_wait = min(2 * self._hello_wait, LINK_HELLO_MS_MAX)
        if self.up:
            self._frames(out, now)
        if not out:
            return b""
        self._sent = now
        self._counts["sent"] += len(out)
        data = b"".join(out)
        self._counts["bytes_sent"] += len(data)
        return data

    def _quiet(self, now: int) -> bool:
        """The acks of a stream have stopped, or the port was away: bytes may go nowhere now, so a PING asks first."""
        round_trip_ms = self._sender.round_trip_ms
        if not self._sender.flight:
            return False
        if self._nudged:
            return True
        silent_ms = now - max(self._heard, self._progress)
        return round_trip_ms >= 0 and silent_ms > max(LINK_QUIET_MS_MIN, 2 * round_trip_ms)

    def _frames(self, out: list[bytes], now: int) -> None:
        claim = self._receiver.claim()
        while claim:  # before the ack that shows the loss
            out.append(encode(claim))
            claim = self._receiver.claim()
        if self._receiver.ack_now:
            self._ack_at = -1
            damage = self._reader.damaged + self._reader.repaired - self._damage_base
            out.append(encode(self._receiver.ack(damage)))
        size = 0
        quiet = self._quiet(now)
        if quiet:
            self._sender.probing = True
        while size < self._burst and not quiet:
            payload = self._sender.frame(now)
            if not payload:
                break
            wire = encode(payload)
            size += len(wire)
            out.append(wire)
        if size:
            self._tail_at = now + self._sender.tail_ms
            return
        if not self._sender.flight:
            if self._sender.written == self._sender.fresh:
                self._tail_at = -1
                return
            # credit is used up, and its news may be lost
            self._tail_at = max(self._tail_at, self._sent + LINK_CREDIT_ASK_MS)
        if self._tail_at < 0:
            self._tail_at = now + self._sender.tail_ms
        elif now >= self._tail_at:
            out.append(encode(self._sender.tail(now)))
            self._sender.backoff()
            self._tail_at = now + (LINK_QUIET_ASK_MS if quiet else self._sender.tail_ms)
