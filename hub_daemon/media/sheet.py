"""Inside the jail: pictures of a rendition for people who read it, drawn without any drawing library.

The contact sheet has SHEET_FRAMES pictures at even steps with their times, and the waveform below: a member of staff
sees at a glance where somebody speaks and where the picture changes. Times run left to right, top to bottom.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import av

from hub_daemon.media import profile
from hub_daemon.media.refusals import MediaRefused

BLACK, WHITE, GREY, PAPER = 16, 235, 150, 40  # luma, studio range
LABEL_HEIGHT = 20
LABEL_SCALE = 2  # 10x14 pixels a digit: legible beside the thumb
GAP = 8  # between thumbs

# 5x7 digits, one byte a row, bit 4 leftmost
GLYPHS = {
    "0": (14, 17, 19, 21, 25, 17, 14), "1": (4, 12, 4, 4, 4, 4, 14), "2": (14, 17, 1, 2, 4, 8, 31),
    "3": (31, 2, 4, 2, 1, 17, 14), "4": (2, 6, 10, 18, 31, 2, 2), "5": (31, 16, 30, 1, 1, 17, 14),
    "6": (6, 8, 16, 30, 17, 17, 14), "7": (31, 1, 2, 4, 8, 8, 8), "8": (14, 17, 17, 14, 17, 17, 14),
    "9": (14, 17, 17, 15, 1, 2, 12), ":": (0, 4, 4, 0, 4, 4, 0), ".": (0, 0, 0, 0, 0, 12, 12),
}  # fmt: skip


class Canvas:
    """A yuv420p picture in plain memory. All sizes and places are even."""

    def __init__(self, width: int, height: int, luma: int = BLACK) -> None:
        self.width, self.height = width, height
        self.y = bytearray([luma]) * (width * height)
        self.u = bytearray([128]) * (width * height // 4)
        self.v = bytearray([128]) * (width * height // 4)

    def paste(self, frame: Any, left: int, top: int) -> None:
        """Put a yuv420p frame with its corner at (left, top)."""
        planes = ((self.y, self.width, 1), (self.u, self.width // 2, 2), (self.v, self.width // 2, 2))
        for plane, (target, stride, part) in zip(frame.planes, planes):
            source, width = memoryview(plane), frame.width // part
            for row in range(frame.height // part):
                at = (top // part + row) * stride + left // part
                target[at : at + width] = source[row * plane.line_size : row * plane.line_size + width]

    def column(self, x: int, top: int, bottom: int, luma: int) -> None:
        for row in range(top, bottom):
            self.y[row * self.width + x] = luma

    def write(self, text: str, left: int, top: int) -> None:
        for place, character in enumerate(text):
            for row, bits in enumerate(GLYPHS[character]):
                for bit in range(5):
                    if bits >> (4 - bit) & 1:
                        self._dot(left + (place * 6 + bit) * LABEL_SCALE, top + row * LABEL_SCALE)

    def _dot(self, left: int, top: int) -> None:
        for row in range(top, top + LABEL_SCALE):
            at = row * self.width + left
            self.y[at : at + LABEL_SCALE] = bytes([WHITE]) * LABEL_SCALE

    def frame(self) -> Any:
        frame = av.VideoFrame(self.width, self.height, "yuv420p")
        for plane, source, part in zip(frame.planes, (self.y, self.u, self.v), (1, 2, 2)):
            width, rows = self.width // part, self.height // part
            if plane.line_size == width:
                plane.update(bytes(source))
                continue
            padded = bytearray(plane.buffer_size)
            for row in range(rows):
                at = row * plane.line_size
                padded[at : at + width] = source[row * width : (row + 1) * width]
            plane.update(bytes(padded))
        return frame


def letterbox(frame: Any, shape: Any = None) -> Any:
    """Any picture as 320x240 yuv420p: as large as fits, black around it. `shape`: a pixel's width/height."""
    wide = float(shape) if shape else 1.0
    turns = round(frame.rotation / 90) % 4  # a phone held upright: quarter turns against the clock
    width, height = frame.width * wide, float(frame.height)
    room_w, room_h = (profile.HEIGHT, profile.WIDTH) if turns % 2 else (profile.WIDTH, profile.HEIGHT)
    scale = min(room_w / width, room_h / height)
    fit_w = max(2, min(room_w, round(width * scale / 2) * 2))
    fit_h = max(2, min(room_h, round(height * scale / 2) * 2))
    small = frame.reformat(width=fit_w, height=fit_h, format="yuv420p", interpolation="AREA", threads=1)
    for _ in range(turns):
        small = quarter_turn(small)
        fit_w, fit_h = fit_h, fit_w
    if (fit_w, fit_h) == (profile.WIDTH, profile.HEIGHT):
        return small
    canvas = Canvas(profile.WIDTH, profile.HEIGHT)
    canvas.paste(small, (profile.WIDTH - fit_w) // 4 * 2, (profile.HEIGHT - fit_h) // 4 * 2)
    return canvas.frame()


def quarter_turn(frame: Any) -> Any:
    """A yuv420p frame turned by 90 degrees against the clock: its last column becomes the first row."""
    canvas = Canvas(frame.height, frame.width)
    for plane, target, part in zip(frame.planes, (canvas.y, canvas.u, canvas.v), (1, 2, 2)):
        source, width, height = bytes(plane), frame.width // part, frame.height // part
        for row in range(width):
            column = source[width - 1 - row :: plane.line_size][:height]
            target[row * height : (row + 1) * height] = column
    return canvas.frame()


def jpeg(frame: Any) -> bytes:
    """One picture as a JPEG file."""
    context: Any = av.CodecContext.create("mjpeg", "w")
    context.width, context.height, context.pix_fmt = frame.width, frame.height, "yuvj420p"
    context.time_base = Fraction(1, 1)
    context.thread_count = 1
    context.options = {"flags": "+bitexact+qscale", "global_quality": str(profile.JPEG_QSCALE * 118)}
    picture = frame.reformat(format="yuvj420p", threads=1)
    picture.pts = 0
    data = b"".join(bytes(packet) for packet in [*context.encode(picture), *context.encode(None)])
    if data[:2] != b"\xff\xd8":
        raise MediaRefused("BadResult", "no JPEG came out")
    return data


def sheet_width() -> int:
    return profile.SHEET_COLUMNS * (profile.SHEET_THUMB[0] + GAP) + GAP


def peaks(sound: array[int], frames: int) -> list[int]:
    """The loudest sample of each column of the waveform, 0..32767, over the length of the pictures."""
    columns = sheet_width()
    total = frames * profile.AUDIO_RATE // profile.FPS
    found = []
    for column in range(columns):
        piece = sound[column * total // columns : (column + 1) * total // columns]
        found.append(min(32767, max(max(piece), -min(piece))) if piece else 0)
    return found


def draw(pictures: Iterable[Any], frames: int, waveform: list[int]) -> tuple[bytes, bytes]:
    """The still and the contact sheet of a rendition, both JPEG. `pictures` gives all its `frames` frames."""
    columns, (thumb_w, thumb_h) = profile.SHEET_COLUMNS, profile.SHEET_THUMB
    wanted = profile.SHEET_FRAMES if frames <= 30 * profile.FPS else profile.SHEET_FRAMES_LONG
    places = [place * (frames - 1) // (wanted - 1) for place in range(wanted)]
    rows = wanted // columns
    row_h = thumb_h + LABEL_HEIGHT + GAP
    canvas = Canvas(sheet_width(), rows * row_h + GAP + profile.WAVEFORM_HEIGHT, PAPER)
    still, still_at = b"", min(profile.STILL_AT_S * profile.FPS, frames - 1)
    for number, frame in enumerate(pictures):
        if number == still_at:
            still = jpeg(frame)
        if number not in places:
            continue
        small = frame.reformat(width=thumb_w, height=thumb_h, format="yuv420p", interpolation="AREA", threads=1)
        tenths = number * 10 // profile.FPS
        for place in (place for place, at in enumerate(places) if at == number):
            left, top = GAP + place % columns * (thumb_w + GAP), GAP + place // columns * row_h
            canvas.paste(small, left, top)
            label = f"{tenths // 600}:{tenths // 10 % 60:02d}.{tenths % 10}"
            canvas.write(label, left, top + thumb_h + 4)
    middle = rows * row_h + GAP + profile.WAVEFORM_HEIGHT // 2
    for x, peak in enumerate(waveform):  # drawn as a root: a whisper shows too
        high = max(1, round((peak / 32767) ** 0.5 * (profile.WAVEFORM_HEIGHT // 2 - 2)))
        canvas.column(x, middle - high, middle + high, GREY if peak else 90)
    return still, jpeg(canvas.frame())
