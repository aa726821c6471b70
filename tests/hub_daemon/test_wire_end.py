"""perch wire, one end at a real tty: it sleeps while there is nothing that it can do."""

import os
import time
import tty
from contextlib import suppress
from pathlib import Path

from hub_daemon.wire_diagnosis import RECEIVE, SEND
from hub_daemon.wire_end import End
from hub_daemon.wire_files import Receiving, Sending
from hub_daemon.wire_serial import Port

BAUD = 3_000_000


def at_a_tty(role: int) -> tuple[End, int]:
    """An end whose port is a pty, and the descriptor of the pty's other side."""
    master, slave = os.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    port = Port(os.ttyname(slave), BAUD)
    port.open()
    os.close(slave)
    return End(port, role, 30), master


def relay(source: int, target: int) -> None:
    with suppress(BlockingIOError):
        os.write(target, os.read(source, 1024))


def test_an_end_whose_port_is_full_sleeps_though_something_is_due_behind_what_waits(tmp_path: Path) -> None:
    (sender, here), (receiver, there) = at_a_tty(SEND), at_a_tty(RECEIVE)
    file = tmp_path / "file"
    file.write_bytes(bytes(1 << 20))
    sender.work = sending = Sending(file, sender.stack, sender.own, BAUD)
    receiver.work = receiving = Receiving(tmp_path, receiver.stack, receiver.own, BAUD)
    until = time.monotonic() + 30
    while not receiving.at and time.monotonic() < until:
        for end in (sender, receiver):
            end.step(0.001)
        relay(here, there)
        relay(there, here)
    assert receiving.at, "the file is under way; now nobody takes what the sender says"
    steps = 0
    until = time.monotonic() + 0.6
    while time.monotonic() < until:
        sender.step(0.2)
        steps += 1
    assert steps < 100  # it wrote until the port was full, then slept; the next probe has been due for long
    for exchange in (sending, receiving):
        exchange.close()
    for end, master in ((sender, here), (receiver, there)):
        end.port.close()
        os.close(master)
