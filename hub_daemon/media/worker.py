"""From the decrypted recording to its rendition: one jailed one-shot process for one item.

The parent (the hub) gives the bytes to the child's stdin and reads one answer from its stdout. The child is treated as
hostile from its first byte on: the answer is bounded while it is read, parsed strictly, checked against the profile,
and whatever the child does, it is killed with its whole process group when the wall clock says so.

Answer: u16 BE length of the head | head (deterministic CBOR map) | video | still | contact sheet. Head keys:
0 outcome ("ok", "refused", "no jail") | 1 name of the refusal | 2 duration_ms | 3 audible | 4 [three lengths]
| 5 detail for the log, printable ASCII.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from typing import IO, Any

from hub_daemon.limits import (
    MEDIA_CPU_S_MAX,
    MEDIA_DURATION_S_MAX,
    MEDIA_INPUT_BYTES_MAX,
    MEDIA_MEMORY_BYTES_MAX,
    MEDIA_RESULT_BYTES_MAX,
    MEDIA_SHEET_BYTES_MAX,
    MEDIA_STILL_BYTES_MAX,
    MEDIA_WALL_S_MAX,
)
from hub_daemon.media import jail, profile
from hub_daemon.media.refusals import WORDS, JailUnavailable, MediaRefused, Rendition
from protocol import cbor

OUTCOME, NAME, DURATION_MS, AUDIBLE, LENGTHS, DETAIL = range(6)
PIPE_BYTES = 65536
DETAIL_CHARS_MAX = 120


# --- the parent ------------------------------------------------------------


def transcode(
    data: bytes,
    media_type: str = "",
    *,
    wall_s_max: float = MEDIA_WALL_S_MAX,
    memory_bytes_max: int = MEDIA_MEMORY_BYTES_MAX,
    cpu_s_max: int = MEDIA_CPU_S_MAX,
) -> Rendition:
    """The rendition of a recording, made by a jailed child. Blocks for as long as `wall_s_max` seconds.

    `media_type` is what the author's device declared; it goes to the log with a refusal and decides nothing.
    Raises MediaRefused (about this item) or JailUnavailable (about this machine: nothing was decoded).
    """
    if len(data) > MEDIA_INPUT_BYTES_MAX:
        raise MediaRefused("TooLarge", f"{len(data)} bytes")
    if not data:
        raise MediaRefused("NotAVideo", "no bytes")
    command = jail.command("hub_daemon.media.worker", str(memory_bytes_max), str(cpu_s_max))
    child = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=jail.ENVIRONMENT,
        cwd="/",
        start_new_session=True,
    )
    try:
        answer = _converse(child, data, time.monotonic() + wall_s_max)
        code = child.wait(timeout=5)
    except subprocess.TimeoutExpired:
        raise MediaRefused("Timeout", f"{media_type[:40]}: did not end")
    finally:
        _end(child)
    if code == -signal.SIGXCPU:
        raise MediaRefused("TooMuchWork", f"more than {cpu_s_max} s of CPU")
    if code != 0:
        raise MediaRefused("WorkerDied", f"{media_type[:40]}: signal {-code}" if code < 0 else f"exit {code}")
    return _read_answer(answer)


def _converse(child: subprocess.Popen[bytes], data: bytes, deadline: float) -> bytes:
    """Give the child its bytes and take its answer, both bounded, until it closes or the time is over."""
    assert child.stdin is not None and child.stdout is not None
    answer = bytearray()
    to_give = memoryview(data)
    os.set_blocking(child.stdin.fileno(), False)
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdin, selectors.EVENT_WRITE)
        selector.register(child.stdout, selectors.EVENT_READ)
        while child.stdout in selector.get_map():
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise MediaRefused("Timeout", "wall clock")
            for key, _ in selector.select(left_s):
                if key.fileobj is child.stdin:
                    to_give = _give(child.stdin, to_give, selector)
                    continue
                piece = os.read(child.stdout.fileno(), PIPE_BYTES)
                answer += piece
                if not piece:
                    selector.unregister(child.stdout)
                if len(answer) > MEDIA_RESULT_BYTES_MAX:
                    raise MediaRefused("BadResult", "the child said too much")
    return bytes(answer)


def _give(pipe: IO[bytes], to_give: memoryview, selector: selectors.BaseSelector) -> memoryview:
    """One bounded write; closes the pipe at the end or when the child does not want more."""
    try:
        to_give = to_give[os.write(pipe.fileno(), to_give[:PIPE_BYTES]) :]
    except BrokenPipeError:
        to_give = to_give[:0]
    if not to_give:
        selector.unregister(pipe)
        with contextlib.suppress(BrokenPipeError):
            pipe.close()
    return to_give


def _end(child: subprocess.Popen[bytes]) -> None:
    """Nothing of the child stays: its whole group is killed, also when it already ended."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    with contextlib.suppress(BrokenPipeError, OSError):
        assert child.stdin is not None and child.stdout is not None
        child.stdout.close()
        child.stdin.close()
    child.wait()


def _read_answer(answer: bytes) -> Rendition:
    """The rendition in an answer; every field is checked: its writer had the hostile bytes."""
    head_length = int.from_bytes(answer[:2], "big")
    try:
        head = cbor.loads(answer[2 : 2 + head_length])
    except cbor.CborError as error:
        raise MediaRefused("BadResult", f"head: {error}") from error
    if not isinstance(head, dict):
        raise MediaRefused("BadResult", "head")
    if head.get(OUTCOME) == "no jail":
        raise JailUnavailable(_printable(head.get(DETAIL)))
    if head.get(OUTCOME) == "refused":
        name = head.get(NAME)
        if not isinstance(name, str) or name not in WORDS:
            raise MediaRefused("BadResult", "an unknown refusal")
        raise MediaRefused(name, _printable(head.get(DETAIL)))
    if head.get(OUTCOME) != "ok" or sorted(head) != [OUTCOME, DURATION_MS, AUDIBLE, LENGTHS]:
        raise MediaRefused("BadResult", "head")
    return _check_rendition(head, answer[2 + head_length :])


def _check_rendition(head: dict[Any, Any], bodies: bytes) -> Rendition:
    duration_ms, audible, lengths = head[DURATION_MS], head[AUDIBLE], head[LENGTHS]
    whole = type(duration_ms) is int and type(audible) is bool and isinstance(lengths, list)
    if not whole or not 0 < duration_ms <= MEDIA_DURATION_S_MAX * 1000:
        raise MediaRefused("BadResult", "duration")
    most = [profile.video_bytes_max(duration_ms), MEDIA_STILL_BYTES_MAX, MEDIA_SHEET_BYTES_MAX]
    if len(lengths) != 3 or any(type(n) is not int or not 0 < n <= m for n, m in zip(lengths, most)):
        raise MediaRefused("BadResult", "lengths")
    if sum(lengths) != len(bodies):
        raise MediaRefused("BadResult", "not the announced bytes")
    video = bodies[: lengths[0]]
    still = bodies[lengths[0] : lengths[0] + lengths[1]]
    contact_sheet = bodies[lengths[0] + lengths[1] :]
    if not video.startswith(b"\x1aE\xdf\xa3"):
        raise MediaRefused("BadResult", "no WebM")
    for picture in (still, contact_sheet):
        if not picture.startswith(b"\xff\xd8\xff") or not picture.endswith(b"\xff\xd9"):
            raise MediaRefused("BadResult", "no JPEG")
    return Rendition(
        video, profile.MEDIA_TYPE, still, contact_sheet, duration_ms, profile.WIDTH, profile.HEIGHT, audible
    )


def _printable(detail: object) -> str:
    text = detail if isinstance(detail, str) else ""
    return "".join(character if " " <= character <= "~" else "?" for character in text[:DETAIL_CHARS_MAX])


# --- the child ------------------------------------------------------------


def main(arguments: list[str]) -> int:
    """Warm up, lock in, read, work, answer, leave. `arguments`: memory_bytes_max, cpu_s_max."""
    os.nice(10)  # the bays come first
    memory_bytes_max, cpu_s_max = int(arguments[0]), int(arguments[1])
    from hub_daemon.media import transcoder, warm

    warm.up()  # every lazy import and every table that codecs fill once, before the door closes
    try:
        jail.lock_in(memory_bytes_max, cpu_s_max)
    except JailUnavailable as error:
        return _answer({OUTCOME: "no jail", DETAIL: _printable(str(error))})
    data = _read_all(MEDIA_INPUT_BYTES_MAX)
    try:
        made = transcoder.transcode(data)
    except MediaRefused as refusal:
        return _answer({OUTCOME: "refused", NAME: refusal.name, DETAIL: _printable(refusal.detail)})
    except MemoryError:
        return _answer({OUTCOME: "refused", NAME: "TooManyPixels", DETAIL: "out of memory"})
    except Exception as error:  # a decoder's complaint that has no better name: the bytes were not a video
        return _answer({OUTCOME: "refused", NAME: "NotAVideo", DETAIL: _printable(type(error).__name__)})
    bodies = [made.video, made.still, made.contact_sheet]
    head = {
        OUTCOME: "ok",
        DURATION_MS: made.duration_ms,
        AUDIBLE: made.audible,
        LENGTHS: [len(body) for body in bodies],
    }
    return _answer(head, *bodies)


def _read_all(most: int) -> bytes:
    pieces, size = [], 0
    while piece := os.read(0, PIPE_BYTES):
        size += len(piece)
        if size > most:
            break
        pieces.append(piece)
    return b"".join(pieces)


def _answer(head: dict[int, Any], *bodies: bytes) -> int:
    packed = cbor.dumps(head)
    to_give = memoryview(len(packed).to_bytes(2, "big") + packed + b"".join(bodies))
    while to_give:
        to_give = to_give[os.write(1, to_give) :]
    sys.stdout = sys.stderr = None  # nothing to flush at the end
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main([str(MEDIA_MEMORY_BYTES_MAX), str(MEDIA_CPU_S_MAX)]))
