"""Recordings as browsers make them, made by PyAV for tests and benches: real, small, always the same."""

from __future__ import annotations

import io
import math
import random
from array import array
from fractions import Fraction
from typing import Any

import av


def picture(number: int, size: tuple[int, int], noise: int, seed: int) -> av.VideoFrame:
    """A gradient with a moving bright block, and camera noise of `noise` luma steps."""
    width, height = size
    frame = av.VideoFrame(width, height, "yuv420p")
    chance = random.Random(seed * 1000 + number)
    block = (number * 7) % max(1, width - width // 4)
    for index, plane in enumerate(frame.planes):
        if index:
            plane.update(bytes([100 + 40 * index]) * plane.buffer_size)
            continue
        rows = bytearray()
        for row in range(height):
            line = bytearray([60 + row * 120 // height]) * plane.line_size
            if height // 4 < row < height * 3 // 4:
                line[block : block + width // 4] = b"\xd0" * (width // 4)
            rows += line
        if noise:
            mask = int.from_bytes(bytes([noise]) * len(rows), "big")
            mixed = int.from_bytes(rows, "big") ^ (int.from_bytes(chance.randbytes(len(rows)), "big") & mask)
            rows = bytearray(mixed.to_bytes(len(rows), "big"))
        plane.update(bytes(rows))
    return frame


def make(
    container: str = "webm",
    video: str | None = "libvpx",
    audio: str | None = "libopus",
    size: tuple[int, int] = (320, 240),
    seconds: float = 2.0,
    fps: int = 24,
    noise: int = 0,
    loud: int = 12000,
    metadata: dict[str, str] | None = None,
    bit_rate: int = 400_000,
    seed: int = 1,
    turn: int = 0,
) -> bytes:
    """One recording: moving picture, a 432 Hz tone that swells and fades."""
    out = io.BytesIO()
    options = {"movflags": "frag_keyframe+empty_moov"} if container == "mp4" else {}
    target: Any
    with av.open(out, "w", format=container, options=options) as target:
        for key, value in (metadata or {}).items():
            target.metadata[key] = value
        pictures: Any = None
        sounds: Any = None
        if video:
            pictures = target.add_stream(video, rate=fps)
            pictures.width, pictures.height, pictures.pix_fmt = size[0], size[1], "yuv420p"
            pictures.bit_rate = bit_rate
            speed = {"libvpx": {"deadline": "realtime", "cpu-used": "8"}, "libx264": {"preset": "ultrafast"}}
            speed["libvpx-vp9"] = speed["libvpx"]
            speed["libsvtav1"] = {"preset": "13"}
            if turn:
                pictures.set_display_rotation(turn)
            pictures.codec_context.options = speed.get(video, {})
        if audio:
            sounds = target.add_stream(audio, rate=48000, layout="mono")
        if pictures:
            for number in range(round(seconds * fps)):
                frame = picture(number, size, noise, seed)
                frame.pts, frame.time_base = number, Fraction(1, fps)
                target.mux(pictures.encode(frame))
            target.mux(pictures.encode(None))
        if sounds:
            step = sounds.codec_context.frame_size or 960
            for start in range(0, round(seconds * 48000), step):
                wave = array("h", (
                    int(loud * math.sin(at * math.pi / 48000 / seconds) * math.sin(at * math.tau * 0.009))
                    for at in range(start, start + step)
                ))  # fmt: skip
                piece = av.AudioFrame(format="s16", layout="mono", samples=step)
                piece.planes[0].update(wave.tobytes())
                piece.sample_rate, piece.pts, piece.time_base = 48000, start, Fraction(1, 48000)
                if audio == "aac":
                    for part in av.AudioResampler(format="fltp", layout="mono", rate=48000).resample(piece):
                        target.mux(sounds.encode(part))
                else:
                    target.mux(sounds.encode(piece))
            target.mux(sounds.encode(None))
    return out.getvalue()
