"""The page on the real MicroPython: every page again and again, a recording up and a video back, in a small heap."""

import http.client
import json
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from firmware.build import build
from tests.firmware.page.serving import Cell
from tests.firmware.page.test_requests import FORM, form

HEAP = "256k"
ROUNDS = 4
SCRIPT = "only_the_page.py"
MICROPYTHON = Path(sys.executable).parent / "micropython"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    out = tmp_path_factory.mktemp("built")
    build(out)
    mount, starts, _ = (out / "run.py").read_text().partition("from firmware.main import main")
    assert starts
    (out / SCRIPT).write_text(mount + Path(__file__).with_name(SCRIPT).read_text())
    return out


class Running:
    """The device's page under MicroPython; `output` is what it printed until it ended."""

    def __init__(self, built, folder, how, heap=HEAP):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        command = [MICROPYTHON, "-X", "heapsize=" + heap, built / SCRIPT, how, folder, str(self.port)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def ask(self, method, path, body=None, headers=None):
        end = time.monotonic() + 60
        while True:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
                connection.request(method, path, body, {"Origin": self.url, **(headers or {})})
                answer = connection.getresponse()
                return answer.status, answer.read()
            except ConnectionRefusedError:
                if time.monotonic() > end or self.process.poll() is not None:
                    raise AssertionError("the device ended: " + self.stop()) from None
                time.sleep(0.1)

    def stop(self):
        self.process.terminate()
        return self.process.communicate(timeout=20)[0]


@pytest.fixture
def cell(tmp_path):
    made = Cell(tmp_path / "ann")
    made.wing.now_s = int(time.time())
    return made


def all_paths(cell, root):
    back = cell.device.write_post("reading", None, "Ring my brother\non 0770 900 123")
    cell.send_back(back, 1, "Take the number out.")
    return ["", "groups", "group/reading", "thread/" + root.hex(), "write?group=reading", "record?group=reading",
            "waiting", "back", "appeal/" + back.hex(), "recorded", "settings", "help", "status.json",
            "static/page.css", "static/page.js", "static/record.js", "static/perch.svg"]


def no_error(output, record_property):
    assert "MemoryError" not in output and "Traceback" not in output, output
    lowest = min(int(found) for found in re.findall(r"heap free (\d+)", output))
    record_property("heap_free_bytes_at_least", lowest)


def test_every_page_again_and_again_fit_the_heap_beside_the_dock(cell, built, record_property):
    root = cell.receive("A title\nof me, ŵyl مرحبا")
    paths = all_paths(cell, root)
    device = Running(built, cell.folder, "docked")
    try:
        for _ in range(ROUNDS):
            for path in paths:
                status, data = device.ask("GET", "/" + path)
                assert status == 200 and data, path
    finally:
        output = device.stop()
    no_error(output, record_property)


def test_a_megabyte_up_and_a_megabyte_back_fit_the_heap(cell, built, record_property):
    film = bytes(range(256)) * 4096
    root = cell.receive("A film\nof me", video=film)
    video = cell.device.thread(root)[0]["video"].hex()
    paths = all_paths(cell, root)
    device = Running(built, cell.folder, "docked")
    try:
        for path in paths:
            assert device.ask("GET", "/" + path)[0] == 200, path
        fields = form(group="reading", to="", text="Me", type="video/webm")
        begun = json.loads(device.ask("POST", "/record/begin", fields, FORM)[1])
        for at in range(0, len(film), begun["slice"]):
            path = f"/record/{begun['draft']}/append?offset={at}"
            status, data = device.ask("POST", path, film[at : at + begun["slice"]])
            assert (status, json.loads(data)["size"]) == (200, min(at + begun["slice"], len(film)))
            if at % (32 * begun["slice"]) == 0:
                assert device.ask("GET", "/status.json")[0] == 200
        item = json.loads(device.ask("POST", f"/record/{begun['draft']}/save", "")[1])["item"]
        assert device.ask("GET", "/own/" + item) == (200, film)
        assert device.ask("GET", "/media/" + video) == (200, film)
        for number in range(3):
            longest = form(group="reading", text=f"{number}" + "ب" * 1999, token=str(number))
            assert device.ask("POST", "/write", longest, FORM)[0] == 303, device.stop()
        status, data = device.ask("GET", "/waiting")
        assert status == 200 and item.encode() in data
    finally:
        output = device.stop()
    no_error(output, record_property)
