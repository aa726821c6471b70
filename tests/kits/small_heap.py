"""Runs inside MicroPython with a small heap: protocol/, a link and a session at both ends, 256 KiB carried.

usage: micropython -X heapsize=128k small_heap.py      (MICROPYPATH: protocol/ as .mpy, as a device has it)

Both ends share the one heap, so both windows are smaller than a device's 16 KiB. The place of the buffers is
held from the start, as a board's program does. The last line says how much was left at the worst moment.
"""

import gc

hold = bytearray(16 * 1024)

import protocol.crypto  # noqa: E402

protocol.crypto.default()
gc.collect()
from protocol.noise import public_of  # noqa: E402

gc.collect()
from protocol.link import Link  # noqa: E402

gc.collect()
from protocol.session import Session  # noqa: E402
from protocol.stack import Stack  # noqa: E402

SIZE = 256 * 1024
HUB, DEVICE = bytes(range(1, 33)), bytes(range(101, 133))
BLOCK = bytes(range(256)) * 4
count = [0]


def random(n: int) -> bytes:
    count[0] += 1
    return bytes([count[0]]) * n


def main() -> None:
    """The device's own end, and a smaller one in the place of the hub."""
    global hold
    gc.collect()
    hold = bytearray()
    gc.collect()
    device_link = Link(b"device-1", 8192, 4096, data_bytes_max=1024, burst_bytes=1024, event_bytes_max=1024)
    hub_link = Link(b"hub----1", 1024, 1024, data_bytes_max=512, burst_bytes=512, event_bytes_max=512)
    hub_public = public_of(HUB)
    device = Stack(device_link, lambda: Session(True, DEVICE, random, "IK", hub_public))
    hub = Stack(hub_link, lambda: Session(False, HUB, random))
    now = sent = got = 0
    least = 1 << 30
    while got < SIZE:
        now += 1
        if hub.up and sent < SIZE and hub.unacked() == 0:
            sent += hub.write(BLOCK)
        for one, other in ((device, hub), (hub, device)):
            data = one.to_send(now)
            if data:
                other.receive(data, now)
        event = device.next_event()
        while event is not None:
            if event[0] == "data":
                assert event[-1] == BLOCK
                got += len(event[-1])
            event = device.next_event()
        while hub.next_event() is not None:
            pass
        assert now < 100000
        if now % 64 == 0:
            gc.collect()
            least = min(least, gc.mem_free())  # type: ignore[attr-defined]
    print(f"carried {got} bytes; {least} bytes of heap free at the worst moment")


main()
