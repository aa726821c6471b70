"""perch wire check, loop and list, in this process: verdicts over wires, and words where there is no connection."""

import io
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from serial.tools.list_ports_common import ListPortInfo

from hub_daemon import wire as command
from hub_daemon.wire_loop import FRAME_BYTES, LONE_FRAMES, LOST_MS, Loop
from hub_daemon.wire_serial import latency_timer_ms, ports_of_this_machine
from protocol.frame import encode
from protocol.link import Link
from sim.wire import PtyWire
from sim.wire_damage import Damage

ROOT = Path(__file__).resolve().parents[2]


class Started:
    """`perch wire` with these arguments, in a thread of this process."""

    def __init__(self, *arguments: str, terminal: bool = False) -> None:
        self.errors, self.out = io.StringIO(), io.StringIO()
        self._console = Console(file=self.errors, width=80, force_terminal=terminal)
        self._arguments = list(arguments)
        self.code = -1
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self.code = command.main(self._arguments, self._console, self.out)

    def finish(self) -> tuple[int, dict[str, Any]]:
        """(exit code, the last JSON object on standard output)."""
        self._thread.join(timeout=60)
        assert not self._thread.is_alive(), self.said()
        lines = [row for row in self.out.getvalue().splitlines() if row.startswith("{")]
        return self.code, json.loads(lines[-1]) if lines else {}

    def said(self) -> str:
        return " ".join((self.errors.getvalue() + self.out.getvalue()).split())


def check(path: str, *more: str, terminal: bool = False) -> Started:
    return Started("check", "--port", path, "--baud", "115200", *more, terminal=terminal)


def test_a_clean_wire_is_good_in_both_directions() -> None:
    with PtyWire(0, process=True) as wire:
        a = check(wire.a_path, "--mib", "0.3", "--json")
        b = check(wire.b_path, "--echo", "--json")
        (code_a, seen_a), (code_b, seen_b) = a.finish(), b.finish()
    assert code_a == code_b == 0, a.said() + b.said()
    for seen in (seen_a, seen_b):
        assert seen["verdict_word"] == "good" and "clean in both directions" in seen["verdict"] and seen["finished"]
        assert seen["bytes"] >= 300_000 and seen["bytes_in"] >= 300_000  # one plan for both directions
        assert seen["peer_bytes_received"] > 300_000 and seen["bytes_received"] > 300_000
        assert seen["bit_error_rate"]["kind"] == seen["peer_bit_error_rate"]["kind"] == "none"
        assert 0 < seen["idle_round_trip_ms_min"] <= seen["idle_round_trip_ms"] <= seen["idle_round_trip_ms_max"]
    assert seen_a["bytes"] == seen_b["bytes_in"] and seen_b["bytes"] == seen_a["bytes_in"]
    assert a.out.getvalue().count("\n") == 1  # with --json nothing else


def test_a_bad_wire_is_named_with_its_rate_and_ends_with_1() -> None:
    with PtyWire(0, ber=1e-4, seed=2, process=True) as wire:
        a = check(wire.a_path, "--mib", "0.4", "--json")
        b = check(wire.b_path, "--mib", "0.1")
        (code_a, seen), (code_b, _) = a.finish(), b.finish()
    assert code_a == code_b == 1
    assert seen["finished"] and seen["verdict_word"] == "bad" and seen["advice"]
    for name in ("bit_error_rate", "peer_bit_error_rate"):
        assert seen[name]["kind"] == "bits" and 0.5e-4 < seen[name]["rate"] < 2e-4, seen[name]
    assert "The wire is bad: bit errors" in b.said() and "Clean the contacts" in b.said()
    assert "the other end took" in b.said() and "repaired" in b.said()


def test_bytes_that_are_lost_are_not_taken_for_bit_errors() -> None:
    with PtyWire(0, lose=5e-4, seed=4, process=True) as wire:
        a = check(wire.a_path, "--mib", "0.3", "--json")
        b = check(wire.b_path, "--echo")
        code, seen = a.finish()
        b.finish()
    assert seen["finished"] and code == 1
    assert seen["bit_error_rate"]["kind"] == "bytes" and "bytes are lost" in seen["verdict"]
    assert any("overrun, another baud" in advice for advice in seen["advice"])


def test_a_receiver_answers_checks_and_takes_a_file_after_them(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(os.urandom(50_000))
    receive = ["receive", "--baud", "115200", "--out", str(tmp_path / "out")]
    with PtyWire(0, process=True) as wire:
        once = Started(*receive, "--port", wire.b_path, "--once", "--json")
        assert check(wire.a_path, "--mib", "0.1").finish()[0] == 0
        code, seen = once.finish()
        assert code == 0 and seen["command"] == "check" and seen["verdict_word"] == "good"
        receiver = subprocess.Popen(
            [sys.executable, "-m", "hub_daemon.wire", *receive, "--port", wire.b_path],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            for _ in range(2):
                assert check(wire.a_path, "--mib", "0.1").finish()[0] == 0
            assert Started("send", "--port", wire.a_path, "--baud", "115200", str(file)).finish()[0] == 0
            assert (tmp_path / "out" / "file").read_bytes() == file.read_bytes()
            assert receiver.poll() is None  # without --once its installer ends it
        finally:
            receiver.send_signal(signal.SIGINT)
            out, _ = receiver.communicate(timeout=30)
    assert out.count("the check of the other end") == 2 and "50,000 bytes, verified" in out


def test_a_check_goes_on_after_a_hang_up_and_names_the_plug() -> None:
    with PtyWire(1_000_000, process=True) as wire:
        a = check(wire.a_path, "--mib", "0.3", "--json")
        b = check(wire.b_path, "--echo", "--json")
        deadline = time.monotonic() + 30
        while wire.counters()["ab"]["passed"] < 50_000 and time.monotonic() < deadline:
            time.sleep(0.01)
        wire.hangup("a", 0.2)
        (code, seen), (_, other) = a.finish(), b.finish()
    assert code == 0 and seen["hangups"] == seen["yanks"] == other["peer_hangups"] == 1
    assert seen["down_ms"] > 0 and "vanished once" in seen["verdict"] and seen["verdict_word"] == "usable"
    assert any(advice.startswith("The plug:") for advice in seen["advice"])


def test_the_live_view_of_a_real_check_shows_both_ends_figures() -> None:
    with PtyWire(500_000, ber=2e-5, process=True) as wire:
        a = check(wire.a_path, "--seconds", "3", terminal=True)
        b = check(wire.b_path, "--echo")
        a.finish()
        b.finish()
    said = a.errors.getvalue()
    for words in ("perch wire check  115,200 baud", "to the other end", "kB/s", "round trip", "the plug", "so far"):
        assert words in said
    assert "checking: bytes in both directions" in said and "\x1b[?25h" in said  # the cursor is back
    assert "waiting for the other end" in said or "measuring the round trip" in said
    assert max(len(row) for row in a.out.getvalue().splitlines()) > 80  # the report is for its reader to wrap


def test_nothing_at_all_is_said_in_words_and_json_says_it_too() -> None:
    with PtyWire(0) as wire:
        a = check(wire.a_path, "--wait", "0.6", "--json")
        code, seen = a.finish()
    assert code == 1 and not seen["finished"] and seen["verdict_word"] == "unknown"
    for words in ("not one byte arrived", "RX and TX are swapped", "no ground"):
        assert words in a.said() and words in seen["trouble"]


def test_bytes_without_a_frame_are_said_to_be_another_baud_rate() -> None:
    with PtyWire(0) as wire:
        descriptor = wire.b_fd
        a = check(wire.a_path, "--wait", "1.5")
        deadline = time.monotonic() + 30
        while a.code == -1 and time.monotonic() < deadline:
            os.write(descriptor, os.urandom(64))
            time.sleep(0.02)
        code, _ = a.finish()
    assert code == 1 and "no frame: probably another baud rate at the other end" in a.said()


@pytest.mark.parametrize(
    "there, here, words",
    [
        (["send", "FILE"], ["send", "FILE"], "the other end sends as well"),
        (["receive", "--out", "OUT"], ["receive", "--out", "OUT"], "waits to receive as well"),
        (["send", "FILE"], ["check"], "the other end runs `perch wire send`"),
    ],
)
def test_ends_that_do_not_fit_say_so_and_end(there: list[str], here: list[str], words: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x")
    names = {"FILE": str(file), "OUT": str(tmp_path / "out")}
    with PtyWire(0) as wire:
        ends = [
            Started(*(names.get(word, word) for word in words_of), "--port", path, "--baud", "115200")
            for words_of, path in ((there, wire.a_path), (here, wire.b_path))
        ]
        assert [end.finish()[0] for end in ends] == [1, 1]
    assert words in ends[1].said() and "start `perch wire" in ends[1].said()


def test_a_device_or_a_hub_at_the_other_end_is_named_and_gets_no_connection() -> None:
    with PtyWire(0) as wire:
        link = Link(os.urandom(8))
        descriptor = wire.b_fd
        start = time.monotonic()
        a = check(wire.a_path)
        while a.code == -1 and time.monotonic() < start + 30:
            now = int((time.monotonic() - start) * 1000)
            data = link.to_send(now)
            if data:
                os.write(descriptor, data)
            if select.select([descriptor], [], [], 0.02)[0]:
                link.receive(os.read(descriptor, 4096), now)
            assert not link.up
        code, _ = a.finish()
    assert code == 1 and "the other end is a device or a running hub" in a.said()


@contextmanager
def plug(ber: float = 0.0, lose: float = 0.0) -> Iterator[str]:
    """A port with a loop-back plug in it."""
    master, slave = os.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    damage = Damage(3, ber, 1, lose, 0.0)
    stopping = threading.Event()

    def run() -> None:
        held = b""
        while not stopping.is_set():
            select.select([] if held else [master], [master] if held else [], [], 0.05)
            try:
                held = held or damage.apply(os.read(master, 1024))
                held = held[os.write(master, held) :]
            except BlockingIOError:
                continue

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield os.ttyname(slave)
    finally:
        stopping.set()
        thread.join(timeout=5)
        os.close(slave)
        os.close(master)


def test_a_loop_back_plug_measures_the_wire_alone() -> None:
    with plug() as path:
        run = Started("loop", "--port", path, "--baud", "115200", "--mib", "0.2", "--json")
        code, seen = run.finish()
    assert code == 0 and seen["command"] == "loop" and seen["finished"], run.said()
    assert seen["bytes"] >= 200_000 and seen["verdict_word"] == "good" and seen["missing"] == seen["damaged"] == 0
    assert seen["bit_error_rate"]["rate"] == 0 and seen["idle_round_trip_ms"] >= 0


def test_a_loop_with_bit_errors_finds_their_rate() -> None:
    with plug(ber=2e-4) as path:
        run = Started("loop", "--port", path, "--baud", "115200", "--mib", "0.2")
        code, _ = run.finish()
        again = Started("loop", "--port", path, "--baud", "115200", "--mib", "0.2", "--json")
        _, seen = again.finish()
    assert code == 1 and "The wire is bad: bit errors" in run.said()
    assert 1e-4 < seen["bit_error_rate"]["rate"] < 4e-4 and seen["repaired"] > 10


def test_a_loop_without_a_plug_says_so() -> None:
    with PtyWire(0) as wire:
        run = Started("loop", "--port", wire.a_path, "--seconds", "0.5")
        assert run.finish()[0] == 1
        assert "not one byte came back" in run.said() and "no loop-back plug" in run.said()


@pytest.mark.parametrize("words", [["check"], ["send", "FILE"], ["receive", "--out", "OUT"]])
def test_a_loop_back_plug_is_recognised_by_the_other_commands(words: list[str], tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x")
    names = {"FILE": str(file), "OUT": str(tmp_path / "out")}
    with plug() as path:
        run = Started(*(names.get(word, word) for word in words), "--port", path)
        assert run.finish()[0] == 1
    assert "our own frames come back" in run.said() and "`perch wire loop`" in run.said()
    assert run.said().count("our own frames") == 1


def test_a_frame_that_does_not_return_is_counted_whether_others_follow_or_not() -> None:
    loop = Loop(b"01234567", 3_000_000)
    for number in range(LONE_FRAMES):  # one at a time, until each has come back
        wire = loop.to_send(number)
        assert wire and not loop.to_send(number)
        loop.receive(wire, number + 5)
    first, lost, last = (loop.to_send(100) for _ in range(3))
    loop.receive(first, 110)
    loop.receive(last, 111)
    assert lost and loop.returned == LONE_FRAMES + 2 and loop.missing == 1  # the line keeps order
    assert loop.to_send(120) and loop.to_send(120 + LOST_MS - 1)
    assert loop.missing == 1
    loop.to_send(120 + 2 * LOST_MS)
    assert loop.missing == 3 and loop.round_trips()["idle_round_trip_ms"] == 5


def test_what_is_no_frame_of_this_loop_is_a_stranger_and_a_wrong_repair_is_damage() -> None:
    loop = Loop(b"01234567", 3_000_000)
    other = Loop(b"76543210", 3_000_000)
    loop.receive(encode(b"a HELLO of somebody"), 0)
    loop.receive(other.to_send(0), 0)
    assert loop.counts()["strangers"] == 2 and loop.returned == 0
    mine = bytearray(loop.to_send(0))
    mine[-20] ^= 4  # repaired
    loop.receive(bytes(mine), 1)
    assert loop.returned == loop.counts()["repaired"] == 1 and loop.counts()["damaged"] == 0
    head = loop._payload(1)
    loop.receive(encode(head[:-1] + bytes([head[-1] ^ 1])), 2)  # another content under a good check
    assert loop.returned == 1 and loop.counts()["damaged"] == 1 and len(head) == FRAME_BYTES


def test_ctrl_c_ends_with_a_summary_so_far_and_130(tmp_path: Path) -> None:
    with PtyWire(0, process=True) as wire:
        arguments = [sys.executable, "-m", "hub_daemon.wire", "check", "--baud", "115200", "--seconds", "600"]
        ends = [
            subprocess.Popen([*arguments, "--port", path, *more], cwd=ROOT, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            for path, more in ((wire.a_path, ["--json"]), (wire.b_path, []))
        ]  # fmt: skip
        try:
            deadline = time.monotonic() + 60
            while wire.counters()["ba"]["passed"] < 200_000 and time.monotonic() < deadline:
                time.sleep(0.05)
            for end in ends:
                end.send_signal(signal.SIGINT)
            (json_out, errors), (words, _) = (end.communicate(timeout=30) for end in ends)
        finally:
            for end in ends:
                if end.poll() is None:
                    end.kill()
                    end.communicate()
    assert [end.returncode for end in ends] == [130, 130] and "interrupted" in errors
    seen = json.loads(json_out)
    assert not seen["finished"] and seen["bytes_received"] > 100_000 and seen["verdict_word"] == "good"
    assert "interrupted; so far" in words and "The wire is good" in words


def test_the_ports_of_the_machine_are_listed_with_what_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    adapter = ListPortInfo(str(tmp_path / "ttyUSB0"))
    adapter.manufacturer, adapter.product, adapter.vid, adapter.pid = "FTDI", "FT232R USB UART", 0x0403, 0x6001
    adapter.serial_number = "A1"
    Path(adapter.device).write_bytes(b"")
    plain = ListPortInfo(str(tmp_path / "ttyS0"))
    links = tmp_path / "by-path"
    links.mkdir()
    (links / "usb-0:1.3").symlink_to(adapter.device)
    found = ports_of_this_machine([adapter, plain], links)
    by_port = {Path(port["port"]).name: port for port in found}
    assert by_port["ttyUSB0"]["description"] == "FTDI FT232R USB UART (0403:6001, serial A1)"
    assert by_port["ttyUSB0"]["stable"] == str(links / "usb-0:1.3") and by_port["ttyUSB0"]["usable"]
    assert by_port["ttyS0"]["stable"] == "" and not by_port["ttyS0"]["usable"]
    for arguments in (["list"], ["--list"]):
        assert command.main(arguments) == 0
        assert capsys.readouterr().out.strip()
    assert command.main(["list", "--json"]) == 0
    assert isinstance(json.loads(capsys.readouterr().out), list)


def test_an_adapters_latency_timer_is_read(tmp_path: Path) -> None:
    timer = tmp_path / "ttyUSB0" / "device" / "latency_timer"
    timer.parent.mkdir(parents=True)
    timer.write_text("16\n")
    assert latency_timer_ms("/dev/ttyUSB0", tmp_path) == 16
    timer.write_text("?")
    assert latency_timer_ms("/dev/ttyUSB0", tmp_path) == latency_timer_ms("/dev/ttyS0", tmp_path) == -1


@pytest.mark.parametrize(
    "arguments",
    [
        [], ["check"], ["check", "--port", "x", "--seconds", "0"], ["check", "--port", "x", "--echo", "--mib", "1"],
        ["loop", "--port", "x", "--mib", "-1"], ["send", "--port", "x", "--patience", "0", "f"],
        ["receive", "--port", "x", "--baud", "0", "--out", "o"], ["check", "--port", "x", "--seconds", "nan"],
    ],
)  # fmt: skip
def test_wrong_use_ends_with_2_and_says_what_is_allowed(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(arguments)
    assert ended.value.code == 2 and "perch wire" in capsys.readouterr().err
