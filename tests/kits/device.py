"""One enrolled device over a storage in memory, and the steps that tests of it share."""

from firmware.device import Device
from firmware.storage import MemoryStorage
from protocol.errors import Refusal
from tests.kits.wing import Seeded, Wing


def refused(name, call):
    try:
        call()
    except Refusal as refusal:
        assert refusal.name == name, refusal.name
        return
    raise AssertionError("not refused: " + name)


def enrolled(seed="device", storage=None):
    wing = Wing()
    device = Device(storage or MemoryStorage(), Seeded(seed), lambda: 1000)
    wing.enrol(device, "ann")
    return wing, device


def again(device):
    return Device(device.storage, Seeded("again"), lambda: 2000)


def deliver(wing, device, statements, bundles, own=()):
    device.accept_list(wing.delivery_list(device.identity.device, statements, own))
    for bundle in bundles:
        device.receive_bundle(bundle)
