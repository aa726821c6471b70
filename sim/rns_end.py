"""One end of Reticulum (rns) on a serial port, for the bench: sends or receives one resource over one link.

    python -m sim.rns_end receive --port PORT --baud N --out FILE
    python -m sim.rns_end send    --port PORT --baud N FILE

Both run in a process of their own and talk to the bench in lines. The receiver says `ready PUBLIC-KEY-HEX`; the sender
takes that line and a `go` from its standard input, finds the path, makes the link and sends. Each says `SECONDS word`
when something happened; the seconds are those of the machine's monotonic clock, so that both ends' can be compared.
Reticulum's settings are its own, but for the compression of what is random anyway.
"""

import argparse
import os
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import RNS  # type: ignore[import-untyped]

PATH_ASK_S = 2.0
CONFIG = """[reticulum]
enable_transport = No
share_instance = No
panic_on_interface_error = No
[logging]
loglevel = 1
[interfaces]
[[wire]]
type = SerialInterface
enabled = Yes
port = {port}
speed = {baud}
"""


def say(word: str) -> None:
    print(f"{time.monotonic():.6f} {word}", flush=True)


def end_with_the_bench() -> None:
    """Reticulum waits for ever; the bench may be gone."""
    bench = os.getppid()

    def watch() -> None:
        while os.getppid() == bench:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def receive(given: argparse.Namespace) -> int:
    identity = RNS.Identity()
    destination = RNS.Destination(identity, RNS.Destination.IN, RNS.Destination.SINGLE, "perch", "bench")
    ended = threading.Event()
    arrived: list[bool] = []

    def concluded(resource: Any) -> None:
        if resource.status == RNS.Resource.COMPLETE:
            say("complete")
            given.out.write_bytes(resource.data.read())
            arrived.append(True)
        ended.set()

    def established(link: Any) -> None:
        link.set_resource_strategy(RNS.Link.ACCEPT_ALL)
        link.set_resource_concluded_callback(concluded)

    destination.set_link_established_callback(established)
    print("ready " + identity.get_public_key().hex(), flush=True)
    ended.wait()
    time.sleep(0.3)  # the proof of what arrived is still on its way
    return 0 if arrived else 1


def send(given: argparse.Namespace) -> int:
    data = given.file.read_bytes()
    word, public = sys.stdin.readline().split()
    identity = RNS.Identity(create_keys=False)
    identity.load_public_key(bytes.fromhex(public))
    destination = RNS.Destination(identity, RNS.Destination.OUT, RNS.Destination.SINGLE, "perch", "bench")
    ended = threading.Event()
    done: list[bool] = []

    def concluded(resource: Any) -> None:
        done.append(resource.status == RNS.Resource.COMPLETE)
        say("sent" if done[-1] else "failed")
        ended.set()

    def established(link: Any) -> None:
        say("link")
        RNS.Resource(data, link, auto_compress=False, callback=concluded)

    def closed(link: Any) -> None:
        ended.set()

    say("up")
    sys.stdin.readline()
    say("start")
    asked = 0.0
    while not RNS.Transport.has_path(destination.hash):
        if time.monotonic() - asked > PATH_ASK_S:
            RNS.Transport.request_path(destination.hash)
            asked = time.monotonic()
        time.sleep(0.005)
    RNS.Link(destination, established_callback=established, closed_callback=closed)
    ended.wait()
    return 0 if done and done[0] else 1


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m sim.rns_end")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("send").add_argument("file", type=Path)
    commands.add_parser("receive").add_argument("--out", type=Path, required=True)
    for command in commands.choices.values():
        command.add_argument("--port", required=True)
        command.add_argument("--baud", type=int, required=True)
    given = parser.parse_args(argv)
    end_with_the_bench()
    with tempfile.TemporaryDirectory(prefix="perch-rns-") as folder:
        Path(folder, "config").write_text(CONFIG.format(port=given.port, baud=given.baud))
        RNS.Reticulum(configdir=folder, loglevel=1)
        code = send(given) if given.command == "send" else receive(given)
    sys.stdout.flush()
    os._exit(code)  # Reticulum's threads do not end by themselves


if __name__ == "__main__":
    main(sys.argv[1:])
