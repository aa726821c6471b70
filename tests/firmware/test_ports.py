"""The wires of a Linux slate: a descriptor, TCP, a serial port by path, and a hub found by zeroconf."""

import asyncio
import os
import socket
import threading
import tty

import pytest

from firmware.ports import linux
from tests.kits.loop import in_thread, run

SENT = bytes(range(256)) * 64


def echo(read, write, total):
    """The other end: gives back `total` bytes."""

    def run():
        done = 0
        while done < total:
            data = read(4096)
            done += len(data)
            while data:
                data = data[write(data) :]

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def round_trip(name):
    async def act():
        port = await linux.open_port(name)
        got = bytearray()
        for at in range(0, len(SENT), 2048):
            await port.write(SENT[at : at + 2048])
            while len(got) < at + 2048:
                got += await port.read(1000)
        port.close()
        return bytes(got)

    return run(asyncio.wait_for(act(), 20))


def test_bytes_pass_a_descriptor_unchanged():
    mine, theirs = socket.socketpair()
    echo(theirs.recv, theirs.send, len(SENT))
    assert round_trip(f"fd:{mine.fileno()}") == SENT


def test_bytes_pass_tcp_unchanged():
    with socket.create_server(("127.0.0.1", 0)) as server:
        def serve():
            wire, _ = server.accept()
            echo(wire.recv, wire.send, len(SENT)).join()

        threading.Thread(target=serve, daemon=True).start()
        assert round_trip(f"tcp:127.0.0.1:{server.getsockname()[1]}") == SENT


def test_bytes_pass_a_serial_path_unchanged():
    master, slave = os.openpty()
    tty.setraw(master)
    echo(lambda n: os.read(master, n), lambda data: os.write(master, data), len(SENT))
    assert round_trip(os.ttyname(slave)) == SENT


def test_a_closed_wire_reads_as_its_end():
    mine, theirs = socket.socketpair()
    theirs.close()

    async def act():
        return await (await linux.open_port(f"fd:{mine.fileno()}")).read(10)

    assert run(act()) == b""


@pytest.mark.parametrize("name", ["/dev/no-such-port", "tcp:nowhere", "tcp:127.0.0.1:x", "tcp:127.0.0.1:1"])
def test_a_wire_that_cannot_be_opened_is_an_error_with_words(name):
    with pytest.raises(OSError) as error:
        run(linux.open_port(name))
    assert len(str(error.value)) > 5


def test_a_hub_that_announces_itself_is_found():
    from zeroconf import ServiceInfo, Zeroconf

    info = ServiceInfo(
        linux.SERVICE, "test-wing." + linux.SERVICE, addresses=[socket.inet_aton("127.0.0.1")], port=45678,
        server="test-wing.local.",
    )  # fmt: skip

    def found():
        announcer = Zeroconf(interfaces=["127.0.0.1"])
        try:
            announcer.register_service(info)
            return linux.find_hub(wait_s=10, interfaces=["127.0.0.1"])
        finally:
            announcer.close()

    assert in_thread(found) == ("127.0.0.1", 45678)  # zeroconf would take the loop of whoever runs one here


def test_no_hub_is_said_so():
    with pytest.raises(OSError, match="no hub answered"):
        linux.find_hub(wait_s=0.3, interfaces=["127.0.0.1"])
