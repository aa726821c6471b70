"""A device whose signatures take as long as on a board docks once: nobody takes it for gone while it verifies."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware.device import Device
from firmware.dock import Dock
from firmware.storage import MemoryStorage
from tests.kits.exchange_side import ExchangeSide
from tests.kits.hub import HubWing
from tests.kits.slow_device import Meter, Slow, run
from tests.kits.wing import Seeded


@pytest.mark.parametrize("verify_ms", [600, 1000])
def test_a_device_that_verifies_for_seconds_docks_once_and_has_everything(tmp_path: Path, verify_ms: int) -> None:
    wing = HubWing(tmp_path)
    devices = {name: Device(MemoryStorage(), Seeded(name), lambda: wing.clock_ms() // 1000) for name in ("ben", "ann")}
    for name, device in devices.items():
        certificate = wing.certify(device.identity.ed25519, device.identity.x25519, name)
        device.commit_enrolment(certificate, wing.signed_rosters())
    ann, ben = devices["ann"], devices["ben"]
    posts = [ben.write_post("reading", None, f"post {number}") for number in range(4)]
    meter = Meter({})
    patterns = []
    for device in (ben, ann, ann):
        if device is ann and len(patterns) == 1:
            wing.ingest()
            for item in posts:
                wing.approve(item)
            for _ in range(2):
                wing.new_roster()
            meter = Meter({"verify": verify_ms, "sign": verify_ms // 2, "x25519": verify_ms // 2})
        hub = ExchangeSide(wing.exchange())
        slow = Slow(Dock(device, Seeded("dock" + str(len(patterns)))), meter)
        with meter.applied():
            run(slow, hub, lambda device=device: device.phase == "settled" and device.can_lift, 0, 200_000)  # type: ignore[misc]
        slow.dock.restart()
        hub.end()
        patterns += hub.patterns
    assert len(patterns) == 3, "one session for each visit"
    assert {row["id"] for row in ann.threads("reading")} == set(posts)
    assert slow.longest_ms < 10_000 and wing.roster is not None
    assert ann.identity.roster is not None and ann.identity.roster.version == wing.roster.version
