"""kill -9 of hub and broker at random moments: nothing that was acknowledged is missing, nothing is there twice."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from hub_daemon.broker.mosquitto import find_program
from hub_daemon.store import Store, envelopes, items, log
from tests.kits.docked import DockedDevice, wait_for
from tests.kits.hub import Bayline, HubProcess, HubWing

SEED = int(os.environ.get("PERCH_KILL_SEED", "20261121"))


def all_items(store: Store) -> list[bytes]:
    with store.read() as tx:
        return [bytes(row[0]) for row in tx.execute("SELECT id FROM items")]


@pytest.mark.parametrize("broker", ["mosquitto", "amqtt"])
def test_nothing_acknowledged_is_lost_or_stored_twice_when_hub_and_broker_are_killed(
    broker: str, tmp_path: Path
) -> None:
    if broker == "mosquitto" and not find_program():
        pytest.skip("mosquitto is not installed")
    dice = random.Random(SEED)
    wing = HubWing(tmp_path)
    devices = [wing.device("ann"), wing.device("ben")]
    lines = [Bayline(), Bayline()]
    bays = {f"bay{n}": line.path for n, line in enumerate(lines)}
    (tmp_path / "hub.toml").write_text("[limits]\nenvelopes_per_day_max = 10000\n")
    hub = HubProcess(tmp_path, bays, "--broker", broker, "--config", str(tmp_path / "hub.toml"))
    made: dict[bytes, DockedDevice] = {}
    try:
        hub.start()
        for device, line in zip(devices, lines):
            device.seat(line.fd)
        for kill in range(6):
            end = time.monotonic() + dice.uniform(0.4, 1.6)
            while time.monotonic() < end:
                device = dice.choice(devices)
                if len(device.outbox) < 10:
                    if dice.random() < 0.15:
                        item = device.record("reading", dice.randbytes(dice.randrange(1000, 120_000)))
                    else:
                        item = device.write("reading", f"message {len(made)}")
                    made[item] = device
                    device.note("write")
                time.sleep(dice.uniform(0, 0.05))
            broker_pid = hub.broker_pid()
            if kill % 3 == 1 and broker_pid is not None:
                os.kill(broker_pid, signal.SIGKILL)
            else:
                hub.kill()
                hub.start()
        for device in devices:
            assert wait_for(lambda device=device: not device.outbox, 40), (
                len(device.outbox), device.downs[-5:], device.statuses[-1:], hub.log.read_text()[-1500:],
            )  # fmt: skip
            assert wait_for(lambda device=device: device.journal_acked >= 0, 10)
    finally:
        for device in devices:
            device.lift()
        if hub.process is not None:
            hub.stop()
        for line in lines:
            line.close()
    stored = all_items(wing.store)
    assert len(stored) == len(set(stored))
    acked = {item for device in devices for item in device.acked}
    assert acked <= set(stored)
    assert set(stored) == set(made), "every message is there once, and nothing else"
    refused = {item: name for device in devices for item, name in device.refused.items()}
    assert set(refused.values()) <= {"NotAVideo"}, "what a device recorded here is random; nothing else is refused"
    assert all(refused_item in device.acked for device in devices for refused_item in device.refused)
    with wing.store.read() as tx:
        assert log.first_edited(tx) is None
        for item, device in made.items():
            envelope = envelopes.get(tx, item)
            entry = items.get(tx, item)
            assert envelope is not None and entry is not None and envelope.device == device.keys.id
            custody = [row for row in log.of_item(tx, item) if row.action == "custody"]
            assert len(custody) == 1
            assert item not in refused or envelope.blob_root is not None
            if envelope.blob_root is not None:
                assert wing.blobs.read(envelope.blob_root) == device.blobs[envelope.blob_root]
    wing.store.close()
