"""perch wire, one end: moves bytes between the port and the stack, and events between the stack and the exchange.

`Ear` listens to what arrives while there is no connection, so that an installer is told why there is none.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from hub_daemon.wire_diagnosis import CHECK, FITTING, NOBODY, RECEIVE, SEND, STRANGER, Silence
from hub_daemon.wire_messages import Exchange
from hub_daemon.wire_serial import Port
from protocol.errors import Refusal
from protocol.frame import Reader
from protocol.limits import FRAME_PAYLOAD_BYTES_MAX
from protocol.link import Link, packets
from protocol.session import Session
from protocol.stack import Stack

IDLE_S = 0.25
GOODBYE_MS = 2000  # an end stays so long at most for the ack of its last byte ...
LINGER_MS = 200  # ... and so long at least, so that the other one hears its last ack
LIFTED_MS = 1500  # an idle line carries an ack five times in this time: less than that is no silence

# A boot id of perch wire is MARK, what its end does, four random bytes and a count: two ends agree who opens the
# session (of two checks the greater id), and an end can say in words that the other one does what does not fit.
MARK = b"pw"
COUNT_AT = 7


class Ear:
    """What arrives while there is no connection: bytes, frames, and whose HELLOs."""

    def __init__(self, boot_id: bytes) -> None:
        self._boot_id = boot_id
        self.peer = b""  # the boot id of the other end's newest HELLO
        self.hears_us = False
        self.reset()

    def reset(self) -> None:
        self._reader = Reader(FRAME_PAYLOAD_BYTES_MAX)
        self.bytes = 0
        self.frames = 0
        self.own = 0
        self.others = 0

    def hear(self, data: bytes) -> None:
        self.bytes += len(data)
        for payload in self._reader.feed(data):
            self.frames += 1
            if payload and payload[0] == packets.HELLO:
                self._hello(payload)

    def _hello(self, payload: bytes) -> None:
        try:
            hello = packets.parse_hello(payload)
        except Refusal:
            return
        if hello.name[:COUNT_AT] == self._boot_id[:COUNT_AT]:
            self.own += 1
            return
        self.others += 1
        self.peer = hello.name[:8]
        self.hears_us = hello.peer[:COUNT_AT] == self._boot_id[:COUNT_AT]

    def peer_role(self) -> int:
        """RECEIVE, CHECK or SEND; STRANGER for no `perch wire`, NOBODY before anything was heard."""
        if not self.peer:
            return NOBODY
        return self.peer[2] if self.peer[:2] == MARK and RECEIVE <= self.peer[2] <= SEND else STRANGER

    def leads(self) -> bool:
        """Whether this end opens the session: a sender does, a receiver does not, a check unless the other one does."""
        role = self._boot_id[2]
        both_check = role == CHECK == self.peer_role()
        return role != RECEIVE and not (both_check and self.peer[:COUNT_AT] > self._boot_id[:COUNT_AT])


class End:
    """One end of a wire; `work` is the exchange that is carried on over it."""

    def __init__(self, port: Port, role: int, patience_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.port = port
        self.role = role
        self._patience_ms = int(patience_s * 1000)
        self._name = MARK + bytes((role,)) + os.urandom(4)
        self._builds = 0
        self._static = os.urandom(32)
        self.ear = Ear(self._name + b"\0")
        self.stack = self._build(self.ear.leads())
        self._clock = clock
        self._start = clock()
        self._unsent = b""
        self._seen = 0
        self._deaf_since = 0  # since when there has been no connection
        self.work: Exchange | None = None
        self.sessions = 0
        self.silences = 0  # the port was there, and nothing came for LIFTED_MS
        self.silent_ms = 0
        self._damaged_before_up = -1
        self.round_trip_ms_min = self.round_trip_ms_max = -1
        self.trouble = ""

    def _build(self, leads: bool) -> Stack:
        """Link and stack anew, as the end that opens the session or as the one that does not."""
        boot_id = self._name + bytes((self._builds & 0xFF,))
        self._builds += 1
        self._leads = leads
        # a yank is waited out: the connection and its keys stay, and nothing that arrived is sent again
        link = Link(boot_id, dead_ms=self._patience_ms)
        return Stack(link, lambda: Session(leads, self._static, os.urandom, "XX" if leads else None))

    def now(self) -> int:
        return int((self._clock() - self._start) * 1000)

    def lost_for_ms(self) -> int:
        """How long nothing has come from the other end; 0 before there was a session."""
        return self.now() - self._seen if self.sessions else 0

    def out_of_patience(self) -> bool:
        return self.lost_for_ms() > self._patience_ms

    def silence(self) -> Silence | None:
        """What is heard while there is no connection; None while there is one."""
        if self.stack.up:
            return None
        ear = self.ear
        return Silence(
            ms=self.now() - self._deaf_since, port_open=self.port.is_open, bytes=ear.bytes, frames=ear.frames,
            own_hellos=ear.own, other_hellos=ear.others, hears_us=ear.hears_us, role=self.role,
            peer_role=ear.peer_role(),
        )  # fmt: skip

    def step(self, most_s: float = IDLE_S) -> None:
        """Wait for the port or the next deadline, once."""
        if not self.port.is_open and self.port.reopen():
            self._unsent = b""
            self.stack.nudge(self.now())
        if not self._unsent:
            self._unsent = self.stack.to_send(self.now())
        deadline = self.stack.next_deadline()
        wait_s = most_s if deadline is None else min(most_s, max(0.0, (deadline - self.now()) / 1000))
        if self._unsent and not wait_s:
            wait_s = most_s  # what is due goes out behind that: not before the port has room
        readable, writable = self.port.wait(bool(self._unsent), wait_s)
        if writable:
            self._unsent = self._unsent[self.port.write(self._unsent) :]
        data = self.port.read() if readable else b""
        if data:
            self._receive(data)
        else:
            self.stack.tick(self.now())
        self._events()

    def _receive(self, data: bytes) -> None:
        now = self.now()
        quiet_ms = now - self._seen
        if self.sessions and quiet_ms > LIFTED_MS:
            self.silences += 1
            self.silent_ms += quiet_ms
        self._seen = now
        if not self.stack.link.up:
            self.ear.hear(data)
            if self.ear.peer and (self.role, self.ear.peer_role()) not in FITTING:
                self.stack.tick(now)  # nothing can come of a connection: the diagnosis says so
                return
            if self.ear.leads() != self._leads:
                assert self.work is not None
                self.stack = self._build(self.ear.leads())
                self.work.use(self.stack)
        self.stack.receive(data, now)

    def _events(self) -> None:
        assert self.work is not None
        event: Any = self.stack.next_event()
        while event is not None:
            if event[0] == "up":
                self._up()
            elif event[0] == "down":
                self.trouble = event[1]
                self.ear.reset()
                self._deaf_since = self.now()
            else:
                try:
                    self.work.receive(event[1])
                except Refusal as refusal:
                    self.trouble = str(refusal) or refusal.name
                    self.stack.close(self.trouble, self.now())
            event = self.stack.next_event()
        if self.stack.up:
            self.work.pump()
            round_trip_ms = self.stack.link.counters["round_trip_ms"]
            if round_trip_ms >= 0:
                least = self.round_trip_ms_min
                self.round_trip_ms_min = round_trip_ms if least < 0 else min(least, round_trip_ms)
                self.round_trip_ms_max = max(self.round_trip_ms_max, round_trip_ms)

    def _up(self) -> None:
        assert self.work is not None
        if self._damaged_before_up < 0:
            counts = self.stack.link.counters
            self._damaged_before_up = counts["damaged"] + counts["repaired"]
        self.sessions += 1
        self.ear.reset()
        self.work.connected()

    def own(self) -> dict[str, int]:
        """The figures of this end: those of the link, and of the port."""
        found = {name: value for name, value in self.stack.link.counters.items() if value >= 0}
        found.update(
            hangups=self.port.hangups, down_ms=self.port.down_ms, sessions=self.sessions, silences=self.silences,
            silent_ms=self.silent_ms, damaged_before_up=max(0, self._damaged_before_up),
        )  # fmt: skip
        return found

    def goodbye(self) -> None:
        """Stay until the last bytes are acked, and a moment longer for the other end's last ack."""
        start = self.now()
        while self.now() < start + (GOODBYE_MS if self.stack.unacked() else LINGER_MS):
            self.step(LINGER_MS / 4000)
