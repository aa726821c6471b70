"""Beside the media worker: whether this machine's jail holds. Videos are decoded only once that was seen.

The filter may be there and still have a hole (another kernel, another library, a changed list). So the hub lets a
locked-in process really try, once at its start; while the answer is anything but sound, videos wait in custody, posts
go on, the log and the health say why, and it is tried again now and then: a repaired machine needs no restart.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from hub_daemon.limits import MEDIA_JAIL_RECHECK_S
from hub_daemon.media import jail
from hub_daemon.media.pipeline import Pipeline
from hub_daemon.media.refusals import JailUnavailable

Report = Callable[[str, str], None]  # (what, words): one line of the hub's log


def fault_of(self_test: Callable[[], dict[str, str]] = jail.self_test) -> str:
    """Why no video may be decoded on this machine; empty when the jail is sound. Takes about a second."""
    try:
        found = self_test()
    except JailUnavailable as unavailable:
        return str(unavailable)
    except OSError as error:  # no process to be had just now
        return f"the jail could not be tried: {error}"
    if jail.is_sound(found):
        return ""
    if found.get("nothing") != "went through":
        return f"a process in the jail cannot even compute ({found.get('nothing', 'not tried')})"
    holes = [f"{name} {result}" for name, result in sorted(found.items()) if result not in ("killed", "refused")]
    return "the jail has a hole: " + ", ".join(one for one in holes if not one.startswith("nothing "))


def keep_watch(
    pipeline: Pipeline,
    report: Report,
    stop: threading.Event,
    self_test: Callable[[], dict[str, str]] = jail.self_test,
    again_s: float = MEDIA_JAIL_RECHECK_S,
) -> None:
    """Let `pipeline` decode videos once the jail is sound; returns then, or at `stop`. For a thread of its own.

    Call `pipeline.hold_videos("")` before it starts, so that none is decoded before the answer.
    """
    told = ""
    while not stop.is_set():
        fault = fault_of(self_test)
        if not fault:
            pipeline.release_videos()
            report("media", "the jail is sound" + (": videos go on" if told else ""))
            return
        pipeline.hold_videos(fault)
        if fault != told:
            report("media", f"videos wait: {fault}")
        told = fault
        stop.wait(again_s)
