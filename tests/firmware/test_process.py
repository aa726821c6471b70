"""The device as a board runs it: a real MicroPython process, compiled, in a small heap, killed without warning."""

import http.client
import json
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
from pathlib import Path

import pytest

from tests.kits import micropython, process
from tests.kits.memory_hub import HubSide, Kept
from tests.kits.wing import Seeded, Wing

RECORDING = Seeded("recording")(1_000_000)


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return process.build(tmp_path_factory.mktemp("program"))


@pytest.fixture(autouse=True)
def nothing_left_running():
    yield
    for device in list(process.started):
        device.kill()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Browser:
    """A plain HTTP client of one page; it keeps the origin that the page asks for."""

    def __init__(self, port):
        self.port = port

    def ask(self, method, path, body=None, kind="application/x-www-form-urlencoded"):
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        if isinstance(body, dict):
            body = urllib.parse.urlencode(body)
        line.request(method, path, body, {"Origin": f"http://127.0.0.1:{self.port}", "Content-Type": kind})
        answer = line.getresponse()
        data = answer.read()
        line.close()
        assert answer.status < 400, (method, path, answer.status, data[:300])
        return data

    def ready(self, device):
        for _ in range(400):
            assert device.process.poll() is None, device.output()
            try:
                return self.ask("GET", "/")
            except OSError:
                time.sleep(0.05)
        raise AssertionError("no page:\n" + device.output())

    def post(self, text):
        form = self.ask("GET", "/write?group=reading").decode()
        token = re.search(r'name="token" value="([^"]+)"', form).group(1)
        self.ask("POST", "/write", {"group": "reading", "to": "", "token": token, "text": text, "do": "send"})

    def record(self, data):
        form = {"group": "reading", "text": "look", "type": "video/webm"}
        begun = json.loads(self.ask("POST", "/record/begin", form))
        size = begun["slice"]
        for at in range(0, len(data), size):
            path = f"/record/{begun['draft']}/append?offset={at}"
            self.ask("POST", path, data[at : at + size], "application/octet-stream")
        return bytes.fromhex(json.loads(self.ask("POST", f"/record/{begun['draft']}/save"))["item"])


class Docked:
    """Keeps the wire moving in a thread while the test uses the page."""

    def __init__(self, device, hub):
        self.device, self.hub = device, hub
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        while not self._stop.is_set():
            self.device.turn(self.hub)

    def __enter__(self):
        self._thread.start()

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()


def test_a_device_process_enrols_records_survives_kills_and_moves_a_megabyte_each_way(program, tmp_path):
    data, port = tmp_path / "device", free_port()
    page = f"127.0.0.1:{port}"
    kept, browser = Kept(Wing()), Browser(port)

    device = process.DeviceProcess(program, data, page)
    hub = HubSide(kept, Seeded("hub"))
    device.run(hub, lambda: hub.enrol is not None and hub.enrol.request is not None)
    with Docked(device, hub):
        assert hub.enrol.digits in browser.ready(device).decode().replace(" ", "")
        browser.ask("POST", "/digits", {"digits": hub.enrol.digits, "do": "same"})
    hub.confirmed = True
    device.run(hub, lambda: [entry.action for entry in kept.journal][:2] == ["enrolled", "dock"])
    device.kill()

    # in the cell: no wire moves. Saved, then the power goes.
    device = process.DeviceProcess(program, data, page)
    browser.ready(device)
    browser.post("Hello from the cell")
    item = browser.record(RECORDING)
    device.kill()
    assert (data / "own" / item.hex()).exists()

    # docked: cut twice on the way up
    for at in (0.3, 0.7):
        device = process.DeviceProcess(program, data, page)
        hub = HubSide(kept, Seeded("hub" + str(at)))
        device.run(hub, lambda at=at: kept.chunks_stored >= at * 123)
        assert item not in kept.items
        device.kill()
    device = process.DeviceProcess(program, data, page)
    hub = HubSide(kept, Seeded("hub-last"))
    device.run(hub, lambda: len(kept.taken) == 2)
    root = kept.items[item].blob.root
    assert kept.chunks_stored == len(kept.chunks[root])
    assert b"".join(kept.chunks[root]) == (data / "blob" / root.hex()).read_bytes()

    # down: a megabyte of somebody else's
    statement = kept.approve(b"v" * 32, "ben", "From Ben", [("video", RECORDING, "video/webm")])
    hub.send_list()
    final = data / "blob" / statement.rendition("video").digest.hex()
    device.run(hub, final.exists)
    device.run(hub, lambda: kept.receipts.get(b"v" * 32) == 1)
    with Docked(device, hub):
        thread = browser.ask("GET", f"/thread/{(b'v' * 32).hex()}").decode()
        assert "From Ben" in thread
        media = re.search(r'(/media/[0-9a-f]{64})', thread).group(1)
        assert browser.ask("GET", f"/media/{statement.rendition('video').digest.hex()}") == RECORDING, media
    output = device.output()
    device.kill()
    assert "MemoryError" not in output and "Traceback" not in output, output


def test_a_device_starts_again_after_a_kill_at_any_moment_of_its_first_seconds(program, tmp_path):
    data = tmp_path / "device"
    kept = Kept(Wing())
    identities = set()
    for turn in range(6):
        device = process.DeviceProcess(program, data)
        hub = HubSide(kept, Seeded("hub" + str(turn)))
        end = time.monotonic() + 0.1 * (turn + 1)
        while time.monotonic() < end:
            device.turn(hub)
        device.kill()
        key = data / "keys" / "device"
        if key.exists():
            identities.add(key.read_bytes())
    assert len(identities) == 1 and "Traceback" not in device.output(), device.output()


def test_wrong_arguments_are_named_with_what_to_do(program):
    done = micropython.run([str(program / "run.py"), "--port", "fd:9"], heap=process.HEAP)
    assert done.returncode == 2 and "--data DIR is needed" in done.stdout
    done = micropython.run([str(program / "run.py"), "--dta", "x"], heap=process.HEAP)
    assert done.returncode == 2 and "unknown argument --dta" in done.stdout


def test_the_same_device_runs_under_cpython(tmp_path):
    port = free_port()
    command = [sys.executable, "-m", "firmware.ports.linux", "--data", str(tmp_path / "d")]
    command += ["--page", f"127.0.0.1:{port}"]
    child = subprocess.Popen(command, cwd=Path(__file__).resolve().parents[2], stdout=subprocess.PIPE, text=True)
    try:
        for _ in range(200):
            try:
                line = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
                line.request("GET", "/")
                assert line.getresponse().status == 200
                break
            except OSError:
                time.sleep(0.05)
        else:
            raise AssertionError("no page")
    finally:
        child.kill()
        child.wait()
