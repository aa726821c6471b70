"""What a video message costs: CPU of the jailed worker, and bytes of the rendition beside their limit."""

from __future__ import annotations

import resource
import time
from typing import Any

from hub_daemon.limits import MEDIA_BYTES_30S_MAX
from hub_daemon.media import worker
from sim import recordings

CAMERAS = (
    ("webm VP8 320x240", {"size": (320, 240), "noise": 3, "bit_rate": 250_000}),
    ("webm VP8 320x240, noisy", {"size": (320, 240), "noise": 7, "bit_rate": 900_000}),
    ("webm VP9 640x480", {"video": "libvpx-vp9", "size": (640, 480), "noise": 3, "bit_rate": 500_000}),
)


def rows(quick: bool = False) -> list[dict[str, Any]]:
    """One row for each camera: `cpu_s_per_s` of the whole child (its start, its warming up and its jail with it).

    `bytes_30s` is measured on 30 s; with `quick` on 6 s and multiplied, which overstates it a little.
    """
    seconds = 6 if quick else 30
    found = []
    for name, camera in CAMERAS:
        data = recordings.make(seconds=seconds, fps=15, **camera)  # type: ignore[arg-type]
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        made = worker.transcode(data, "video/webm")
        wall_s = time.monotonic() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        size = len(made.video) * 30_000 // made.duration_ms
        found.append(
            {
                "recorded": name,
                "seconds": seconds,
                "bytes_in": len(data),
                "cpu_s_per_s": round(cpu_s / seconds, 4),
                "wall_s": round(wall_s, 2),
                "bytes_30s": size,
                "bytes_30s_max": MEDIA_BYTES_30S_MAX,
                "holds": size <= MEDIA_BYTES_30S_MAX,
            }
        )
    return found


if __name__ == "__main__":
    for row in rows():
        print(row)
