"""perch wire, the port: a serial port that may vanish and come back, and which ports this machine has."""

from __future__ import annotations

import errno
import os
import select
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import serial
from serial.tools import list_ports

REOPEN_S = 0.01
READ_BYTES = 65536
BY_PATH = Path("/dev/serial/by-path")
TTY_CLASS = Path("/sys/class/tty")


class PortTrouble(Exception):
    """The port cannot be opened; the message says what to do."""


class Port:
    """A serial port that may vanish and come back under the same name."""

    def __init__(self, path: str, baud: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self.baud = baud
        self._clock = clock
        self._serial: serial.Serial | None = None
        self._gone_at: float | None = None
        self._away_s = 0.0
        self.hangups = 0

    @property
    def is_open(self) -> bool:
        return self._serial is not None

    @property
    def down_ms(self) -> int:
        """How long the port was away, in sum, up to now."""
        gone = self._clock() - self._gone_at if self._gone_at is not None else 0.0
        return int((self._away_s + gone) * 1000)

    def open(self) -> None:
        try:
            self._serial = serial.Serial(self.path, self.baud, timeout=0, write_timeout=0, exclusive=True)
        except (serial.SerialException, ValueError, OSError) as error:
            raise PortTrouble(explain(self.path, self.baud, error)) from None
        if self._gone_at is not None:
            self._away_s += self._clock() - self._gone_at
            self._gone_at = None

    def reopen(self) -> bool:
        if not os.path.exists(self.path):
            return False
        try:
            self.open()
        except PortTrouble:
            return False
        return True

    def wait(self, writing: bool, seconds: float) -> tuple[bool, bool]:
        """(readable, writable) within this time."""
        if self._serial is None:
            time.sleep(REOPEN_S)  # also when something is due: nothing can go out
            return False, False
        try:
            descriptor = self._serial.fileno()
            readable, writable, _ = select.select([descriptor], [descriptor] if writing else [], [], seconds)
        except OSError:
            self.lose()
            return False, False
        return bool(readable), bool(writable)

    def read(self) -> bytes:
        return self._do(lambda descriptor: os.read(descriptor, READ_BYTES)) or b""

    def write(self, data: bytes) -> int:
        return self._do(lambda descriptor: os.write(descriptor, data)) or 0

    def _do(self, action: Any) -> Any:
        if self._serial is None:
            return None
        try:
            result = action(self._serial.fileno())
        except BlockingIOError:
            return None
        except OSError:
            self.lose()
            return None
        if result == b"":
            self.lose()  # a tty that is readable and has nothing has hung up
        return result

    def lose(self) -> None:
        self.hangups += 1
        self._gone_at = self._clock()
        self.close()

    def close(self) -> None:
        if self._serial is not None:
            try:
                self._serial.close()
            except OSError:
                pass  # it is gone already
            self._serial = None


def explain(path: str, baud: int, error: Exception) -> str:
    """What is wrong with a port, in words, and which ports there are."""
    number = getattr(error, "errno", None)
    if isinstance(error, ValueError) or "Inappropriate ioctl" in str(error):
        why = f"{path} is not a serial port that can run at {baud} baud"
    elif number == errno.ENOENT or not os.path.exists(path):
        why = f"there is no port {path}"
    elif number == errno.EACCES:
        why = f"no permission to open {path}; add this user to the group dialout (sudo adduser $USER dialout)"
    elif "exclusively lock" in str(error) or number in (errno.EBUSY, errno.EAGAIN):
        why = f"another program uses {path}; a running `perch hub` holds its bays"
    else:
        why = f"{path} cannot be opened: {error}"
    found = ", ".join(port["port"] for port in ports_of_this_machine()) or "none"
    return f"{why}. Serial ports of this machine: {found}."


def ports_of_this_machine(found: Iterable[Any] | None = None, by_path: Path = BY_PATH) -> list[dict[str, Any]]:
    """One dict a port: port, stable (its name by socket, or ""), description, latency_timer_ms (-1: none), usable.

    `found`: pyserial's ListPortInfo; the ports of this machine when it is left out.
    """
    stable: dict[str, str] = {}
    if by_path.is_dir():
        for link in sorted(by_path.iterdir()):
            stable.setdefault(os.path.realpath(link), str(link))
    ports = sorted(list_ports.comports() if found is None else found)
    return [
        {
            "port": port.device,
            "stable": stable.get(os.path.realpath(port.device), ""),
            "description": describe(port),
            "latency_timer_ms": latency_timer_ms(port.device),
            "usable": os.access(port.device, os.R_OK | os.W_OK),
        }
        for port in ports
    ]


def describe(port: Any) -> str:
    """What pyserial knows of a port, in one line; "" when it knows nothing."""
    words = [port.manufacturer, port.product or (port.description if port.description != "n/a" else None)]
    line = " ".join(dict.fromkeys(word for word in words if word))
    if port.vid is not None:
        line += f" ({port.vid:04x}:{port.pid:04x}{', serial ' + port.serial_number if port.serial_number else ''})"
    return line.strip()


def latency_timer_ms(path: str, tty_class: Path = TTY_CLASS) -> int:
    """How long a USB adapter of FTDI's kind holds received bytes back to gather more; -1 where it has no such timer."""
    try:
        return int((tty_class / os.path.basename(os.path.realpath(path)) / "device" / "latency_timer").read_text())
    except (OSError, ValueError):
        return -1
