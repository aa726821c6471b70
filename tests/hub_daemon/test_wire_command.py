"""`perch wire` between two ptys: whole files through damage, hang-ups and a killed end, and plain words otherwise."""

import hashlib
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hub_daemon import wire as command
from hub_daemon.wire_files import safe_name
from sim.wire import PtyWire

ROOT = Path(__file__).resolve().parents[2]


def start(*arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "hub_daemon.wire", *arguments],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def finish(process: "subprocess.Popen[str]") -> tuple[int, dict, str]:
    out, errors = process.communicate(timeout=60)
    lines = out.strip().splitlines()
    figures = json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}
    return process.returncode, figures, errors


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a video.webm"
    path.write_bytes(random.Random(1).randbytes(300_000))
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def both(wire: PtyWire, file: Path, out: Path) -> "tuple[subprocess.Popen[str], subprocess.Popen[str]]":
    receiver = start("receive", "--port", wire.b_path, "--out", str(out), "--once", "--json")
    sender = start("send", "--port", wire.a_path, str(file), "--json")
    return sender, receiver


def test_a_file_arrives_with_the_same_digest_over_a_clean_wire(file: Path, tmp_path: Path) -> None:
    with PtyWire(process=True) as wire:
        sender, receiver = both(wire, file, tmp_path / "out")
        code, sent, errors = finish(sender)
        assert code == 0, errors
        code, received, errors = finish(receiver)
        assert code == 0, errors
    assert sent["sha256"] == received["sha256"] == sha256(file) == sha256(tmp_path / "out" / file.name)
    assert "clean towards the other end" in sent["verdict"] and sent["verdict_word"] == "good"
    assert 0 < sent["goodput_of_line_rate"] < 1
    assert not list((tmp_path / "out").glob("*.part"))


@pytest.fixture
def megabyte(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(random.Random(2).randbytes(1 << 20))
    return path


def test_a_megabyte_passes_a_bit_error_rate_of_1e_4_with_the_same_digest(megabyte: Path, tmp_path: Path) -> None:
    with PtyWire(0, ber=1e-4, seed=5, process=True) as wire:
        sender, receiver = both(wire, megabyte, tmp_path / "out")
        code, sent, errors = finish(sender)
        assert code == 0, errors
        code, received, errors = finish(receiver)
        assert code == 0, errors
    assert sent["sha256"] == received["sha256"] == sha256(megabyte) == sha256(tmp_path / "out" / "file")
    assert sent["peer_repaired"] > 50 and sent["verdict_word"] == "bad" and sent["peer_bytes_received"] > 1 << 20
    there = sent["peer_bit_error_rate"]
    assert there["kind"] == "bits" and 0.7e-4 < there["rate"] < 1.4e-4  # the wire has 1e-4


def test_a_megabyte_passes_twenty_hang_ups_with_the_same_digest(megabyte: Path, tmp_path: Path) -> None:
    with PtyWire(1_500_000, process=True) as wire:
        sender, receiver = both(wire, megabyte, tmp_path / "out")
        for index in range(20):  # the next one when some more of the file has passed
            passed = wire.counters()["ab"]["passed"]
            deadline = time.monotonic() + 20
            while wire.counters()["ab"]["passed"] < passed + 20_000 and time.monotonic() < deadline:
                time.sleep(0.005)
            wire.hangup("ab"[index % 2], 0.05)
        code, sent, errors = finish(sender)
        assert code == 0, errors
        code, received, errors = finish(receiver)
        assert code == 0, errors
    assert received["sha256"] == sent["sha256"] == sha256(megabyte) == sha256(tmp_path / "out" / "file")
    assert sent["hangups"] == received["hangups"] == 10 and sent["yanks"] == 20 and "vanished" in sent["verdict"]
    assert sent["down_ms"] > 0 and sent["peer_down_ms"] > 0  # how much of ten times 50 an end notices is the machine's
    assert sent["sessions"] == 1  # the yanks were waited out: no new handshake
    assert sent["bytes_sent"] < 2.5 * (1 << 20)


def test_a_killed_sender_goes_on_from_what_is_on_the_receivers_disk(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(random.Random(3).randbytes(600_000))
    with PtyWire(process=True) as wire:
        sender, receiver = both(wire, file, tmp_path / "out")
        part = tmp_path / "out" / f"{sha256(file)}.part"
        deadline = time.monotonic() + 30
        while not (part.exists() and part.stat().st_size >= 262_144) and time.monotonic() < deadline:
            time.sleep(0.01)
        sender.kill()
        sender.communicate()
        time.sleep(0.3)
        assert part.exists()
        code, sent, errors = finish(start("send", "--port", wire.a_path, str(file), "--json"))
        assert code == 0, errors
        assert finish(receiver)[0] == 0
    assert sent["bytes"] <= 600_000 - 262_144
    assert sha256(tmp_path / "out" / "file") == sha256(file)


def test_a_part_that_is_another_file_is_thrown_away(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / f"{sha256(file)}.part").write_bytes(b"not the beginning of it" * 1000)
    (out / file.name).write_bytes(b"another file of that name")
    with PtyWire(process=True) as wire:
        sender, receiver = both(wire, file, out)
        assert finish(sender)[0] == 0
        code, received, _ = finish(receiver)
    assert code == 0
    assert (out / file.name).read_bytes() == b"another file of that name"
    assert sha256(Path(received["file"])) == sha256(file)


def test_a_wire_that_stays_cut_ends_with_words_and_exit_1(file: Path, tmp_path: Path) -> None:
    with PtyWire(115_200, process=True) as wire:
        wire.cut("ab", 100_000, seconds=60)
        receiver = start("receive", "--port", wire.b_path, "--out", str(tmp_path / "out"), "--once",
                         "--baud", "115200", "--patience", "1.5")  # fmt: skip
        sender = start("send", "--port", wire.a_path, str(file), "--baud", "115200", "--patience", "1.5")
        code, _, errors = finish(sender)
        assert code == 1 and "goes on from" in " ".join(errors.split())
        code, _, errors = finish(receiver)
        assert code == 1 and "nothing came" in errors


def test_a_missing_port_is_named_and_the_ports_of_the_machine_are_listed(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["send", "--port", "/dev/ttyNOPE", str(file)]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "there is no port /dev/ttyNOPE" in said and "Serial ports of this machine:" in said


def test_a_file_is_not_a_port_and_a_missing_file_is_not_sent(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["send", "--port", str(file), str(file)]) == 2
    assert "not a serial port" in " ".join(capsys.readouterr().err.split())
    assert command.main(["send", "--port", "/dev/ttyNOPE", str(tmp_path / "nothing")]) == 2
    assert "there is no file" in " ".join(capsys.readouterr().err.split())


def test_a_senders_name_cannot_leave_the_folder() -> None:
    for name in ("../../etc/passwd", "/etc/passwd", "..\\..\\x", "..", ".hidden", "a\0b\n", "", "x" * 500):
        safe = safe_name(name)
        assert safe and os.path.basename(safe) == safe and not safe.startswith(".") and len(safe) <= 140
        assert safe.isprintable()
    assert safe_name("a video (1).webm") == "a video (1).webm"
    assert safe_name("x.part") != "x.part"
