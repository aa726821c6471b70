"""The real mosquitto and the simulated broker as two ends to which one sequence of packets is played."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from pathlib import Path

from hub_daemon.broker import Account
from hub_daemon.broker.base import Accounts
from hub_daemon.broker.mosquitto import Mosquitto
from protocol.mqtt import (
    CONNACK,
    PINGRESP,
    PUBACK,
    PUBLISH,
    SUBACK,
    Acknowledge,
    Connect,
    Publish,
    Suback,
    disconnect,
    parse,
    pingreq,
    pingresp,
    publish,
)
from sim.box.broker import Broker, Connection

ACCOUNTS = Accounts(Account("exchange", "e-secret"), Account("operator", "o-secret"), Account("bay", "b-secret"))
A, B = "0123456789abcdef", "fedcba9876543210"
CLIENTS = {"exchange": "exchange", "operator": "watching", "a": A, "b": B}
TOPICS = [
    f"wing/w/device/{A}/up/x", f"wing/w/device/{A}/down/x", f"wing/w/device/{A}/down/x/y", f"wing/w/device/{A}/down",
    f"wing/w/device/{B}/up/x", f"wing/w/device/{B}/down/x", "wing/w/hub/h", "wing/w/hub/h/deep", "wing/w", "wing/v/x",
    "/wing/w", "wing/w/", "wing/w//x",
]  # fmt: skip
FILTERS = [
    *TOPICS, "#", "wing/#", "wing/w/#", "wing/+/hub/#", "wing/w/hub/+", "wing/w/hub/h/#", "+/w/hub/h", "/#", "+/+",
    "wing/w/+", "wing/w/+/x", "wing/w/device/+/up/+", "wing/w/device/+/+/#", f"wing/w/device/{A}/down/#",
    f"wing/w/device/{A}/down/+", f"wing/w/device/{B}/down/#",
]  # fmt: skip


def hello(who: str, will: tuple[str, bytes, int, bool] | None = None, client_id: str | None = None) -> bytes:
    account = getattr(ACCOUNTS, who, ACCOUNTS.bay)
    name = CLIENTS[who] if client_id is None else client_id
    return Connect(name, 60, True, account.user, account.password.encode(), will).encode()


# the two ends that a sequence is played to. `say` sends, and hears everything up to the answer to a PINGREQ behind it,
# or up to the closing; `piece` only sends.


@dataclass
class Heard:
    packets: list = field(default_factory=list)
    closed: bool = False
    unacknowledged: list[int] = field(default_factory=list)
    buffer: bytearray = field(default_factory=bytearray)

    def take(self, data: bytes) -> bool:
        """Whether the answer to the PINGREQ is among what came."""
        self.buffer += data
        answered = False
        while (packet := parse(self.buffer)) is not None:
            if packet.kind == PINGRESP:
                answered = True
                continue
            self.packets.append(packet)
            if isinstance(packet, Publish) and packet.qos:
                self.unacknowledged.append(packet.packet_id)
        return answered

    def plain(self) -> list[tuple]:
        """To be compared: retained runs sorted, identifiers of deliveries by their order."""
        out: list[tuple] = []
        retained: list[tuple] = []
        for packet in self.packets:
            if isinstance(packet, Publish):
                one = (PUBLISH, packet.topic, packet.payload, packet.qos, packet.retain, packet.duplicate)
                if packet.retain:
                    retained.append(one)
                    continue
            elif isinstance(packet, Suback):
                one = (SUBACK, packet.packet_id, tuple(packet.codes))
            elif packet.kind == CONNACK:
                one = (CONNACK, packet.code, packet.session_present)
            else:
                one = (packet.kind, packet.packet_id)
            out += sorted(retained)
            retained = []
            out.append(one)
        assert len(set(self.numbers())) == len(self.numbers())
        return out + sorted(retained)

    def numbers(self) -> list[int]:
        return [packet.packet_id for packet in self.packets if isinstance(packet, Publish) and packet.qos]


class Real(Heard):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30)
        self.socket.connect(str(path))

    def say(self, data: bytes) -> None:
        try:
            self.socket.sendall(data + pingreq())
        except OSError:
            pass  # closed by the broker; what it said before can be read
        self._hear()

    def piece(self, data: bytes) -> None:
        self.socket.sendall(data)

    def goes_on(self, data: bytes) -> bool:
        """Whether a PINGREQ after `data` is answered; what comes before may be what protocol.mqtt does not parse."""
        self.piece(data + pingreq())
        heard = b""
        while not heard.endswith(pingresp()):
            more = self.socket.recv(65536)
            if not more:
                return False
            heard += more
        return True

    def _hear(self) -> None:
        while not self.closed:
            try:
                data = self.socket.recv(65536)
            except (ConnectionResetError, BrokenPipeError):
                data = b""
            if not data:
                self.closed = True
                self.socket.close()
            elif self.take(data):
                return

    def hang_up(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)
        self._hear()


class Simulated(Heard):
    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self.connection = connection

    def say(self, data: bytes) -> None:
        self.connection.send(data + pingreq())
        assert self.take(self.connection.take()) or self.connection.closed
        self.closed = self.connection.closed != ""

    def piece(self, data: bytes) -> None:
        self.connection.send(data)

    def hang_up(self) -> None:
        self.take(self.connection.take())
        self.connection.close()
        self.closed = True


class RealBroker:
    def __init__(self, broker: Mosquitto) -> None:
        self.broker = broker

    def connect(self, who: str) -> Real:
        return Real(self.broker.bay_socket if who in ("a", "b") else self.broker.hub_socket)

    def clean(self) -> None:
        """No retained message is left for the next sequence."""
        cleaner = self.connect("exchange")
        cleaner.say(hello("exchange", client_id="cleaner"))
        cleaner.say(b"".join(publish(topic, b"", 0, True) for topic in TOPICS) + disconnect())
        assert cleaner.closed


class SimulatedBroker:
    def __init__(self) -> None:
        self.broker = Broker("w", ACCOUNTS)

    def connect(self, who: str) -> Simulated:
        in_a_bay = who in ("a", "b")
        return Simulated(self.broker.connect_device() if in_a_bay else self.broker.connect_operator())


# ("open", who, will) | ("say" or "piece", who, bytes) | ("acknowledge" or "hang up", who)
Step = tuple


def play(broker: RealBroker | SimulatedBroker, steps: list[Step]) -> list[tuple[str, list[tuple], bool]]:
    """What each connection heard, in the order in which they were made, and whether it was closed before the end."""
    made: list[tuple[str, Real | Simulated]] = []
    now: dict[str, Real | Simulated] = {}
    for what, who, *more in steps:
        if what == "open":
            now[who] = broker.connect(who)
            made.append((who, now[who]))
            now[who].say(hello(who, *more))
        elif who in now and not now[who].closed:
            if what == "say":
                now[who].say(*more)
            elif what == "piece":
                now[who].piece(*more)
            elif what == "hang up":
                now[who].say(b"")  # what others have caused is heard by both before
                now[who].hang_up()
            elif what == "acknowledge":
                now[who].say(b"")
                if now[who].unacknowledged:
                    now[who].say(Acknowledge(PUBACK, now[who].unacknowledged.pop(0)).encode())
    for _, end in made:
        end.say(b"")
    outcome = [(who, end.plain(), end.closed) for who, end in made]
    for _, end in made:
        if not end.closed:
            end.say(disconnect())
            assert end.closed
    return outcome
