"""What MQTT and a blob cost on top of link and session, in virtual time: the same figures on any machine."""

import pytest

from protocol import blob
from protocol.link import Link
from protocol.noise import public_of
from protocol.session import Session
from protocol.stack import Stack
from sim.bench_pull import HUB, DeviceEnd, End, HubEnd
from sim.memory_wire import Lcg, MemoryWire, Pair
from tests.kits.virtual_wire import VirtualWire

SIZE = 1 << 20
BODY = Lcg(3).bytes(256) * (SIZE // 256)  # what is alike in it, the session's cipher hides from the link
LIMIT_MS = 200_000


def root_of(body: bytes) -> bytes:
    builder = blob.Builder()
    builder.feed(body)
    return builder.finish().root


class Bare:
    """Link and session and nothing else: sends `data` as soon as it may, and counts what comes."""

    def __init__(self, stack: Stack, data: bytes = b"") -> None:
        self.stack, self.data = stack, data
        self.sent = self.got = 0

    def receive(self, data: bytes, now: int) -> None:
        self.stack.receive(data, now)
        self._events()

    def tick(self, now: int) -> None:
        self.stack.tick(now)
        self._events()

    def _events(self) -> None:
        while (event := self.stack.next_event()) is not None:
            self.got += len(event[1]) if event[0] == "data" else 0

    def next_deadline(self) -> "int | None":
        return self.stack.next_deadline()

    def to_send(self, now: int) -> bytes:
        while self.stack.up and (taken := self.stack.write(self.data[self.sent : self.sent + 4096])):
            self.sent += taken
        return self.stack.to_send(now)


def share_alone(byte_us: int, up: bool) -> float:
    random = Lcg(5).bytes
    device = Stack(Link(b"device-1"), lambda: Session(True, random(32), random, "IK", public_of(HUB)))
    hub = Stack(Link(b"hub----1"), lambda: Session(False, HUB, random))
    ends = Bare(device, BODY if up else b""), Bare(hub, b"" if up else BODY)
    return share(byte_us, *ends, lambda: ends[up].got == SIZE)


def share_pulled(byte_us: int, up: bool) -> float:
    """Of a blob that the hub pulls from the device, or the device from the hub."""
    random = Lcg(5).bytes
    asks, serves = {"root": root_of(BODY), "size": SIZE, "random": random}, {"body": BODY, "random": random}
    device = DeviceEnd(Link(b"device-1"), **(serves if up else asks))  # type: ignore[arg-type]
    hub = HubEnd(Link(b"hub----1"), **(asks if up else serves))  # type: ignore[arg-type]
    puller: End = hub if up else device
    found = share(byte_us, device, hub, lambda: puller.done)
    assert puller.body == BODY and not device.refused and not hub.refused
    return found


def share(byte_us: int, device: "Bare | End", hub: "Bare | End", done: object) -> float:
    pair = Pair(device, hub, MemoryWire(byte_us=byte_us))
    pair.run(LIMIT_MS, done)
    assert pair.now < LIMIT_MS, "not finished"
    return SIZE * byte_us / 1000 / pair.now


@pytest.mark.parametrize("byte_us", [3, 10])  # about 3 Mbaud, and 1 Mbaud
@pytest.mark.parametrize("up", [False, True], ids=["down", "up"])
def test_mqtt_and_a_blob_on_top_of_the_session_cost_at_most_a_hundredth_of_the_line_rate(
    byte_us: int, up: bool
) -> None:
    alone, pulled = share_alone(byte_us, up), share_pulled(byte_us, up)
    assert 0.95 < alone < 1, "there is something to compare with"
    assert 0 < alone - pulled <= 0.01, f"{alone:.4f} alone, {pulled:.4f} with MQTT and blob"


def test_a_pull_takes_the_same_virtual_time_every_time() -> None:
    assert share_pulled(10, False) == share_pulled(10, False)


@pytest.mark.parametrize("up", [False, True], ids=["down", "up"])
@pytest.mark.parametrize("seed", range(3))
def test_a_bad_slow_wire_with_a_deep_queue_has_nothing_asked_for_twice(seed: int, up: bool) -> None:
    """115200 baud, 1e-4, and 1.4 s of the line waiting in the kernel: stalls of seconds, and each chunk comes once."""
    body = BODY[: 96 * 1024]
    random = Lcg(seed).bytes
    asks, serves = {"root": root_of(body), "size": len(body), "random": random}, {"body": body, "random": random}
    device = DeviceEnd(Link(b"device-1"), **(serves if up else asks))  # type: ignore[arg-type]
    hub = HubEnd(Link(b"hub----1"), **(asks if up else serves))  # type: ignore[arg-type]
    puller: End = hub if up else device
    wire = VirtualWire(device, hub, 115_200, 1e-4, seed, queue_bytes=16_000)
    assert wire.run(20_000, lambda: puller.done)
    assert puller.body == body and not device.refused and not hub.refused
