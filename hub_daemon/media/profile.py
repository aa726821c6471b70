"""The one profile of every video on the wing: what the worker encodes to, whatever a browser recorded.

WebM with VP8 and Opus: plays in every Chromium (also Debian's, which has no say in H.264), needs no licence,
and the same Chromium that plays it on a slate records it. 320x240 at 15 pictures a second fits a device's
screen; 200 + 24 kbit/s make 30 s about 840 kB, below the megabyte that a docking may take
(hub_daemon/limits). One thread and fixed settings everywhere: the same input gives the same bytes.
"""

from __future__ import annotations

from hub_daemon.limits import MEDIA_BYTES_30S_MAX, MEDIA_DURATION_S_MAX

WIDTH = 320
HEIGHT = 240
FPS = 15
MEDIA_TYPE = "video/webm"

VIDEO_ENCODER = "libvpx"
VIDEO_BIT_RATES = (200_000, 120_000, 70_000)  # the next is tried when the measured output is over its limit
VIDEO_OPTIONS = {
    "deadline": "good",
    "cpu-used": "4",  # 0.03 CPU seconds per second on the reference machine; 1 gains little at this size
    "crf": "10",  # constrained quality: a still scene takes less than the rate, a busy one no more
    "auto-alt-ref": "0",  # every packet is one picture: a device can seek without hidden frames
    "lag-in-frames": "0",
    "threads": "1",
}
KEY_FRAME_EVERY = 4 * FPS  # seeking lands within four seconds

AUDIO_ENCODER = "libopus"
AUDIO_RATE = 48_000
AUDIO_BIT_RATE = 24_000  # speech is clear; mono
AUDIO_FRAME_SAMPLES = 960  # 20 ms, Opus' own frame
AUDIO_OPTIONS = {"application": "voip", "vbr": "on", "compression_level": "5"}

STILL_AT_S = 1  # the first second often shows a hand on the lens
JPEG_QSCALE = 4  # 2 best .. 31 worst

SHEET_COLUMNS = 4
SHEET_THUMB = (160, 120)
SHEET_FRAMES = 16
SHEET_FRAMES_LONG = 24  # over half a minute
WAVEFORM_HEIGHT = 64

# What may be decoded at all: what browsers record. Every other demuxer and decoder stays out of reach.
CONTAINERS = {"matroska": "matroska,webm", "mov": "mov,mp4,m4a,3gp,3g2,mj2"}
VIDEO_DECODERS = ("vp8", "vp9", "av1", "libdav1d", "h264")
AUDIO_DECODERS = ("opus", "vorbis", "aac", "pcm_s16le")


def video_bytes_max(duration_ms: int) -> int:
    """The most bytes a rendition of this length may have: 1 MB up to 30 s, in proportion above."""
    return max(MEDIA_BYTES_30S_MAX, MEDIA_BYTES_30S_MAX * duration_ms // 30_000)


RESULT_VIDEO_BYTES_MAX = video_bytes_max(MEDIA_DURATION_S_MAX * 1000)
