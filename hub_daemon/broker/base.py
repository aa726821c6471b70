"""What every broker offers: two Unix sockets, three accounts, and who may say what on which topic."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hub_daemon.keys import write_secret
from hub_daemon.limits import UNIX_PATH_BYTES_MAX
from protocol.errors import Refusal

Report = Callable[[str, str], None]  # (what, words): one line of the hub's log


class BrokerFailed(Refusal):
    """The broker cannot be started; the words say what was tried and what to do."""


@dataclass(frozen=True, repr=False)
class Account:
    user: str
    password: str


@dataclass(frozen=True, repr=False)
class Accounts:
    """`exchange` reads and writes the wing's topics; `operator` reads them; `bay` carries devices.

    A bay connects with the device's 16 hex digits as its client id, and that id is all it may speak for.
    """

    exchange: Account
    operator: Account
    bay: Account

    @classmethod
    def random(cls) -> Accounts:
        """Fresh passwords for one run of the broker."""
        return cls(*(Account(user, secrets.token_hex(24)) for user in ("exchange", "operator", "bay")))


class Broker(ABC):
    """One broker of one wing, with its files in `directory` (0700).

    `hub_socket` is for the exchange and operators, `bay_socket` for bays. `restarts` counts deaths survived.
    """

    name = ""

    def __init__(self, directory: Path, wing: str, report: Report) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(0o700)
        self.directory = directory
        self.wing = wing
        self.report = report
        self.accounts = Accounts.random()
        self.restarts = 0
        sockets = directory
        if len(str(directory / "hub.sock").encode()) > UNIX_PATH_BYTES_MAX:
            sockets = Path(tempfile.mkdtemp(prefix="perch-"))  # 0700; a socket's path is short by force
            self._temporary: Path | None = sockets
        else:
            self._temporary = None
        self.hub_socket = sockets / "hub.sock"
        self.bay_socket = sockets / "bay.sock"

    @abstractmethod
    async def start(self) -> None:
        """Ready for connections when this returns; raises BrokerFailed."""

    @abstractmethod
    async def stop(self) -> None:
        """Everything ended, also when start failed."""

    @abstractmethod
    def running(self) -> bool: ...

    def write_operator_note(self) -> Path:
        """How an operator's MQTT client gets in; readable by the hub's user only."""
        note = self.directory / "operator.txt"
        account = self.accounts.operator
        write_secret(
            note,
            (
                "# For watching this wing with any MQTT 3.1.1 client. Read-only. New at every start of the hub.\n"
                f"socket = {self.hub_socket}\nuser = {account.user}\npassword = {account.password}\n"
                f"topics = wing/{self.wing}/#\n"
                f"# mosquitto_sub --unix {self.hub_socket} -u {account.user} -P {account.password}"
                f" -v -t 'wing/{self.wing}/#'\n"
            ).encode(),
        )
        return note

    def remove_sockets(self) -> None:
        for path in (self.hub_socket, self.bay_socket):
            path.unlink(missing_ok=True)
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)


def choose(kind: str, directory: Path, wing: str, report: Report) -> Broker:
    """The broker of the configuration: "mosquitto", "amqtt", or "auto" (mosquitto where it is installed)."""
    from hub_daemon.broker import mosquitto

    program = mosquitto.find_program()
    if kind == "mosquitto" or (kind == "auto" and program is not None):
        if program is None:
            raise BrokerFailed(
                "mosquitto is not installed: apt install mosquitto, or set broker.kind = 'amqtt'"
            )
        return mosquitto.Mosquitto(directory, wing, report, program)
    from hub_daemon.broker.amqtt import Amqtt

    return Amqtt(directory, wing, report)
