"""What the media worker answers with: a rendition, or a named refusal that says what to do."""

from __future__ import annotations

from dataclasses import dataclass

from protocol.errors import Misuse, Refusal

# name -> what the learner reads. The worker sends names only: words never come out of the jail.
WORDS = {
    "NotAVideo": "The file was not a video that can be played. Please record your message again.",
    "UnknownCodec": "The video was in a form that cannot be read here. Please record your message again.",
    "NoPicture": "The message had no picture. Check that the camera is not covered, then record it again.",
    "TooLong": "The message was longer than one minute. Please record a shorter one.",
    "TooShort": "The message was too short to watch. Please record it again.",
    "TooLarge": "The message was too large to send. Please record a shorter one.",
    "TooManyPixels": "The picture was too large. Please record the message with this device's camera.",
    "Timeout": "The message took too long to prepare. Please record it again; a shorter one is safer.",
    "TooMuchWork": "The message took too much work to prepare. Please record it with this device's camera.",
    "WorkerDied": "The message could not be prepared. Please record it again.",
    "BadResult": "The message could not be prepared. Please record it again.",
    "BlobMissing": "The recording could not be read. Please record your message again.",
    "BlobDamaged": "The recording arrived damaged. Please record your message again.",
}


class MediaRefused(Refusal):
    """What the device sent cannot become a rendition. `name` is one of WORDS, `words` are for its author.

    `detail` is for the log only (which decoder, which signal): it never reaches a learner.
    """

    def __init__(self, name: str, detail: str = "") -> None:
        if name not in WORDS:
            raise Misuse(f"no such refusal of media: {name}")
        super().__init__(f"{name}: {WORDS[name]}" + (f" [{detail}]" if detail else ""))
        self._name = name
        self.words = WORDS[name]
        self.detail = detail

    @property
    def name(self) -> str:
        return self._name


class JailUnavailable(Exception):
    """This machine cannot lock the media worker in, so nothing is decoded. It says nothing about the item."""


@dataclass(frozen=True)
class Rendition:
    """One video as people get to see it. `video` and `still` go to learners, `contact_sheet` to staff."""

    video: bytes
    media_type: str
    still: bytes  # JPEG, width x height
    contact_sheet: bytes  # JPEG: frames in a grid with their times, the waveform below
    duration_ms: int
    width: int
    height: int
    audible: bool  # False: the recording had no sound track, or one with nothing but silence
