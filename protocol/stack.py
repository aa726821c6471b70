"""Stack: link and session glued; what a device, a bay and `perch wire` hold, one per wire.

A fresh session is made for each connection of the link, and its first two messages travel as the greetings of the
link's HELLOs: both are up after one round trip. A session that closes takes the link's connection with it, so that
the peer learns it at once; after a refusal the link rests, longer each time, and tries again.
"""

from protocol.compat import TYPE_CHECKING
from protocol.limits import (
    LINK_GREETING_BYTES_MAX,
    SESSION_RECORD_MS_MAX,
    SESSION_RETRY_MS_MAX,
    SESSION_RETRY_MS_MIN,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from protocol.link import Link
    from protocol.session import Session

    Event = tuple[str, str, bytes, bytes, bytes] | tuple[str, bytes] | tuple[str, str]


class Stack:
    """Wire bytes below, authenticated stream above.

    Events: ("up", pattern, remote static, remote payload, handshake hash), ("data", bytes) and
    ("down", reason). "down" also comes for a session that failed before it was up.
    """

    def __init__(self, link: "Link", make_session: "Callable[[], Session]") -> None:
        self.link = link
        self.session: "Session | None" = None
        self._next: "Session | None" = None  # for the connection to come
        self._opening = b""  # what it says first
        self._greeted = False  # it has heard the peer
        link.greet = self._greet
        self._make_session = make_session
        self._events: "list[Event]" = []
        self._drained = False  # the link had nothing more when it was last asked, and no bytes came since
        self._rest_ms = SESSION_RETRY_MS_MIN
        self._now = 0
        self._came = 0  # when the session was last given bytes
        self._unsent = b""  # session bytes on their way into the link, which may have no room for all
        self._unsent_at = 0

    @property
    def up(self) -> bool:
        """Whether the session is up."""
        return self.session is not None and self.session.up and not self.session.closed

    def write(self, data: bytes) -> int:
        """Queue application bytes; returns how many were taken: 0 while the session is not up."""
        if self.session is None:
            return 0
        taken = self.session.write(data)
        if taken:
            self._push()
        return taken

    def room(self) -> int:
        """Bytes that `write` would take now."""
        return self.session.room() if self.session is not None else 0

    def unacked(self) -> int:
        """Bytes written that the peer's link has not acked, headers included; 0: everything arrived."""
        if self.session is None:
            return 0
        waiting = self.session.pending()
        return waiting + len(self._unsent) - self._unsent_at + self.link.unacked()

    def close(self, reason: str, now: int) -> None:
        """End the session and start the link anew."""
        self._now = now
        if self.session is not None:
            self.session.close(reason)
            self._pump()

    def restart(self, reason: str) -> None:
        """Nothing of what was counts any more; the link begins under a new name, in the buffers that it has."""
        self.session = self._next = None
        self._events = []
        self._drained = False
        self._unsent = b""
        self._unsent_at = 0
        self.link.restart(reason, self._now)
        while self.link.next_event() is not None:
            pass

    def nudge(self, now: int) -> None:
        """The port was away and is back."""
        self.link.nudge(now)

    def receive(self, data: bytes, now: int) -> None:
        """Bytes as they came from the wire."""
        self._now = now
        self.link.receive(data, now)
        self._pump()

    def tick(self, now: int) -> None:
        """Let time pass; call at next_deadline() at the latest."""
        self._now = now
        self.link.tick(now)
        self._follow()
        if self._waits_in_vain() and now >= self._came + SESSION_RECORD_MS_MAX:
            self.close("a record that never ends", now)

    def next_deadline(self) -> "int | None":
        """When tick() is due."""
        due = self.link.next_deadline()
        if due is not None and self._waits_in_vain():
            due = min(due, self._came + SESSION_RECORD_MS_MAX)
        return due

    def to_send(self, now: int) -> bytes:
        """Wire bytes that are due, at most about one burst; call again once they are on their way."""
        self._now = now
        self._push(True)
        data = self.link.to_send(now)
        self._follow()
        return data

    def next_event(self) -> "Event | None":
        """The next event. While events wait here, the link's credit is not renewed."""
        if not self._events and not self._drained:
            self._pump()
        return self._events.pop(0) if self._events else None

    def _waits_in_vain(self) -> bool:
        """Part of a record is here, and the link has nothing more: bytes of another connection, played back into the
        stream, can make a record longer than anything that the peer will ever say."""
        return self._drained and self.session is not None and self.session.incomplete

    def _follow(self) -> None:
        """Where no bytes came, there is something to move only after the link or the session ended or began."""
        if self.link.has_events or (self.session is not None and self.session.closed):
            self._pump()

    def _pump(self) -> None:
        """Move what the link has into the session, until there is an event for the application."""
        while not self._events:
            event = self.link.next_event()
            if event is None:
                break
            what = event[-1]
            if isinstance(what, bytes):
                self._came = self._now
                if self.session is not None:
                    self.session.receive(what)
            elif event[0] == "up":
                self._start()
            else:
                self._drop(what)
            self._collect()
        self._collect()
        self._push()
        self._drained = not self._events

    def _greet(self, heard: "bytes | None", answer: bool) -> "bytes | None":
        """The link's question (see there): the handshake's first two messages."""
        if self._events or self.session is not None:
            return None  # the end of the last session is not told yet
        if self._next is None or (self._greeted and not (answer and self._opening)):
            self._prepare()  # what an initiator says is always a beginning, also where it names our end
        session = self._next
        assert session is not None
        if heard is None or (self._opening and not answer):
            return self._opening if len(self._opening) <= LINK_GREETING_BYTES_MAX else b""
        session.receive(heard)
        self._greeted = True
        if session.closed:
            self.session, self._next = session, None
            return None
        return b"" if self._opening else session.to_send()

    def _prepare(self) -> None:
        self._next = self._make_session()
        self._opening = self._next.to_send()
        self._greeted = False

    def _start(self) -> None:
        """The link is up: the session that has greeted is the one; without a greeting it begins in the stream."""
        if self._next is None:
            self._prepare()
        assert self._next is not None
        self.session, self._next = self._next, None
        # two frames' worth: a device that takes short frames has no heap for long records either
        self.session.record_bytes = min(self.session.record_bytes, 2 * self.link.data_bytes_max)
        self._unsent = b"" if self._greeted else self._opening
        self._unsent_at = 0

    def _collect(self) -> None:
        if self.session is None:
            return
        event = self.session.next_event()
        while event is not None:
            if event[0] == "closed":
                reason = str(event[1])
                self._drop(reason)
                self.link.restart(reason, self._now, self._rest_ms)
                self._rest_ms = min(2 * self._rest_ms, SESSION_RETRY_MS_MAX)
                return
            if event[0] == "up":
                self._rest_ms = SESSION_RETRY_MS_MIN
            self._events.append(event)
            event = self.session.next_event()

    def _drop(self, reason: str) -> None:
        if self.session is not None:
            self.session = None
            self._unsent = b""
            self._unsent_at = 0
            self._events.append(("down", reason))

    def _push(self, now_due: bool = False) -> None:
        """Session bytes into the link, as far as it has room.

        A record that is not full is sealed only when wire bytes are due and the link has less than a record to send:
        a stream of odd pieces, as MQTT packets are, then costs no more headers than one of even ones.
        """
        session = self.session
        if session is None:
            return
        while True:
            if not self._unsent:
                short = 0 < session.pending() < session.record_bytes
                if short and not (now_due and self.link.waiting() < session.record_bytes):
                    return
                self._unsent = session.to_send()
                if not self._unsent:
                    return
            self._unsent_at += self.link.write(memoryview(self._unsent)[self._unsent_at :])
            if self._unsent_at < len(self._unsent):
                return
            self._unsent = b""
            self._unsent_at = 0
