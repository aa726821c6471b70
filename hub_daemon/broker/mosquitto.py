"""mosquitto as a supervised child on Unix sockets, with a configuration made at each start; restarted on death."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ctypes
import hashlib
import os
import pwd
import secrets
import shutil
import signal
from pathlib import Path

from hub_daemon.broker.base import Account, Broker, BrokerFailed, Report
from hub_daemon.limits import (
    BROKER_LINE_CHARS_MAX,
    BROKER_PACKET_BYTES_MAX,
    BROKER_READY_S_MAX,
    BROKER_RESTART_S_MAX,
    BROKER_RESTART_S_MIN,
    BROKER_STOP_S_MAX,
)

_PBKDF2_ROUNDS = 101  # mosquitto_passwd's own; the passwords are 192 random bits, rounds add nothing
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LIBC = ctypes.CDLL(None, use_errno=True)


def find_program() -> str | None:
    """mosquitto's path, or None. Debian keeps it in /usr/sbin, which is not on everybody's PATH."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def password_line(account: Account) -> str:
    """One line of mosquitto's password file: $7$ is PBKDF2-HMAC-SHA512."""
    salt = secrets.token_bytes(12)
    digest = hashlib.pbkdf2_hmac("sha512", account.password.encode(), salt, _PBKDF2_ROUNDS)
    encoded = f"$7${_PBKDF2_ROUNDS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"
    return f"{account.user}:{encoded}\n"


def _die_with_parent() -> None:
    """In the child: a hub that is killed takes its broker along, so that none is left on the sockets."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Mosquitto(Broker):
    name = "mosquitto"

    def __init__(self, directory: Path, wing: str, report: Report, program: str) -> None:
        super().__init__(directory, wing, report)
        self.program = program
        self.process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._stopping = False
        self._last_line = ""

    def write_configuration(self) -> Path:
        """Make mosquitto's files; returns the path of mosquitto.conf."""
        here = f"wing/{self.wing}"
        files = {
            "hub.passwords": password_line(self.accounts.exchange) + password_line(self.accounts.operator),
            "bay.passwords": password_line(self.accounts.bay),
            "hub.acl": f"user exchange\ntopic readwrite {here}/#\nuser operator\ntopic read {here}/#\n",
            # %c is the client id, which a bay takes from the session's key and never from the device
            "bay.acl": f"pattern write {here}/device/%c/up/#\npattern read {here}/device/%c/down/#\n",
        }
        listeners = "".join(
            f"\nlistener 0 {socket}\nallow_anonymous false\n"
            f"password_file {self.directory}/{name}.passwords\nacl_file {self.directory}/{name}.acl\n"
            for name, socket in (("hub", self.hub_socket), ("bay", self.bay_socket))
        )
        files["mosquitto.conf"] = (
            "# Made by perch hub at each start. What you change here is lost.\n"
            "per_listener_settings true\npersistence false\nqueue_qos0_messages false\n"
            f"user {pwd.getpwuid(os.getuid()).pw_name}\nmax_packet_size {BROKER_PACKET_BYTES_MAX}\n"
            "log_dest stderr\nlog_type error\nlog_type warning\nconnection_messages false\nsys_interval 0\n"
            + listeners
        )
        for name, text in files.items():
            path = self.directory / name
            path.unlink(missing_ok=True)
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(text)
        return self.directory / "mosquitto.conf"

    async def start(self) -> None:
        self.write_configuration()
        self.write_operator_note()
        self._keeper = asyncio.create_task(self._keep(), name="broker")
        try:
            await asyncio.wait_for(self._ready.wait(), BROKER_READY_S_MAX)
        except TimeoutError:
            await self.stop()
            raise BrokerFailed(
                f"mosquitto did not open its sockets in {BROKER_READY_S_MAX} s."
                f" It said: {self._last_line or 'nothing'}"
            ) from None

    async def _keep(self) -> None:
        pause = BROKER_RESTART_S_MIN
        loop = asyncio.get_running_loop()
        while not self._stopping:
            began = loop.time()
            for path in (self.hub_socket, self.bay_socket):
                path.unlink(missing_ok=True)
            self.process = await asyncio.create_subprocess_exec(
                self.program, "-c", str(self.directory / "mosquitto.conf"),
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                umask=0o077, preexec_fn=_die_with_parent,
            )  # fmt: skip
            lines = asyncio.create_task(self._read_lines(self.process))
            opened = asyncio.create_task(self._note_opened())
            code = await self.process.wait()
            opened.cancel()
            self._ready.clear()
            await lines
            if self._stopping:
                return
            self.restarts += 1
            self.report("broker-died", f"mosquitto ended with {code}; {self._last_line}")
            if loop.time() - began > BROKER_RESTART_S_MAX:
                pause = BROKER_RESTART_S_MIN
            await asyncio.sleep(pause)
            pause = min(pause * 2, BROKER_RESTART_S_MAX)

    async def _note_opened(self) -> None:
        while True:
            with contextlib.suppress(OSError):
                for path in (self.hub_socket, self.bay_socket):
                    _, writer = await asyncio.open_unix_connection(str(path))
                    writer.close()
                self._ready.set()
                return
            await asyncio.sleep(0.02)

    async def _read_lines(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        while True:
            try:
                line = await process.stderr.readline()
            except ValueError:  # a line without an end: asyncio dropped it
                continue
            if not line:
                return
            text = line.decode("utf-8", "replace").strip()[:BROKER_LINE_CHARS_MAX]
            self._last_line = text
            if "Error" in text or "error" in text:
                self.report("broker-says", text)

    def running(self) -> bool:
        return self._ready.is_set() and self.process is not None and self.process.returncode is None

    async def stop(self) -> None:
        self._stopping = True
        process = self.process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                await asyncio.wait_for(process.wait(), BROKER_STOP_S_MAX)
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        self.remove_sockets()
