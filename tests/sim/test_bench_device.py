"""The bench of a hub and a MicroPython device: what it times are transfers whose bytes both ends verify."""

import platform
from pathlib import Path

import pytest

from sim import bench_device

pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64", reason="MicroPython makes machine code here on x86-64 only"
)


@pytest.mark.parametrize("direction", ["down", "up"])
def test_a_device_in_256_kib_and_a_hub_carry_verified_bytes(direction: str, tmp_path: Path) -> None:
    bench_device.build_device(tmp_path)
    assert bench_device.share_of(tmp_path, direction, 1 << 17) > 0
