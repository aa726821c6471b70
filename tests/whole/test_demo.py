"""`perch demo --auto`: the way of a message through real processes and the real pages."""

import re
import subprocess
import sys
from pathlib import Path

import pytest


def demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "perch", "demo", "--auto", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=400)


@pytest.mark.timeout(420)
def test_a_message_travels_from_cell_to_cell_and_the_digests_are_those_signed() -> None:
    done = demo()
    assert done.returncode == 0, done.stdout + done.stderr
    table = [line for line in done.stdout.splitlines() if re.search(r"\b[0-9a-f]{16}\b", line)]
    assert [re.search(r"(post|video) [0-9a-f]{8}.*?(text|video)", row).groups() for row in table] == [  # type: ignore[union-attr]
        ("post", "text"),
        ("video", "video"),
        ("video", "text"),
    ]


@pytest.mark.timeout(420)
def test_a_file_that_is_no_video_stops_the_demonstration_at_its_stage(tmp_path: Path) -> None:
    false = tmp_path / "holiday.webm"
    false.write_bytes(b"\x1a\x45\xdf\xa3 this is no video at all" * 400)
    done = demo("--video", str(false), "--data", str(tmp_path / "wing"))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "two moderators look at both and approve them" in done.stdout
    assert "NotAVideo" in done.stdout


def test_a_missing_file_is_named_before_anything_starts(tmp_path: Path) -> None:
    done = demo("--video", str(tmp_path / "nothing.webm"))
    assert done.returncode == 2
    assert "nothing.webm" in done.stdout
