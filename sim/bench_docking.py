"""The figure of a docking: one video message from the moment the device is seated to the hub's custody.

Everything is real: the hub process, the broker, a MicroPython device, a pty of 3 Mbaud.
"""

import os
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from sim.enrolling import enrol
from sim.learner_page import carry_to_cell, save_video, settled
from sim.stages import wait_until
from sim.wing import Learner, ProcessWing

BAUD = 3_000_000
VIDEO_BYTES = 1_000_000  # the most that 30 s may be
SLACK_RATIO, SLACK_S = 1.3, 2.0


def rows(quick: bool) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="perch-bench-") as folder:
        wing = ProcessWing(Path(folder), baud=BAUD)
        try:
            wing.provision()
            wing.start()
            learner = wing.learners[0]
            enrol(wing, learner)
            carry_to_cell(wing, learner)
            runs = [seated_to_custody(wing, learner) for _ in range(1 if quick else 3)]
        finally:
            wing.close()
    line_s = VIDEO_BYTES * 10 / BAUD
    limit_s = SLACK_RATIO * line_s + SLACK_S
    found = median(seconds for seconds, _ in runs)
    return [
        {
            "what": "seated to custody, 1 MB", "baud": BAUD, "runs": len(runs), "seconds": found,
            "at line rate s": line_s, "limit s": limit_s, "share of the limit": found / limit_s,
            "CPU s of the device": median(cpu_s for _, cpu_s in runs), "holds": found <= limit_s,
        }
    ]  # fmt: skip


def seated_to_custody(wing: ProcessWing, learner: Learner) -> tuple[float, float]:
    """(seconds, CPU seconds of the device's process)."""
    save_video(learner, os.urandom(VIDEO_BYTES))
    assert learner.device is not None
    cpu_s = learner.device.cpu_s()
    start = time.monotonic()
    wing.seat(learner)
    wait_until("custody", lambda: settled(learner), 60, every_s=0.2)
    found = time.monotonic() - start
    cpu_s = learner.device.cpu_s() - cpu_s
    carry_to_cell(wing, learner)
    return found, cpu_s
