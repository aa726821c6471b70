"""perch wire, what its ends say to each other over the session's stream: messages of `kind u8 | length u32 | content`.

Content is deterministic CBOR except for DATA, FILL, PING and PONG. Every exchange, a file or a check, tells the other
end those of its figures that changed (FIGURES), so that both show both directions, and answers a PING at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from protocol import cbor
from protocol.errors import Refusal
from protocol.stack import Stack

OFFER, HAVE, DATA, DONE = 1, 2, 3, 4  # a file: wire_files
FIGURES, PING, PONG = 5, 6, 7
PLAN, READY, FILL, LAST, VERIFIED = 8, 9, 10, 11, 12  # a check: wire_check
HEAD_BYTES = 5
PIECE_BYTES = 32 * 1024
MESSAGE_BYTES_MAX = 64 * 1024
WAITING_BYTES_MAX = 1 << 20  # answers that the other end asks for and does not take
FIGURES_S = 1.0  # how often an end says its figures at most ...
FIGURES_SHARE = 1 / 400  # ... and on a slow line less often: so much of it is theirs
FIGURE_MAX = 1 << 53  # no honest figure is larger; JSON's readers take this much exactly
FIGURES_MAX = 64
NAME_CHARS_MAX = 32
PING_BYTES = 8
ROUND_TRIPS_MAX = 1000

Clock = Callable[[], float]


class WireRefused(Refusal):
    """The other end sent something that is not this exchange."""


class Messages:
    """Messages over a stack's stream, both ways; what does not fit into the stack yet waits here."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self._in = bytearray()
        self._out = bytearray()

    def reset(self) -> None:
        """A new connection: what was half sent or half received is void."""
        self._in.clear()
        self._out.clear()

    def send(self, kind: int, content: bytes) -> None:
        self._out += bytes([kind]) + len(content).to_bytes(4, "big") + content

    def flush(self) -> bool:
        """Push into the stack; True when nothing waits here."""
        while self._out:
            taken = self.stack.write(bytes(self._out[:8192]))
            if not taken:
                return False
            del self._out[:taken]
        return True

    def receive(self, data: bytes) -> list[tuple[int, bytes]]:
        if len(self._out) > WAITING_BYTES_MAX:
            raise WireRefused("asks for more than it takes")
        self._in += data
        found = []
        while len(self._in) >= HEAD_BYTES:
            length = int.from_bytes(self._in[1:5], "big")
            if length > MESSAGE_BYTES_MAX:
                raise WireRefused("a message of impossible length")
            if len(self._in) < HEAD_BYTES + length:
                break
            found.append((self._in[0], bytes(self._in[HEAD_BYTES : HEAD_BYTES + length])))
            del self._in[: HEAD_BYTES + length]
        return found


def fields(content: bytes, shape: dict[int, type]) -> dict[int, Any]:
    """A CBOR map with exactly these keys and types; WireRefused for anything else."""
    value = cbor.loads(content)
    if not isinstance(value, dict) or set(value) != set(shape):
        raise WireRefused("a message without its fields")
    for key, kind in shape.items():
        if type(value[key]) is not kind:
            raise WireRefused("a field of another type")
    return value


def figures_of(value: Any) -> dict[str, int]:
    """The figures in what the other end sent: names and counts, whatever else is there left out."""
    if not isinstance(value, dict):
        raise WireRefused("figures that are none")
    found: dict[str, int] = {}
    for name, count in value.items():
        plain = type(name) is str and type(count) is int
        if plain and len(name) <= NAME_CHARS_MAX and 0 <= count <= FIGURE_MAX and len(found) < FIGURES_MAX:
            found[name] = count
    return found


def merged(known: dict[str, int], newer: dict[str, int]) -> dict[str, int]:
    """What is known of the other end with what it said now, and no more names than FIGURES_MAX."""
    both = {**known, **newer}
    return dict(list(both.items())[:FIGURES_MAX])


class Exchange:
    """What a file and a check have in common. `own` gives this end's figures; `peer` holds the other end's newest.

    A subclass has `take(kind, content)` for the messages of its own, `begin()` for a new connection and `push()`.
    """

    def __init__(
        self, stack: Stack, own: Callable[[], dict[str, int]], baud: int, clock: Clock = time.monotonic
    ) -> None:
        self.messages = Messages(stack)
        self.own = own
        self._figures_bytes_s = baud / 10 * FIGURES_SHARE
        self.clock = clock
        self.peer: dict[str, int] = {}
        self.round_trips_ms: list[float] = []  # of pings on the idle line
        self.quiet = True  # no more round trips once the line is full: they would be those of its buffers
        self._pinged_at: float | None = None
        self._pings = 0
        self._figures_at = 0.0
        self._said: dict[str, int] = {}  # figures as the other end has them

    def use(self, stack: Stack) -> None:
        """Another stack, before a connection: this end turned out not to be the one that opens the session."""
        self.messages.stack = stack

    def connected(self) -> None:
        self.messages.reset()
        self._pinged_at = None
        self._said = {}
        self._figures_at = self.clock() + FIGURES_S
        self.begin()

    def receive(self, data: bytes) -> None:
        """Raises a Refusal for what is not this exchange."""
        for kind, content in self.messages.receive(data):
            if kind == FIGURES:
                self.peer = merged(self.peer, figures_of(cbor.loads(content)))
            elif kind == PING:
                if len(content) != PING_BYTES:
                    raise WireRefused("a ping of another size")
                self.messages.send(PONG, content)
            elif kind == PONG:
                self._ponged(content)
            else:
                self.take(kind, content)

    def ping(self) -> bool:
        """Send a PING, unless one is under way; True when it was sent."""
        if self._pinged_at is not None:
            return False
        self._pings += 1
        self.messages.send(PING, self._pings.to_bytes(PING_BYTES, "big"))
        self._pinged_at = self.clock()
        return True

    def _ponged(self, content: bytes) -> None:
        if self._pinged_at is None or content != self._pings.to_bytes(PING_BYTES, "big"):
            raise WireRefused("a pong without its ping")
        if self.quiet and len(self.round_trips_ms) < ROUND_TRIPS_MAX:
            self.round_trips_ms.append((self.clock() - self._pinged_at) * 1000)
        self._pinged_at = None

    def pump(self) -> None:
        """Hand the stack what waits."""
        now = self.clock()
        if now >= self._figures_at:
            whole = not self._said  # the first ones of a connection: once
            size = self._say_figures()
            self._figures_at = now + (FIGURES_S if whole else max(FIGURES_S, size / self._figures_bytes_s))
        self.push()
        self.messages.flush()

    def _say_figures(self) -> int:
        """Send the figures that changed since they were said; how many bytes that took."""
        own = self.own()
        changed = {name: count for name, count in own.items() if self._said.get(name) != count}
        if not changed:
            return 0
        self._said = own
        content = cbor.dumps(changed)
        self.messages.send(FIGURES, content)
        return HEAD_BYTES + len(content)

    def begin(self) -> None:
        raise NotImplementedError

    def take(self, kind: int, content: bytes) -> None:
        raise NotImplementedError

    def push(self) -> None:
        """What there is to say now; the base flushes it."""

    def close(self) -> None:
        """Let go of files."""
