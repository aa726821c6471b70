"""The real hub in a process of its own, its real broker, and devices that speak the protocol over ptys."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub_daemon.broker.mosquitto import find_program
from hub_daemon.limits import MEDIA_WALL_S_MAX
from hub_daemon.store import log
from tests.kits.docked import WAIT_S_MAX, DockedDevice, wait_for
from tests.kits.hub import ROOT, Bayline, HubProcess, HubWing, state_of


class Rig:
    """A wing with a device on each of two bays."""

    def __init__(self, data: Path, *more: str) -> None:
        self.wing = HubWing(data)
        self.ann, self.ben = self.wing.device("ann"), self.wing.device("ben")
        self.lines = [Bayline(), Bayline()]
        self.hub = HubProcess(data, {"left": self.lines[0].path, "right": self.lines[1].path}, *more)

    def close(self) -> None:
        self.ann.lift()
        self.ben.lift()
        if self.hub.process is not None:
            self.hub.stop()
        for line in self.lines:
            line.close()
        self.wing.store.close()

    def refusals(self) -> str:
        with self.wing.store.read() as tx:
            rows = log.since(tx, 0)
        said = self.hub.log.read_text("utf-8", "replace")
        return "\n".join(row.detail for row in rows if row.action == "refused") + said


@pytest.fixture(params=["mosquitto", "amqtt"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    if request.param == "mosquitto" and not find_program():
        pytest.skip("mosquitto is not installed")
    made = Rig(tmp_path, "--broker", request.param)
    made.hub.start()
    yield made
    made.close()


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path)
    made.hub.start()
    yield made
    made.close()


def settled(device: DockedDevice) -> bool:
    return bool(device.statuses) and device.statuses[-1].phase == "settled"


def test_a_post_goes_from_one_dock_to_the_other_once_staff_approved_it(rig: Rig) -> None:
    ann, ben = rig.ann, rig.ben
    item = ann.write("reading", "Have you read it too?")
    ann.note("log in")
    ann.seat(rig.lines[0].fd)
    ben.seat(rig.lines[1].fd)
    assert wait_for(lambda: item in ann.acked), rig.refusals()
    assert wait_for(lambda: settled(ann)) and ann.statuses[-1].sent == 1
    assert ann.journal_acked == 0
    assert wait_for(lambda: getattr(rig.wing.item(item), "state", "") == "pending")
    assert not ben.bundles
    rig.wing.approve(item)
    assert wait_for(lambda: item in ben.bundles), rig.refusals()
    assert ben.bundles[item].text == b"Have you read it too?"
    assert wait_for(lambda: getattr(rig.wing.item(item), "state", "") == "delivered")
    assert wait_for(lambda: ann.list is not None and ann.list.state_of(item) == 4)
    assert ben.statuses[-1].new == 1


def test_the_hub_says_where_to_look_and_stops_clean(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    try:
        rig.hub.start()
        said = rig.hub.log.read_text()
        assert "operator.txt" in said and "left on " in said
        broker = rig.hub.broker_pid()
        assert rig.hub.stop() == 0
        assert broker is None or not Path(f"/proc/{broker}").exists()
        assert not (tmp_path / "broker" / "hub.sock").exists()
    finally:
        rig.close()


def test_random_bytes_and_broken_frames_on_one_bay_leave_the_other_working(one: Rig) -> None:
    dice = random.Random(7)
    for n in range(60):
        noise = dice.randbytes(dice.randrange(1, 3000))
        os.write(one.lines[0].fd, noise if n % 2 else b"\0" + noise[:100] * 3 + b"\0")
        time.sleep(0.005)
    item = one.ben.write("reading", "still here")
    one.ben.seat(one.lines[1].fd)
    assert wait_for(lambda: item in one.ben.acked)
    later = one.ann.write("reading", "and so is this bay")
    one.ann.seat(one.lines[0].fd)
    assert wait_for(lambda: later in one.ann.acked)
    assert "fault" not in one.hub.log.read_text()


def test_an_unknown_device_gets_no_session(one: Rig) -> None:
    stranger = HubWing(one.wing.data.parent / "other").device("ann")
    stranger.hub_x25519 = one.wing.keys.x25519_public
    stranger.write("reading", "let me in")
    stranger.seat(one.lines[0].fd)
    assert not wait_for(lambda: stranger.connected.is_set() or stranger.acked, 1.5)
    stranger.lift()
    assert "DeviceUnknown" in one.refusals()


def test_a_device_on_two_bays_is_served_on_the_newest(one: Rig) -> None:
    twin = DockedDevice("a-wing", one.ann.keys, one.wing.keys.x25519_public, "ann")
    one.ann.seat(one.lines[0].fd)
    assert wait_for(lambda: settled(one.ann))
    twin.counter = 50
    item = twin.write("reading", "from the newer docking")
    one.ann.auto = False
    twin.seat(one.lines[1].fd)
    assert wait_for(lambda: item in twin.acked)
    assert wait_for(lambda: len(one.ann.downs) > 0)
    assert "docked on right" in one.hub.log.read_text()
    one.ann.lift()
    time.sleep(0.3)
    again = twin.write("reading", "the older one's end does not touch it")
    assert wait_for(lambda: again in twin.acked)
    twin.lift()


@pytest.mark.skipif(not find_program(), reason="mosquitto is not installed")
def test_an_operator_sees_the_designs_topics_and_cannot_speak(one: Rig) -> None:
    note = dict(
        line.split(" = ")
        for line in (one.wing.data / "broker" / "operator.txt").read_text().splitlines()
        if " = " in line
    )
    login = ["--unix", note["socket"], "-u", note["user"], "-P", note["password"]]
    watcher = subprocess.Popen(
        ["mosquitto_sub", *login, "-v", "-t", note["topics"], "-F", "%t"], stdout=subprocess.PIPE, text=True
    )
    time.sleep(0.3)
    subprocess.run(
        ["mosquitto_pub", *login, "-t", f"wing/a-wing/device/{one.ann.keys.id.hex()}/up/hello", "-m", "x"], check=True
    )
    item = one.ann.write("reading", "watched")
    one.ann.seat(one.lines[0].fd)
    assert wait_for(lambda: item in one.ann.acked and settled(one.ann))
    time.sleep(0.3)
    watcher.terminate()
    topics = set(watcher.communicate()[0].split())
    own = f"wing/a-wing/device/{one.ann.keys.id.hex()}"
    for expected in ("up/hello", "up/envelope", "down/time", "down/roster", "down/list", "down/receipt", "down/hello"):
        assert f"{own}/{expected}" in topics
    assert "wing/a-wing/hub/health" in topics
    assert "NotDocked" not in one.refusals()


def test_a_devices_own_client_is_refused_everything_else(one: Rig) -> None:
    from protocol import mqtt

    other = one.ben.keys.id.hex()
    one.ben.seat(one.lines[1].fd)
    assert wait_for(lambda: settled(one.ben))
    attempts = {
        "SecondConnect": mqtt.connect("x", 30),
        "TopicForeign": mqtt.publish(f"wing/a-wing/device/{other}/up/hello", b""),
        "SubscriptionForeign": mqtt.subscribe(1, [("#", 0)]),
        "RetainRefused": mqtt.publish("up/hello", b"", 0, True),
        "QosRefused": mqtt.publish("up/hello", b"", 2, False, 1),
        "MqttError": b"\x30\xff\xff\xff\x7f" + bytes(40),
        "PacketForeign": mqtt.connack(0),
    }
    for name, packet in attempts.items():
        before = len(one.ann.downs)
        one.ann.auto = False
        one.ann.seat(one.lines[0].fd)
        assert wait_for(one.ann.connected.is_set), name
        one.ann.raw.append(mqtt.connect("liar", 30) + packet)
        assert wait_for(lambda before=before: len(one.ann.downs) > before), name
        one.ann.lift()
        assert name in one.refusals()
        beside = one.ben.write("reading", f"docked through {name}")
        assert wait_for(lambda beside=beside: beside in one.ben.acked) and one.ben.downs == []
    one.ann.auto = True
    one.ann.client = None
    item = one.ann.write("reading", "honest again")
    one.ann.seat(one.lines[0].fd)
    assert wait_for(lambda: item in one.ann.acked)


def test_a_video_goes_up_across_a_cut_and_is_taken_whole(one: Rig) -> None:
    plain = random.Random(3).randbytes(600_000)
    item = one.ann.record("reading", plain)
    one.ann.seat(one.lines[0].fd)
    parts = one.wing.data / "blobs" / "parts"
    assert wait_for(lambda: any(path.stat().st_size > 100_000 for path in parts.glob("*") if path.suffix == ""))
    one.ann.lift()
    assert item not in one.ann.acked
    time.sleep(2.0)  # the bay notices
    one.ann.seat(one.lines[0].fd)
    assert wait_for(lambda: item in one.ann.acked)
    root = next(iter(one.ann.blobs))
    assert one.wing.blobs.read(root) == one.ann.blobs[root]
    assert one.ann.messages and not any(parts.iterdir())


def test_a_slate_docks_over_ethernet_with_the_same_stack(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "--tcp", "127.0.0.1:0")
    try:
        rig.hub.start()
        line = next(line for line in rig.hub.log.read_text().splitlines() if "ethernet" in line)
        wire = socket.create_connection(("127.0.0.1", int(line.rpartition(":")[2])))
        noise = socket.create_connection(("127.0.0.1", int(line.rpartition(":")[2])))
        noise.sendall(random.Random(1).randbytes(10_000))
        item = rig.ann.write("reading", "by cable")
        rig.ann.seat(wire.fileno())
        assert wait_for(lambda: item in rig.ann.acked)
        noise.close()
        rig.ann.lift()
        wire.close()
        assert wait_for(lambda: "lifted tcp-" in rig.hub.log.read_text())
    finally:
        rig.close()


def test_a_fault_in_one_bay_restarts_that_bay_alone(tmp_path: Path) -> None:
    """A bay whose port is not there waits for it, and serves it when it comes."""
    rig = Rig(tmp_path)
    path = tmp_path / "late-port"
    rig.hub.argv += ["--bay", f"late={path}"]
    try:
        rig.hub.start()
        item = rig.ann.write("reading", "while the other bay has no port")
        rig.ann.seat(rig.lines[0].fd)
        assert wait_for(lambda: item in rig.ann.acked)
        assert "late-port" in rig.hub.log.read_text()
        extra = Bayline()
        path.symlink_to(extra.path)
        later = rig.ben.write("reading", "on the port that came late")
        rig.ben.seat(extra.fd)
        assert wait_for(lambda: later in rig.ben.acked)
        rig.ben.lift()
        extra.close()
    finally:
        rig.close()


def test_a_wrong_configuration_or_an_edited_register_stops_the_start_by_name(tmp_path: Path) -> None:
    def start(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "perch", "hub", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=30
        )
        assert done.returncode != 0
        return done.stderr

    (tmp_path / "hub.toml").write_text("[wing]\nname = 'a-wing'\n[bays]\nbuad = 9600\n")
    assert "line 4" in start("--config", str(tmp_path / "hub.toml"))
    assert "HOST:PORT" in start("--data", str(tmp_path / "d"), "--page", "nowhere")
    wing = HubWing(tmp_path / "data")
    wing.enrol("ann")
    with wing.store.write() as tx:
        tx.execute("UPDATE rosters SET register = (SELECT register FROM rosters WHERE version = 1)")
    wing.store.close()
    assert "RegisterEdited" in start("--data", str(tmp_path / "data"), "--wing", "a-wing", "--page", "none")
    printed = subprocess.run(
        [sys.executable, "-m", "perch", "hub", "--print-config"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "[bays]" in printed.stdout


def test_a_mistake_of_ours_in_one_bay_is_said_and_costs_that_bay_only(one: Rig) -> None:
    with one.wing.store.write() as tx:
        tx.execute("ALTER TABLE enrolments RENAME TO gone")  # what no Refusal expects
    one.ann.seat(one.lines[0].fd, "XX")
    assert wait_for(lambda: "fault left" in one.hub.log.read_text())
    item = one.ben.write("reading", "nothing of it here")
    one.ben.seat(one.lines[1].fd)
    assert wait_for(lambda: item in one.ben.acked)
    one.ann.lift()
    with one.wing.store.write() as tx:
        tx.execute("ALTER TABLE gone RENAME TO enrolments")
    later = one.ann.write("reading", "and the bay came back")
    one.ann.seat(one.lines[0].fd)
    assert wait_for(lambda: later in one.ann.acked)


def test_a_stop_does_not_wait_for_a_long_transcode_and_the_item_is_done_again(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    try:
        rig.hub.start()
        items = [rig.ann.record("reading", random.Random(n).randbytes(300_000)) for n in range(3)]
        rig.ann.seat(rig.lines[0].fd)
        held: list[int] = []
        assert wait_for(lambda: (pid := rig.hub.hold_transcode()) and not held.append(pid))
        # the transcode would go on until MEDIA_WALL_S_MAX; stop() raises long before
        assert MEDIA_WALL_S_MAX > WAIT_S_MAX and rig.hub.stop() == 0
        with contextlib.suppress(ProcessLookupError):
            os.kill(held[0], signal.SIGCONT)
        assert wait_for(lambda: state_of(held[0]) in "ZX"), "nothing of the transcode outlives its hub"
        assert any(getattr(rig.wing.item(one), "state", "") == "ingested" for one in items if one in rig.ann.acked)
        rig.hub.start()
        # none of the three is a video: each is refused by name, never lost
        assert wait_for(lambda: all(getattr(rig.wing.item(one), "state", "") == "refused" for one in items))
    finally:
        rig.close()
