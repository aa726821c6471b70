"""`perch wire`: check a cable or a bay with files over the whole stack, frame, link and session.

    perch wire receive --port PORT --out DIR [--once]
    perch wire send    --port PORT FILE

Start it at both ends, in any order. It goes on after a cut or a hang-up from what the receiver has on disk, verifies
the whole file by SHA-256, and says what the cable is like. The session has throw-away keys: it encrypts and detects
every change, and says nothing about who is at the other end. Exit: 0 done, 1 not finished, 2 wrong use or no such port,
130 interrupted.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import select
import sys
import time
from pathlib import Path
from typing import Any

import serial
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from serial.tools import list_ports

from hub_daemon.wire_files import Receiving, Sending
from protocol.errors import Refusal
from protocol.link import Link
from protocol.session import Session
from protocol.stack import Stack

REOPEN_S = 0.01
IDLE_S = 0.25
GOODBYE_MS = 400  # after the last byte the ends stay this long, so that the other one hears the last ack


class PortTrouble(Exception):
    """The port cannot be opened; the message says what to do."""


class Port:
    """A serial port that may vanish and come back under the same name."""

    def __init__(self, path: str, baud: int) -> None:
        self._path = path
        self._baud = baud
        self._serial: serial.Serial | None = None
        self.hangups = 0

    @property
    def is_open(self) -> bool:
        return self._serial is not None

    def open(self) -> None:
        try:
            self._serial = serial.Serial(self._path, self._baud, timeout=0, write_timeout=0, exclusive=True)
        except (serial.SerialException, ValueError, OSError) as error:
            raise PortTrouble(explain(self._path, self._baud, error)) from None

    def reopen(self) -> bool:
        try:
            self.open()
        except PortTrouble:
            return False
        return True

    def wait(self, writing: bool, seconds: float) -> tuple[bool, bool]:
        """(readable, writable) within this time."""
        if self._serial is None:
            time.sleep(min(seconds, REOPEN_S))
            return False, False
        descriptor = self._serial.fileno()
        try:
            readable, writable, _ = select.select([descriptor], [descriptor] if writing else [], [], seconds)
        except OSError:
            self.lose()
            return False, False
        return bool(readable), bool(writable)

    def read(self) -> bytes:
        return self._do(lambda descriptor: os.read(descriptor, 65536)) or b""

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
        why = f"no permission to open {path}; add this user to the group dialout"
    elif "exclusively lock" in str(error) or number in (errno.EBUSY, errno.EAGAIN):
        why = f"another program uses {path}; a running `perch hub` holds its bays"
    else:
        why = f"{path} cannot be opened: {error}"
    found = ", ".join(port.device for port in list_ports.comports()) or "none"
    return f"{why}. Serial ports of this machine: {found}."


class Wire:
    """One end: moves bytes between the port and the stack, and events between the stack and the exchange."""

    def __init__(self, port: Port, initiator: bool, patience_s: float) -> None:
        self._port = port
        self._patience_ms = int(patience_s * 1000)
        # a yank is waited out: the connection and its keys stay, and nothing that arrived is sent again
        link = Link(os.urandom(8), dead_ms=self._patience_ms)
        static = os.urandom(32)
        self.stack = Stack(link, lambda: Session(initiator, static, os.urandom, "XX" if initiator else None))
        self._start = time.monotonic()
        self._unsent = b""
        self._seen = self.now()
        self.work: Sending | Receiving | None = None
        self.sessions = 0
        self.trouble = ""

    def now(self) -> int:
        return int((time.monotonic() - self._start) * 1000)

    def lost_for_ms(self) -> int:
        """How long nothing has come from the other end; 0 before anything did."""
        return self.now() - self._seen if self.sessions else 0

    def out_of_patience(self) -> bool:
        return self.lost_for_ms() > self._patience_ms

    def step(self) -> None:
        """Wait for the port or the next deadline, once."""
        if not self._port.is_open and self._port.reopen():
            self._unsent = b""
            self.stack.nudge(self.now())
        if not self._unsent:
            self._unsent = self.stack.to_send(self.now())
        deadline = self.stack.next_deadline()
        wait_s = IDLE_S if deadline is None else min(IDLE_S, max(0.0, (deadline - self.now()) / 1000))
        readable, writable = self._port.wait(bool(self._unsent), wait_s)
        if writable:
            self._unsent = self._unsent[self._port.write(self._unsent) :]
        if readable:
            data = self._port.read()
            if data:
                self.stack.receive(data, self.now())
                self._seen = self.now()
        else:
            self.stack.tick(self.now())
        self._events()

    def _events(self) -> None:
        assert self.work is not None
        event: Any = self.stack.next_event()
        while event is not None:
            if event[0] == "up":
                self.sessions += 1
                self.work.connected()
            elif event[0] == "down":
                self.trouble = event[1]
            else:
                try:
                    self.work.receive(event[1])
                except Refusal as refusal:
                    self.trouble = str(refusal) or refusal.name
                    self.stack.close(self.trouble, self.now())
            event = self.stack.next_event()
        if self.stack.up:
            self.work.pump()

    def goodbye(self) -> None:
        """Stay until the last bytes are acked, and a moment longer for the other end's last ack."""
        until = self.now() + GOODBYE_MS
        while self.now() < until and (self.stack.unacked() or self.now() < until - GOODBYE_MS // 2):
            self.step()


def figures(wire: Wire, port: Port, baud: int, payload: int, seconds: float, peer: dict[str, int]) -> dict[str, Any]:
    """What the run says about the wire; counters are those of this end, `peer_` those of the other one."""
    counts = wire.stack.link.counters
    rate = payload / seconds if seconds > 0 else 0.0
    result: dict[str, Any] = {
        "bytes": payload,
        "seconds": round(seconds, 3),
        "seconds_since_open": round(wire.now() / 1000, 3),
        "bytes_per_second": round(rate),
        "baud": baud,
        "goodput_of_line_rate": round(rate * 10 / baud, 4),
        "round_trip_ms": counts["round_trip_ms"],
        "hangups": port.hangups,
        "sessions": wire.sessions,
    }
    for name in ("frames", "damaged", "repaired", "resent", "refused", "bytes_sent", "bytes_received", "frame_bytes"):
        result[name] = counts[name]
        if name in peer:
            result["peer_" + name] = peer[name]
    result["verdict"] = verdict(result)
    return result


def verdict(result: dict[str, Any]) -> str:
    """The cable in words."""
    damage = result["damaged"] + result["repaired"] + result.get("peer_damaged", 0) + result.get("peer_repaired", 0)
    carried = max(1, result["bytes_sent"] + result["bytes_received"])
    cuts = result["hangups"]
    interrupted = f" The port vanished {cuts} time{'s' if cuts > 1 else ''}: check the plug." if cuts else ""
    if damage == 0:
        return "The wire is clean: not one damaged frame." + interrupted
    apart = carried // damage
    if apart > 1_000_000:
        word = "good: damage is rare"
    elif apart > 50_000:
        word = "usable, but not clean: look for a long or unshielded run, or a loose contact"
    elif apart > 5_000:
        word = "worn: it works more slowly; clean the contacts or change the cable"
    else:
        word = "bad: change the cable, or lower the baud rate"
    return f"The wire is {word} (one damaged place in {apart:,} bytes)." + interrupted


def arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="perch wire", description="Check a cable or a bay: files over the whole stack.",
        epilog="The keys are made for one run: the transfer is encrypted, but nobody is authenticated.",
    )  # fmt: skip
    commands = parser.add_subparsers(dest="command", required=True)
    send = commands.add_parser("send", help="send one file")
    send.add_argument("file", type=Path)
    receive = commands.add_parser("receive", help="receive files into a folder")
    receive.add_argument("--out", type=Path, required=True, metavar="DIR")
    receive.add_argument("--once", action="store_true", help="stop after one file")
    for command in (send, receive):
        command.add_argument("--port", required=True, help="serial port, for example /dev/ttyUSB0")
        command.add_argument("--baud", type=int, default=3_000_000, help="default 3000000; the same at both ends")
        command.add_argument(
            "--patience", type=float, default=30.0, metavar="SECONDS", help="how long to wait for a lost wire (30)"
        )
        command.add_argument("--json", action="store_true", help="the figures as JSON on standard output")
    given = parser.parse_args(argv)
    if given.baud <= 0 or not 0.5 <= given.patience <= 86400:
        parser.error("--baud must be positive and --patience between 0.5 and 86400 seconds")
    return given


def main(argv: list[str] | None = None) -> int:
    given = arguments(sys.argv[1:] if argv is None else argv)
    console = Console(stderr=True)
    port = Port(given.port, given.baud)
    wire = None
    try:
        if given.command == "send" and not given.file.is_file():
            raise PortTrouble(f"there is no file {given.file}.")
        if given.command == "receive":
            given.out.mkdir(parents=True, exist_ok=True)
        port.open()
        wire = Wire(port, given.command == "send", given.patience)
        if given.command == "send":
            return send_file(given, wire, port, console)
        return receive_files(given, wire, port, console)
    except (PortTrouble, OSError) as error:
        console.print(f"perch wire: {error}", style="red", highlight=False, markup=False)
        return 2
    except KeyboardInterrupt:
        console.print("perch wire: interrupted; what arrived stays, the next run goes on from there.")
        return 130
    finally:
        if wire is not None and wire.work is not None:
            wire.work.close()
        port.close()


def bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(),
        TimeRemainingColumn(), TextColumn("{task.fields[note]}"), console=console, disable=not console.is_terminal,
    )  # fmt: skip


def note(wire: Wire, port: Port) -> str:
    counts = wire.stack.link.counters
    if not port.is_open:
        return "port is gone, waiting"
    if not wire.stack.up:
        return "waiting for the other end"
    if wire.lost_for_ms() > 1500:
        return "nothing comes from the other end"
    return f"{counts['round_trip_ms']} ms, {counts['repaired']} repaired, {counts['resent']} resent"


def send_file(given: argparse.Namespace, wire: Wire, port: Port, console: Console) -> int:
    sending = wire.work = Sending(given.file, wire.stack)
    started = 0.0
    with bar(console) as progress:
        task = progress.add_task(sending.name, total=sending.size, note="")
        while not sending.done:
            wire.step()
            if not started and sending.resumed_from:
                started = time.monotonic()
            arrived = max(0, sending.at - wire.stack.unacked())
            progress.update(task, completed=arrived, note=note(wire, port))
            if wire.out_of_patience() or sending.failed:
                progress.stop()
                why = sending.failed or f"nothing came from the other end for {given.patience:g} s"
                console.print(
                    f"perch wire: {sending.name} was not finished: {why}. Start it again at both ends: it goes "
                    "on from what has arrived.", style="red", highlight=False, markup=False,
                )  # fmt: skip
                return 1
        seconds = time.monotonic() - started
        progress.update(task, completed=sending.size)
        payload = sending.size - min(sending.resumed_from[:1] or [0])
        result = figures(wire, port, given.baud, payload, seconds, sending.peer_figures)
        wire.goodbye()
    result["file"], result["sha256"] = sending.name, sending.digest.hex()
    report(result, given.json, console, f"{sending.name}: {sending.size:,} bytes arrived and are verified")
    return 0


def receive_files(given: argparse.Namespace, wire: Wire, port: Port, console: Console) -> int:
    receiving = wire.work = Receiving(given.out, wire.stack)
    files = 0
    started = 0.0
    with bar(console) as progress:
        task = progress.add_task("waiting", total=None, note="")
        while True:
            wire.step()
            if receiving.size and not started and receiving.digest:
                started = time.monotonic()
            progress.update(
                task, description=receiving.name or "waiting", total=receiving.size or None,
                completed=receiving.at, note=note(wire, port),
            )  # fmt: skip
            if receiving.files > files:
                files = receiving.files
                seconds = time.monotonic() - (started or time.monotonic())
                payload = receiving.size - receiving.first_at
                result = figures(wire, port, given.baud, payload, seconds, {})
                result["file"], result["sha256"] = str(receiving.saved), receiving.digest.hex()
                report(result, given.json, console, f"{receiving.saved}: {receiving.size:,} bytes, verified")
                started = 0.0
                receiving.digest = b""
                if given.once:
                    wire.goodbye()
                    return 0
            if given.once and wire.out_of_patience():
                progress.stop()
                console.print(
                    f"perch wire: nothing came for {given.patience:g} s; what arrived is in {given.out} and the "
                    "next run goes on from there.", style="red", highlight=False, markup=False,
                )  # fmt: skip
                return 1


def report(result: dict[str, Any], as_json: bool, console: Console, headline: str) -> None:
    if as_json:
        print(json.dumps(result), flush=True)
        return
    share = f"{result['goodput_of_line_rate']:.1%} of {result['baud']:,} baud"
    print(f"{headline} in {result['seconds']:.2f} s ({share})")
    print(
        f"  round trip {result['round_trip_ms']} ms, {result['frames']:,} frames taken, {result['damaged']} damaged, "
        f"{result['repaired']} repaired, {result['resent']} sent again, {result['hangups']} hang-ups"
    )
    if "peer_frames" in result:
        print(
            f"  at the other end: {result['peer_frames']:,} frames taken, {result['peer_damaged']} damaged, "
            f"{result['peer_repaired']} repaired"
        )
    print("  " + result["verdict"], flush=True)


if __name__ == "__main__":
    sys.exit(main())
