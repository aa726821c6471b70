"""Inside the jail: decode what a browser recorded, encode it to the one profile, draw what staff look at.

Pictures are put on a fixed grid of FPS a second by their own times (the last one stays until the next), sound
is put where its own times say, gaps are silence. Metadata, chapters, attachments, further tracks and
everything else a container can carry are never looked at, so they cannot come out. What is returned was
decoded once more from the encoded bytes: the contact sheet shows the rendition, not the upload.
"""

from __future__ import annotations

import io
from array import array
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import av.error

from hub_daemon.limits import (
    MEDIA_DURATION_S_MAX,
    MEDIA_FRAMES_DECODED_MAX,
    MEDIA_PACKETS_MAX,
    MEDIA_PIXELS_MAX,
)
from hub_daemon.media import profile, sheet
from hub_daemon.media.refusals import MediaRefused, Rendition

FRAMES_MAX = MEDIA_DURATION_S_MAX * profile.FPS
SAMPLES_MAX = MEDIA_DURATION_S_MAX * profile.AUDIO_RATE
SECOND_US = 1_000_000


def transcode(data: bytes) -> Rendition:
    """The whole work on one item. Raises MediaRefused; anything else it raises is the decoder's fault."""
    sound = read_sound(data)
    for rate in profile.VIDEO_BIT_RATES:
        video, frames = encode(data, sound, rate)
        if len(video) <= profile.video_bytes_max(frames * 1000 // profile.FPS):
            break
    else:
        raise MediaRefused("TooLarge", f"{len(video)} bytes for {frames} pictures at the lowest rate")
    still, contact_sheet = sheet.draw(look_again(video, frames), frames, sheet.peaks(sound, frames))
    return Rendition(
        video=video,
        media_type=profile.MEDIA_TYPE,
        still=still,
        contact_sheet=contact_sheet,
        duration_ms=frames * 1000 // profile.FPS,
        width=profile.WIDTH,
        height=profile.HEIGHT,
        audible=bool(sound) and max(max(sound), -min(sound)) > 32,
    )


# --- reading what came ------------------------------------------------------------


def container_of(data: bytes) -> str:
    """Which demuxer may look at the bytes, told from the bytes: the declared type proves nothing."""
    if data[:4] == b"\x1aE\xdf\xa3":
        return "matroska"
    if data[4:8] == b"ftyp":
        return "mov"
    raise MediaRefused("NotAVideo", "neither WebM nor MP4")


def open_input(data: bytes) -> Any:
    """The opened container. Only browsers' formats and codecs exist for it, nothing beyond these bytes."""
    demuxer = container_of(data)
    options = {
        "format_whitelist": profile.CONTAINERS[demuxer],
        "codec_whitelist": ",".join(profile.VIDEO_DECODERS + profile.AUDIO_DECODERS),
        "protocol_whitelist": "none",
        "max_streams": "8",
        "max_pixels": str(MEDIA_PIXELS_MAX),
    }
    if demuxer == "mov":
        options["enable_drefs"] = "0"
    try:
        return av.open(io.BytesIO(data), format=demuxer, options=options)
    except (av.error.FFmpegError, ValueError, OSError) as error:
        raise MediaRefused("NotAVideo", f"{type(error).__name__}") from error


def _pick(stream: Any, allowed: tuple[str, ...]) -> Any:
    """The stream, its decoder on one thread with bounded pictures; refuses what no browser makes."""
    context = stream.codec_context
    if context is None or context.name not in allowed:
        raise MediaRefused("UnknownCodec", "none" if context is None else str(context.name)[:40])
    context.thread_count = 1
    context.options = {"max_pixels": str(MEDIA_PIXELS_MAX)}
    return stream


def _packets(container: Any, stream: Any) -> Iterator[Any]:
    """Packets of one stream, bounded in number; damage in the middle ends the stream, as a player would."""
    count = 0
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.error.FFmpegError):
            return
        count += 1
        if count > MEDIA_PACKETS_MAX:
            raise MediaRefused("TooLong", "too many packets")
        yield packet


def _frames(container: Any, stream: Any) -> Iterator[Any]:
    count = 0
    for packet in _packets(container, stream):
        try:
            frames = packet.decode()
        except (av.error.FFmpegError, ValueError):
            continue  # a damaged picture: the last good one stays
        for frame in frames:
            count += 1
            if count > MEDIA_FRAMES_DECODED_MAX:
                raise MediaRefused("TooLong", "too many frames")
            yield frame


def _start_us(container: Any) -> int:
    """The time of the container that becomes 0 (microseconds)."""
    start = container.start_time
    return int(start) if isinstance(start, int) and start > 0 else 0


def _time_us(frame: Any, start_us: int) -> int | None:
    if frame.pts is None or frame.time_base is None:
        return None
    return int(frame.pts * frame.time_base * SECOND_US) - start_us


def read_pictures(data: bytes, until: int = 0) -> Iterator[Any]:
    """Every picture of the output in order, FPS a second, as a 320x240 yuv420p frame.

    The last one stays until picture number `until`, so that a camera that stopped does not cut the voice off.
    """
    with open_input(data) as container:
        streams = container.streams.video
        if not streams:
            raise MediaRefused("NoPicture", "no video track")
        stream = _pick(streams[0], profile.VIDEO_DECODERS)
        if stream.codec_context.width * stream.codec_context.height > MEDIA_PIXELS_MAX:
            raise MediaRefused("TooManyPixels", f"{stream.codec_context.width}x{stream.codec_context.height}")
        shape = stream.sample_aspect_ratio
        start_us = _start_us(container)
        current, at, newest_us = None, 0, 0
        for frame in _frames(container, stream):
            if frame.width * frame.height > MEDIA_PIXELS_MAX:
                raise MediaRefused("TooManyPixels", f"{frame.width}x{frame.height}")
            time_us = _time_us(frame, start_us)
            if time_us is None:
                time_us = newest_us + SECOND_US // profile.FPS
            newest_us = max(newest_us, time_us)
            if newest_us > (MEDIA_DURATION_S_MAX + 1) * SECOND_US:
                raise MediaRefused("TooLong", f"a picture at {newest_us // SECOND_US} s")
            # nearest, not below: WebM's times are whole milliseconds
            slot = (newest_us * profile.FPS + SECOND_US // 2) // SECOND_US
            if current is not None and at < min(slot, FRAMES_MAX):
                ready = sheet.letterbox(current, shape)  # only what is shown is scaled
                while at < min(slot, FRAMES_MAX):
                    yield ready
                    at += 1
            current = frame
        until = min(max(until, at + 1), FRAMES_MAX)
        if current is not None and at < until:
            ready = sheet.letterbox(current, shape)
            while at < until:
                yield ready
                at += 1


def read_sound(data: bytes) -> array[int]:
    """The first sound track as 48 kHz mono signed 16 bit; empty when there is none that can be heard."""
    sound: array[int] = array("h")
    with open_input(data) as container:
        streams = container.streams.audio
        if not streams:
            return sound
        stream = _pick(streams[0], profile.AUDIO_DECODERS)
        start_us = _start_us(container)
        resampler = av.AudioResampler(format="s16", layout="mono", rate=profile.AUDIO_RATE)
        for frame in _frames(container, stream):
            if len(sound) > SAMPLES_MAX + profile.AUDIO_RATE:
                raise MediaRefused("TooLong", "more than a minute of sound")
            time_us = _time_us(frame, start_us)
            if time_us is not None and time_us > (MEDIA_DURATION_S_MAX + 1) * SECOND_US:
                raise MediaRefused("TooLong", f"a sound at {time_us // SECOND_US} s")
            try:
                parts = resampler.resample(frame)
            except (av.error.FFmpegError, ValueError):
                # the layout changed in the middle: go on with a new resampler
                resampler = av.AudioResampler(format="s16", layout="mono", rate=profile.AUDIO_RATE)
                continue
            _place(sound, time_us)
            for part in parts:
                sound.frombytes(bytes(part.planes[0])[: 2 * part.samples])
    return sound[:SAMPLES_MAX]


def _place(sound: array[int], time_us: int | None) -> None:
    """Silence up to the time of the next piece, where a piece is missing (more than 60 ms)."""
    if time_us is None:
        return
    missing = min(time_us * profile.AUDIO_RATE // SECOND_US, SAMPLES_MAX) - len(sound)
    if missing > profile.AUDIO_RATE * 60 // 1000:
        sound.frombytes(bytes(2 * missing))


# --- writing the rendition ------------------------------------------------------------


def encode(data: bytes, sound: array[int], bit_rate: int) -> tuple[bytes, int]:
    """The rendition at one bit rate and the number of its pictures."""
    out = io.BytesIO()
    options = {"fflags": "+bitexact", "reserve_index_space": "1024"}  # no version, no random id; seekable
    container: Any
    with av.open(out, "w", format="webm", container_options=options) as container:
        video: Any = container.add_stream(profile.VIDEO_ENCODER, rate=profile.FPS)
        video.width, video.height, video.pix_fmt = profile.WIDTH, profile.HEIGHT, "yuv420p"
        video.bit_rate, video.gop_size = bit_rate, profile.KEY_FRAME_EVERY
        video.codec_context.thread_count = 1
        video.codec_context.options = {
            **profile.VIDEO_OPTIONS,
            "maxrate": str(bit_rate * 5 // 4),
            "bufsize": str(bit_rate * 2),
            "flags": "+bitexact",
        }
        audio: Any = container.add_stream(profile.AUDIO_ENCODER, rate=profile.AUDIO_RATE, layout="mono")
        audio.bit_rate = profile.AUDIO_BIT_RATE
        audio.codec_context.options = {**profile.AUDIO_OPTIONS, "flags": "+bitexact"}
        count = 0
        sent = 0
        for picture in read_pictures(data, len(sound) * profile.FPS // profile.AUDIO_RATE):
            picture.pts, picture.time_base = count, Fraction(1, profile.FPS)
            picture.pict_type = 0  # the source's key frames mean nothing here
            container.mux(video.encode(picture))
            count += 1
            sent = _encode_sound(container, audio, sound, sent, count * profile.AUDIO_RATE // profile.FPS)
        if count == 0:
            raise MediaRefused("NoPicture", "no picture could be decoded")
        if count < profile.FPS // 2:
            raise MediaRefused("TooShort", f"{count} pictures")
        container.mux(video.encode(None))
        container.mux(audio.encode(None))
    return out.getvalue(), count


def _encode_sound(container: Any, audio: Any, sound: array[int], sent: int, until: int) -> int:
    """Whole Opus frames up to sample `until`; silence where there is none: every rendition has a track."""
    size = profile.AUDIO_FRAME_SAMPLES
    while sent + size <= until:
        piece = sound[sent : sent + size].tobytes()
        frame = av.AudioFrame(format="s16", layout="mono", samples=size)
        frame.planes[0].update(piece + bytes(2 * size - len(piece)))
        frame.sample_rate, frame.pts = profile.AUDIO_RATE, sent
        frame.time_base = Fraction(1, profile.AUDIO_RATE)
        container.mux(audio.encode(frame))
        sent += size
    return sent


def look_again(video: bytes, frames: int) -> Iterator[Any]:
    """The pictures of the rendition itself, decoded from the bytes that people will get."""
    seen = 0
    container: Any
    with av.open(io.BytesIO(video), format="matroska") as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        for frame in container.decode(stream):
            seen += 1
            yield frame
    if seen != frames:
        raise MediaRefused("BadResult", f"{seen} of {frames} pictures in the rendition")
