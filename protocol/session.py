"""Session: the third layer over the wire; an authenticated, encrypted stream over one link (Noise, rev. 34).

The initiator's first byte says the pattern (XX to enrol, IK to dock, IKpsk2 to come back). Then, both ways, records:
length u16 big-endian, and a Noise handshake message or a sealed piece of the stream of at most SESSION_PLAIN_BYTES_MAX.
After IK's two messages the initiator sends one empty record at once, and the responder is up only when it has
opened it: a replayed first message opens nothing. Anything that does not fit closes the session, by name.

Coming back: every docking leaves both ends a ticket, 32 secret bytes exported from its handshake. IKpsk2 mixes it
into the second message, when the responder knows who asks. The initiator's payload begins with the ticket's id; a byte
before the second message says whether the responder holds the same ticket (1) or no good one (0): then the key is 32
zeros, and the same message makes a session that is worth exactly IK. So a ticket that is lost, old or put back from a
backup costs nothing, not even a round trip. Who changes that byte has changed the keys: the session closes.
"""

import hashlib

from protocol.compat import TYPE_CHECKING, const
from protocol.errors import Misuse
from protocol.limits import SESSION_HANDSHAKE_BYTES_MAX, SESSION_PENDING_BYTES_MAX, SESSION_PLAIN_BYTES_MAX
from protocol.noise import Handshake, NoiseError
from protocol.pieces import Pieces

if TYPE_CHECKING:
    from collections.abc import Callable

    from protocol.crypto import Backend
    from protocol.noise import CipherState, Key

    Accept = Callable[[str, bytes, bytes], bool]
    FindTicket = Callable[[bytes], "bytes | None"]
    Event = tuple[str, str, bytes, bytes, bytes] | tuple[str, bytes] | tuple[str, str]

TAG_BYTES = const(16)
_RECORD_BYTES_MAX = SESSION_PLAIN_BYTES_MAX + TAG_BYTES
RESUME = "IKpsk2"
_PATTERNS = ("", "XX", "IK", RESUME)  # the code of each is its place
_PROLOGUE = b"perch/session/1/"
_TICKET = b"perch/ticket/1"
_ID_BYTES = const(8)
_NO_TICKET = bytes(32)


class Session:
    """One end of one session; made anew for every connection of the link.

    `static` is this end's X25519 private key (or the pair private, public). The initiator names the
    `pattern`, "XX" or "IK", and for IK the `remote_static` that it expects. The responder's
    `accept(pattern, remote_static, payload)` is asked as soon as the initiator's key is known. `payload` is
    what this end says in its first encrypted handshake payload. `ephemeral` may have been made while idle.
    An initiator that holds a `ticket` names IKpsk2; a responder's `find_ticket(remote_static)` gives the one that it
    has of this peer, once the peer is accepted. Events: ("up", pattern, remote static, remote payload, handshake hash),
    where the pattern is IKpsk2 only if both held the same ticket and IK if they did not; ("data", bytes);
    ("closed", reason). Once up, `ticket` is what both ends may keep for the next time. Nothing that arrives raises.
    """

    def __init__(
        self,
        initiator: bool,
        static: "Key",
        random: "Callable[[int], bytes]",
        pattern: "str | None" = None,
        remote_static: "bytes | None" = None,
        payload: bytes = b"",
        accept: "Accept | None" = None,
        backend: "Backend | None" = None,
        ephemeral: "Key | None" = None,
        ticket: bytes = b"",
        find_ticket: "FindTicket | None" = None,
    ) -> None:
        if initiator and pattern not in _PATTERNS[1:]:
            raise Misuse("an initiator names the pattern: XX, IK or IKpsk2")
        if pattern == RESUME and len(ticket) != 32:
            raise Misuse("to come back takes a ticket of 32 bytes")
        if len(payload) > SESSION_HANDSHAKE_BYTES_MAX - 128:
            raise Misuse("the handshake payload is too long")
        self._initiator = initiator
        self._static = static
        self._random = random
        self._remote_static = remote_static
        self._payload = payload
        self._accept = accept
        self._backend = backend
        self._ephemeral = ephemeral
        self._find_ticket = find_ticket
        self.ticket = ticket
        self._resumed = False
        self.pattern = pattern or ""
        self.up = False
        self.closed = False
        self.record_bytes = SESSION_PLAIN_BYTES_MAX  # plaintext of our records; less where an end is small
        self._handshake: "Handshake | None" = None
        self._sender: "CipherState | None" = None
        self._receiver: "CipherState | None" = None
        self._remote_payload = b""
        self._in = Pieces()
        self._wanted = 0  # bytes of the record that is coming in; 0: its length comes first
        self._plain = Pieces()  # what waits to be sealed
        self._out: list[bytes] = []
        self._events: "list[Event]" = []
        if initiator:
            self._begin(self.pattern)
            self._out.append(bytes((_PATTERNS.index(self.pattern),)))
            self._say()

    # what goes out

    def write(self, data: bytes) -> int:
        """Queue bytes of the stream; returns how many were taken: 0 before the session is up."""
        if not self.up or self.closed:
            return 0
        size = min(len(data), SESSION_PENDING_BYTES_MAX - self._plain.size)
        if size > 0:
            self._plain.add(bytes(data) if size == len(data) else bytes(memoryview(data)[:size]))
        return size

    def room(self) -> int:
        """Bytes that `write` would take now."""
        return SESSION_PENDING_BYTES_MAX - self._plain.size if self.up and not self.closed else 0

    def pending(self) -> int:
        """Bytes taken by `write` that `to_send` has not handed out yet."""
        return self._plain.size

    @property
    def incomplete(self) -> bool:
        """Whether a record has begun to come in, and has not come in whole."""
        return self._wanted > 0 or self._in.size > 0

    def to_send(self) -> bytes:
        """The next bytes for the link: handshake messages, or one record; empty when there is nothing."""
        if self._out:
            data = b"".join(self._out)
            self._out = []
            return data
        if not self._plain.size or self.closed:
            return b""
        return self._seal(self._plain.take(self.record_bytes))

    def _seal(self, plain: bytes) -> bytes:
        assert self._sender is not None
        try:
            sealed = self._sender.seal(b"", plain)
        except NoiseError:
            self._close("nonces used up")
            return b""
        return _length(sealed) + sealed

    # what comes in

    def receive(self, data: bytes) -> None:
        """Bytes of the link's stream, in order."""
        if self.closed:
            return
        self._in.add(bytes(data))
        if not self._initiator and not self.pattern and self._in.size:
            code = self._in.take(1)[0]
            self._begin(_PATTERNS[code] if code < len(_PATTERNS) else "")
        while not self.closed:
            if not self._wanted:
                if self._in.size < 2:
                    return
                length = self._in.take(2)
                self._expect(length[0] << 8 | length[1])
            if self._in.size < self._wanted or self.closed:
                return
            record = self._in.take(self._wanted)
            self._wanted = 0
            self._record(record)

    def _expect(self, length: int) -> None:
        most = _RECORD_BYTES_MAX if self._receiver else SESSION_HANDSHAKE_BYTES_MAX
        least = TAG_BYTES if self._receiver else 1
        if not least <= length <= most:
            self._close("record of an impossible length")
        self._wanted = length

    def _record(self, record: bytes) -> None:
        if self._receiver is None:
            self._hear(record)
            return
        try:
            plain = self._receiver.open(b"", record)
        except NoiseError:
            self._close("record does not belong to this session")
            return
        if not self.up:
            self._rise()
        if plain:
            self._events.append(("data", plain))

    # the handshake

    def _begin(self, pattern: str) -> None:
        if not pattern:
            self._close("unknown handshake pattern")
            return
        self.pattern = pattern
        self._handshake = Handshake(
            "Noise_" + pattern + "_25519_ChaChaPoly_SHA256",
            self._initiator,
            _PROLOGUE + pattern.encode(),
            s=self._static,
            e=self._ephemeral,
            rs=self._remote_static if self._initiator and pattern != "XX" else None,
            psk=(self.ticket or _NO_TICKET) if pattern == RESUME else None,
            backend=self._backend,
            random=self._random,
        )
        self._ephemeral = None  # never for a second session

    def _say(self) -> None:
        """Our next handshake message; the payload goes into the first one that encrypts it."""
        assert self._handshake is not None
        # XX's first message is in the clear; every other message of both patterns encrypts its payload
        hidden = not (self._initiator and self.pattern == "XX" and self._handshake.rs is None)
        payload = self._payload if hidden else b""
        before = b""
        if self.pattern == RESUME:
            if self._initiator:
                payload = _ticket_id(self.ticket) + payload
            else:
                before = b"\1" if self._resumed else b"\0"
        try:
            message = before + self._handshake.write(payload)
        except NoiseError:
            self._close("peer's keys are refused")
            return
        self._out.append(_length(message) + message)
        self._advance()

    def _hear(self, message: bytes) -> None:
        handshake = self._handshake
        assert handshake is not None
        if self._initiator and self.pattern == RESUME:
            if message[0] > 1:
                self._close("handshake refused")
                return
            self._resumed = message[0] == 1
            if not self._resumed:
                handshake.use_psk(_NO_TICKET)
            message = message[1:]
        try:
            payload = handshake.read(message)
        except NoiseError:
            self._close("handshake refused")
            return
        first_of_xx = self.pattern == "XX" and not self._initiator and handshake.rs is None
        if first_of_xx:
            if payload:
                self._close("payload in the clear")
                return
        else:
            named = b""
            if self.pattern == RESUME and not self._initiator:
                named, payload = payload[:_ID_BYTES], payload[_ID_BYTES:]
            self._remote_payload = payload
            if not self._initiator and not self._accepted(handshake.rs or b"", payload):
                return
            if named and self._find_ticket is not None:
                ticket = self._find_ticket(handshake.rs or b"")
                if ticket and _ticket_id(ticket) == named:
                    handshake.use_psk(ticket)
                    self._resumed = True
        if handshake.done:
            self._advance()
        else:
            self._say()

    def _accepted(self, remote_static: bytes, payload: bytes) -> bool:
        if self._accept is None or self._accept(self.pattern, remote_static, payload):
            return True
        self._close("peer is not accepted")
        return False

    def _advance(self) -> None:
        handshake = self._handshake
        if handshake is None or not handshake.done:
            return
        self._sender, self._receiver = handshake.split()
        if self._initiator and self.pattern != "XX":
            self._out.append(self._seal(b""))
        if self._initiator or self.pattern == "XX":
            self._rise()

    def _rise(self) -> None:
        handshake = self._handshake
        assert handshake is not None
        self.up = True
        self._handshake = None
        if self.pattern != "XX":
            self.pattern = RESUME if self._resumed else "IK"
            self.ticket = handshake.export(_TICKET)
        self._events.append(("up", self.pattern, handshake.rs or b"", self._remote_payload, handshake.hash))

    # the end

    def close(self, reason: str) -> None:
        """Close from this side; the link below is then started anew."""
        self._close(reason)

    def _close(self, reason: str) -> None:
        if not self.closed:
            self.closed = True
            self._plain = Pieces()
            self._in = Pieces()
            self._out = []
            self._sender = self._receiver = self._handshake = None
            self._events.append(("closed", reason))

    def next_event(self) -> "Event | None":
        """The next event, in order."""
        return self._events.pop(0) if self._events else None


def _ticket_id(ticket: bytes) -> bytes:
    """Which ticket: tells nothing about it to who reads it."""
    return hashlib.sha256(_TICKET + ticket).digest()[:_ID_BYTES]


def _length(message: bytes) -> bytes:
    return bytes((len(message) >> 8, len(message) & 0xFF))
