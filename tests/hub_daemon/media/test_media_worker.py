"""The media worker: real recordings in, one profile out, and a name for everything else."""

from __future__ import annotations

import io
import os
import random
import time
from array import array
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub_daemon.limits import MEDIA_BYTES_30S_MAX, MEDIA_INPUT_BYTES_MAX, MEDIA_MEMORY_BYTES_MAX
from hub_daemon.media import profile, transcoder, worker
from hub_daemon.media.refusals import WORDS, JailUnavailable, MediaRefused, Rendition
from protocol import cbor
from sim import recordings

RECORDINGS = {
    "webm vp8 opus": {},
    "webm vp9 opus, 640x480": {"video": "libvpx-vp9", "size": (640, 480)},
    "webm av1 opus, 640x360": {"video": "libsvtav1", "size": (640, 360)},
    "mp4 h264 aac": {"container": "mp4", "video": "libx264", "audio": "aac"},
    "mp4 vp9 opus": {"container": "mp4", "video": "libvpx-vp9"},
    "webm h264 opus, upright": {"container": "matroska", "video": "libx264", "size": (240, 426)},
    "webm vp8, no sound": {"audio": None},
}


def refusal(data: bytes, **limits: float) -> MediaRefused:
    with pytest.raises(MediaRefused) as caught:
        worker.transcode(data, "video/webm", **limits)  # type: ignore[arg-type]
    assert caught.value.words == WORDS[caught.value.name]
    return caught.value


def look(video: bytes) -> dict[str, object]:
    """What a player finds in a rendition."""
    with av.open(io.BytesIO(video)) as container:
        found: dict[str, object] = {
            "streams": [stream.codec_context.name for stream in container.streams],
            "metadata": dict(container.metadata),
            "duration_ms": (container.duration or 0) // 1000,
        }
        picture = container.streams.video[0]
        found["size"] = (picture.codec_context.width, picture.codec_context.height)
        found["channels"] = container.streams.audio[0].codec_context.channels
        frames = [frame.time for frame in container.decode(picture)]
        found["frames"] = len(frames)
        steps = [later - earlier for earlier, later in zip(frames, frames[1:])]
        found["even"] = all(abs(step - 1 / profile.FPS) < 0.002 for step in steps)
        return found


@pytest.mark.parametrize("kind", RECORDINGS)
def test_what_browsers_record_becomes_the_one_profile(kind: str) -> None:
    made = worker.transcode(recordings.make(**RECORDINGS[kind]), "video/webm")  # type: ignore[arg-type]
    assert (made.width, made.height, made.media_type) == (320, 240, "video/webm")
    assert 1900 <= made.duration_ms <= 2150
    assert made.audible is (kind != "webm vp8, no sound")
    found = look(made.video)
    assert found["streams"] == ["vp8", "opus"] and found["size"] == (320, 240) and found["channels"] == 1
    assert found["even"] and found["frames"] == round(made.duration_ms * profile.FPS / 1000)
    assert abs(int(str(found["duration_ms"])) - made.duration_ms) < 100
    for picture in (made.still, made.contact_sheet):
        assert picture[:3] == b"\xff\xd8\xff"


def test_the_same_recording_gives_the_same_bytes(short: bytes) -> None:
    assert worker.transcode(short) == worker.transcode(short)


def test_the_picture_is_the_picture_that_was_recorded(short: bytes) -> None:
    """The bright block is where it was, at the time when it was there."""
    video = worker.transcode(short).video
    with av.open(io.BytesIO(video)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            source = round(number * 24 / profile.FPS)
            left = source * 7 % 240
            row = bytes(frame.planes[0])[120 * frame.planes[0].line_size :][:320]
            assert row[left + 40] > 190 and row[(left + 200) % 320] < 160, number


def test_sound_is_where_it_was() -> None:
    """A tone that swells and fades over two seconds is loudest in the middle."""
    video = worker.transcode(recordings.make(loud=20000)).video
    with av.open(io.BytesIO(video)) as container:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=8000)
        sound = b"".join(
            bytes(part.planes[0])[: 2 * part.samples]
            for frame in container.decode(audio=0)
            for part in resampler.resample(frame)
        )
    samples = memoryview(sound).cast("h")
    tenths = [max(samples[at : at + 800]) for at in range(0, 16000 - 800, 800)]
    assert max(tenths[8:12]) > 15000 and tenths[0] < 6000 and tenths[-1] < 9000


def test_a_narrow_picture_is_put_in_the_middle_of_black() -> None:
    video = worker.transcode(recordings.make(size=(120, 240), seconds=1)).video
    with av.open(io.BytesIO(video)) as container:
        frame = next(container.decode(video=0))
    row = bytes(frame.planes[0])[40 * frame.planes[0].line_size :][:320]
    assert max(row[:90]) < 30 and max(row[230:]) < 30 and min(row[110:210]) > 40


def test_metadata_of_the_recording_does_not_come_out() -> None:
    secret = "cell 4-17 meet at noon"
    data = recordings.make(metadata={"title": secret, "comment": secret, "artist": secret})
    assert secret.encode() in data
    made = worker.transcode(data)
    assert secret.encode() not in made.video + made.still + made.contact_sheet
    assert set(look(made.video)["metadata"]) <= {"encoder"}  # type: ignore[call-overload]
    assert b"Lavc" not in made.video and b"Lavc" not in made.still


def test_thirty_seconds_of_a_noisy_camera_stay_below_a_megabyte(busy: bytes) -> None:
    made = worker.transcode(busy)
    assert made.duration_ms == 30_000
    assert len(made.video) <= MEDIA_BYTES_30S_MAX


def test_a_rendition_over_its_limit_is_made_again_at_a_lower_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    data = recordings.make(seconds=4, fps=15, noise=15, bit_rate=2_000_000, audio=None)
    sizes = [len(transcoder.encode(data, array("h"), rate)[0]) for rate in profile.VIDEO_BIT_RATES]
    assert sizes == sorted(sizes, reverse=True) and sizes[2] < sizes[0] * 0.6
    monkeypatch.setattr(profile, "video_bytes_max", lambda duration_ms: sizes[0] - 1)
    assert len(transcoder.transcode(data).video) == sizes[1]
    monkeypatch.setattr(profile, "video_bytes_max", lambda duration_ms: 1000)
    with pytest.raises(MediaRefused) as caught:
        transcoder.transcode(data)
    assert caught.value.name == "TooLarge"


def test_a_phone_held_upright_is_shown_upright() -> None:
    """Recorded lying on its side with a note to turn it: the brighter lower edge of the scene is below again."""
    data = recordings.make("mp4", video="libx264", audio=None, size=(320, 240), seconds=1, turn=90)
    with av.open(io.BytesIO(data)) as container:
        assert next(container.decode(video=0)).rotation == 90
    with av.open(io.BytesIO(worker.transcode(data).video)) as container:
        frame = next(container.decode(video=0))
    rows = bytes(frame.planes[0])
    line = rows[120 * frame.planes[0].line_size :][:320]
    # turned against the clock the source's upper edge (dark) is at the left, its lower edge (light) at the right
    assert max(line[:60]) < 30 and max(line[260:]) < 30
    assert line[75] + 50 < line[245]


def test_no_bytes_and_a_text_and_a_playlist_are_not_a_video() -> None:
    playlist = b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/passwd\n"
    for data in (b"", b"Dear Sam, " * 100, playlist, b"\x1aE\xdf\xa3", b"\0\0\0\x20ftypisom" + bytes(500)):
        assert refusal(data).name == "NotAVideo", data[:10]


def test_ten_megabytes_of_noise_are_too_large_before_any_process_starts() -> None:
    began = time.monotonic()
    assert refusal(random.Random(1).randbytes(10_000_000)).name == "TooLarge"
    assert time.monotonic() - began < 1


def test_noise_of_the_largest_size_is_not_a_video() -> None:
    noise = b"\x1aE\xdf\xa3" + random.Random(2).randbytes(MEDIA_INPUT_BYTES_MAX - 4)
    assert refusal(noise).name in ("NotAVideo", "NoPicture", "UnknownCodec")


def test_sound_alone_has_no_picture() -> None:
    assert refusal(recordings.make(video=None, seconds=1)).name == "NoPicture"


def test_more_than_a_minute_is_too_long() -> None:
    assert refusal(recordings.make(seconds=63, fps=1, size=(32, 32), audio=None)).name == "TooLong"


def test_a_flash_is_too_short() -> None:
    assert refusal(recordings.make(seconds=0.25, audio=None)).name == "TooShort"


def test_a_codec_that_no_browser_makes_is_refused() -> None:
    assert refusal(recordings.make("matroska", video="mpeg4", audio=None)).name in ("UnknownCodec", "NotAVideo")


def test_a_giant_picture_is_refused_and_a_header_that_claims_one_changes_nothing(short: bytes) -> None:
    width = short.replace(b"\xb0\x82\x01\x40", b"\xb0\x82\x7f\xff")  # Matroska's PixelWidth
    assert width != short
    made = worker.transcode(width)  # the container's claim is not believed: the codec's own size counts
    assert (made.width, made.height) == (320, 240)
    # the same lie in the VP8 key frame itself: 16383 x 16383
    inside = short.replace(b"\x9d\x01\x2a\x40\x01\xf0\x00", b"\x9d\x01\x2a\xff\x3f\xff\x3f")
    assert inside != short
    assert refusal(inside).name in ("TooManyPixels", "NoPicture", "NotAVideo", "TooShort")


def running_workers() -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line, status = (process / "cmdline").read_bytes(), (process / "status").read_text()
        except OSError:
            continue
        if b"hub_daemon.media.worker" in line and f"PPid:\t{os.getpid()}\n" in status:
            found.append(int(process.name))
    return found


def test_the_wall_clock_ends_the_worker_and_leaves_no_process(busy: bytes) -> None:
    began = time.monotonic()
    assert refusal(busy, wall_s_max=0.5).name == "Timeout"
    assert time.monotonic() - began < 10
    assert running_workers() == []


def test_the_bound_on_computing_time_holds(busy: bytes) -> None:
    before = os.times()
    assert refusal(busy, cpu_s_max=1).name == "TooMuchWork"
    after = os.times()
    assert after.children_user + after.children_system - before.children_user - before.children_system < 2.5


def test_the_bound_on_memory_holds(short: bytes) -> None:
    """A worker that is short of memory ends in a refusal with a name; a full-HD picture fits in the real bound."""
    assert refusal(short, memory_bytes_max=100 << 20).name in ("TooManyPixels", "NotAVideo", "WorkerDied")
    large = recordings.make(size=(1920, 1080), seconds=0.7, fps=15, audio=None)
    assert worker.transcode(large, memory_bytes_max=MEDIA_MEMORY_BYTES_MAX // 2).duration_ms > 500


def mutate(data: bytes, seed: int) -> bytes:
    chance = random.Random(seed)
    damaged = bytearray(data)
    for _ in range(chance.choice((1, 3, 20, 200))):
        at = chance.randrange(len(damaged))
        kind = chance.randrange(4)
        if kind == 0:
            damaged[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            damaged[at : at + 4] = chance.randbytes(4)
        elif kind == 2:
            del damaged[at : at + chance.randrange(1, 40)]
        else:
            damaged[at:at] = damaged[at : at + chance.randrange(1, 40)]
        if not damaged:
            return b"x"
    if chance.random() < 0.2:
        del damaged[chance.randrange(len(damaged)) :]
    return bytes(damaged)


def outcome(data: bytes) -> str:
    try:
        made = worker.transcode(data, "video/webm", wall_s_max=20)
    except MediaRefused as refused:
        return refused.name
    assert len(made.video) <= profile.video_bytes_max(made.duration_ms)
    return "made"


def test_a_hundred_damaged_recordings_each_end_in_a_rendition_or_a_name(short: bytes) -> None:
    mp4 = recordings.make("mp4", video="libx264", audio="aac")
    damaged = [mutate(short, seed) for seed in range(80)] + [mutate(mp4, seed) for seed in range(20)]
    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(outcome, damaged))
    assert len(outcomes) == 100
    assert 20 <= outcomes.count("made") <= 99  # the damage is neither harmless nor total
    assert outcomes.count("Timeout") == 0


# --- the parent does not trust the child ------------------------------------------------------------


def answer(head: object, *bodies: bytes) -> bytes:
    packed = cbor.dumps(head)
    return len(packed).to_bytes(2, "big") + packed + b"".join(bodies)


BODIES = (b"\x1aE\xdf\xa3" + bytes(10), b"\xff\xd8\xff\xff\xd9", b"\xff\xd8\xff..\xff\xd9")
GOOD = {0: "ok", 2: 2000, 3: True, 4: [len(body) for body in BODIES]}


def test_an_answer_in_shape_is_taken() -> None:
    made = worker._read_answer(answer(GOOD, *BODIES))
    assert isinstance(made, Rendition) and made.still == BODIES[1] and made.contact_sheet == BODIES[2]


@pytest.mark.parametrize(
    "changed",
    [
        {2: 0}, {2: 60_001}, {2: True}, {2: "2000"}, {3: 1}, {4: [14, 5]}, {4: [14, 5, 8]}, {4: [14, -5, 7]},
        {4: [14, 5, 10**9]}, {4: [13, 6, 7]}, {0: "fine"}, {0: "refused", 1: "Curse"}, {0: "refused"}, {9: 1},
    ],
)  # fmt: skip
def test_an_answer_out_of_shape_is_refused(changed: dict[int, object]) -> None:
    with pytest.raises(MediaRefused) as caught:
        worker._read_answer(answer({**GOOD, **changed}, *BODIES))
    assert caught.value.name == "BadResult"


def test_a_refusal_brings_a_name_but_no_words_out_of_the_jail() -> None:
    with pytest.raises(MediaRefused) as caught:
        worker._read_answer(answer({0: "refused", 1: "TooLong", 5: "evil \u202e words" + "x" * 500}))
    assert caught.value.words == WORDS["TooLong"]
    assert len(caught.value.detail) <= worker.DETAIL_CHARS_MAX and caught.value.detail.isascii()


@settings(max_examples=500, deadline=None)
@given(st.one_of(st.binary(max_size=200), st.binary(max_size=60).map(lambda data: answer(GOOD) + data)))
def test_any_answer_gives_a_rendition_or_a_refusal(data: bytes) -> None:
    try:
        worker._read_answer(data)
    except (MediaRefused, JailUnavailable):
        pass
