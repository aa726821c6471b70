"""Before the door of the jail closes: one small recording goes through the whole worker.

Modules that Python loads late, tables that codecs fill at their first use and the allocator's arenas are then
there; inside the jail no file can be opened. The recording is made here, of grey pictures and silence.
"""

from __future__ import annotations

import io
from fractions import Fraction
from typing import Any

import av

from hub_daemon.media import profile, transcoder


def recording(pictures: int = profile.FPS, size: tuple[int, int] = (160, 120)) -> bytes:
    """A WebM of `pictures` grey pictures with a silent track."""
    out = io.BytesIO()
    container: Any
    with av.open(out, "w", format="webm") as container:
        video: Any = container.add_stream(profile.VIDEO_ENCODER, rate=profile.FPS)
        video.width, video.height, video.pix_fmt = size[0], size[1], "yuv420p"
        video.codec_context.options = profile.VIDEO_OPTIONS
        audio: Any = container.add_stream(profile.AUDIO_ENCODER, rate=profile.AUDIO_RATE, layout="mono")
        grey = av.VideoFrame(size[0], size[1], "yuv420p")
        for plane in grey.planes:
            plane.update(b"\x80" * plane.buffer_size)
        for number in range(pictures):
            grey.pts, grey.time_base = number, Fraction(1, profile.FPS)
            container.mux(video.encode(grey))
        quiet = av.AudioFrame(format="s16", layout="mono", samples=profile.AUDIO_FRAME_SAMPLES)
        quiet.planes[0].update(bytes(2 * profile.AUDIO_FRAME_SAMPLES))
        for number in range(pictures * profile.AUDIO_RATE // profile.FPS // profile.AUDIO_FRAME_SAMPLES):
            quiet.pts, quiet.sample_rate = number * profile.AUDIO_FRAME_SAMPLES, profile.AUDIO_RATE
            quiet.time_base = Fraction(1, profile.AUDIO_RATE)
            container.mux(audio.encode(quiet))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))
    return out.getvalue()


def up() -> None:
    transcoder.transcode(recording())
