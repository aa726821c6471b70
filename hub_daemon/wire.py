"""`perch wire`: is this cable good, is it the plug or the cable, and what to do; over frame, link and session.

    perch wire check   --port PORT                at both ends, or `receive` or `check --echo` at the other one
    perch wire loop    --port PORT                one end, with a loop-back plug (TX to RX)
    perch wire send    --port PORT FILE           a file, with ...
    perch wire receive --port PORT --out DIR      ... this at the other end; it answers checks too
    perch wire list                               the serial ports of this machine

Start the ends in any order. A run goes on after a cut or a hang-up; a file goes on from what the receiver has on disk
and is verified whole by SHA-256. The session has throw-away keys: it encrypts and detects every change, and says
nothing about who is at the other end. Exit: 0 done, 1 not finished or (check, loop) a wire worse than usable, 2 wrong
use or no such port, 130 interrupted.

The rooms: wire_serial (the port), wire_end (port and stack), wire_messages (what the ends say), wire_files and
wire_check and wire_loop (the work), wire_figures, wire_verdict and wire_diagnosis (what it means), wire_view and
wire_report (what is shown), wire_runs and wire_loop_run (one run from start to end).
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TextIO

from rich.console import Console

from hub_daemon import wire_check
from hub_daemon.wire_loop_run import LoopRun
from hub_daemon.wire_report import Reporter, ports_table
from hub_daemon.wire_runs import CheckWire, Options, ReceiveFiles, Run, SendFile
from hub_daemon.wire_serial import Port, PortTrouble, ports_of_this_machine
from protocol import crypto


def arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="perch wire", description="Check a cable or a bay: is it good, which part is not, and what to do.",
        epilog="The keys are made for one run: everything is encrypted, but nobody is authenticated. "
        "Exit: 0 done, 1 not finished or a wire worse than usable, 2 wrong use.",
    )  # fmt: skip
    parser.add_argument("--list", action="store_true", help="the same as the command list")
    commands = parser.add_subparsers(dest="command")
    check = commands.add_parser("check", help="fill the wire in both directions and judge it; at both ends")
    check.add_argument("--echo", action="store_true", help="do as the other end says, for as long as it says")
    loop = commands.add_parser("loop", help="measure one end with a loop-back plug (TX joined to RX)")
    send = commands.add_parser("send", help="send one file")
    send.add_argument("file", type=Path)
    receive = commands.add_parser("receive", help="receive files into a folder; answers checks too")
    receive.add_argument("--out", type=Path, required=True, metavar="DIR")
    receive.add_argument("--once", action="store_true", help="stop after one file or check")
    listing = commands.add_parser("list", help="the serial ports of this machine")
    for command in (check, loop, send, receive, listing):
        command.add_argument("--json", action="store_true", help="figures as JSON on standard output, nothing else")
    for command in (check, loop, send, receive):
        command.add_argument("--port", required=True, help="serial port, such as /dev/ttyUSB0; see `perch wire list`")
        command.add_argument("--baud", type=int, default=3_000_000, help="default 3000000; the same at both ends")
    for command in (check, send, receive):
        command.add_argument(
            "--patience", type=float, default=30.0, metavar="SECONDS", help="how long to wait for a lost wire (30)"
        )
        command.add_argument(
            "--wait", type=float, default=0.0, metavar="SECONDS",
            help="give up when the other end was not found for so long (0: never)",
        )  # fmt: skip
    for command in (check, loop):
        command.add_argument("--seconds", type=float, help=f"how long (default {wire_check.SECONDS:g})")
        command.add_argument("--mib", type=float, help="how much each way, in MiB; with --seconds, at least both")
    given = parser.parse_args(argv)
    if given.command is None and not given.list:
        parser.error("give a command: check, loop, send, receive or list")
    _check_ranges(parser, given)
    return given


def _check_ranges(parser: argparse.ArgumentParser, given: argparse.Namespace) -> None:
    if given.list or given.command == "list":
        return
    if given.baud <= 0:
        parser.error("--baud must be positive")
    if "patience" in given and not (0.5 <= given.patience <= 86400 and 0 <= given.wait <= 86400):
        parser.error("--patience must lie between 0.5 and 86400 seconds, --wait between 0 and 86400")
    for name, most in (("seconds", wire_check.MS_MAX / 1000), ("mib", wire_check.BYTES_MAX / (1 << 20))):
        value = getattr(given, name, None)
        if value is not None and not 0 < value <= most:
            parser.error(f"--{name} must be positive and at most {most:g}")
    if getattr(given, "echo", False) and (given.seconds or given.mib):
        parser.error("--echo does as the other end says: give --seconds or --mib there")


def wish(given: argparse.Namespace) -> tuple[int, int]:
    """(milliseconds, bytes) of a check; ten seconds where neither was given, nothing for an echo."""
    if getattr(given, "echo", False):
        return 0, 0
    if given.seconds is None and given.mib is None:
        return int(wire_check.SECONDS * 1000), 0
    return int((given.seconds or 0) * 1000), int((given.mib or 0) * (1 << 20))


def prepare(given: argparse.Namespace, port: Port, console: Console, reporter: Reporter) -> Run | LoopRun:
    """The run that was asked for, with its port open. Raises PortTrouble or OSError."""
    if given.command == "send" and not given.file.is_file():
        raise PortTrouble(f"there is no file {given.file}.")
    if given.command == "receive":
        given.out.mkdir(parents=True, exist_ok=True)
    crypto.default()  # its library loads in 10 ms: before the port is open, not between the first bytes
    port.open()
    if given.command == "loop":
        return LoopRun(port, *wish(given), console, reporter)
    ms, size = wish(given) if given.command == "check" else (0, 0)
    options = Options(given.patience, given.wait, getattr(given, "once", False), ms, size)
    if given.command == "check":
        return CheckWire(port, options, console, reporter)
    if given.command == "send":
        return SendFile(port, options, console, reporter, given.file)
    return ReceiveFiles(port, options, console, reporter, given.out)


def list_ports(as_json: bool, out: TextIO) -> int:
    ports = ports_of_this_machine()
    if as_json:
        print(json.dumps(ports), file=out)
    elif ports:
        screen = Console(file=out)
        screen.print(ports_table(ports))
    else:
        print("This machine has no serial port. Plug in an adapter, and look again.", file=out)
    return 0


def main(argv: list[str] | None = None, console: Console | None = None, out: TextIO | None = None) -> int:
    given = arguments(sys.argv[1:] if argv is None else argv)
    out = out or sys.stdout
    if given.list or given.command == "list":
        return list_ports(getattr(given, "json", False), out)
    console = console or Console(stderr=True)
    reporter = Reporter(console, out, given.json)
    port = Port(given.port, given.baud)
    run: Run | LoopRun | None = None
    try:
        run = prepare(given, port, console, reporter)
        return run.run()
    except (PortTrouble, OSError) as error:
        reporter.complain(str(error))
        return 2
    except KeyboardInterrupt:
        reporter.complain("interrupted; what arrived stays, the next run goes on from there.")
        if run is not None:
            run.interrupted()
        return 130
    finally:
        if run is not None:
            run.close()
        port.close()


if __name__ == "__main__":
    sys.exit(main())
