"""The watch over the jail: no video is decoded before it was seen to hold, and the hub says so when it does not."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub_daemon.media import jail, watch
from hub_daemon.media.refusals import JailUnavailable
from sim import recordings
from tests.hub_daemon.media import test_media_pipeline as pipelines

SOUND = dict.fromkeys(jail.ATTEMPTS, "killed") | {"nothing": "went through"}


@pytest.fixture
def wing(tmp_path: Path) -> Iterator[pipelines.Wing]:
    made = pipelines.Wing(tmp_path)
    yield made
    made.store.close()


def test_this_machines_jail_is_sound() -> None:
    assert watch.fault_of() == ""


def test_a_hole_is_named_and_a_child_that_cannot_compute_is_not_a_jail() -> None:
    assert watch.fault_of(lambda: SOUND) == ""
    assert "socket went through" in watch.fault_of(lambda: SOUND | {"socket": "went through"})
    assert "cannot even compute (killed)" in watch.fault_of(lambda: SOUND | {"nothing": "killed"})
    assert watch.fault_of(dict) != ""

    def none() -> dict[str, str]:
        raise JailUnavailable("this machine has no seccomp")

    def no_process() -> dict[str, str]:
        raise BlockingIOError("Resource temporarily unavailable")

    assert "seccomp" in watch.fault_of(none)
    assert "temporarily unavailable" in watch.fault_of(no_process)


def test_videos_wait_while_the_jail_has_a_hole_posts_go_on_and_a_repair_needs_no_restart(wing: pipelines.Wing) -> None:
    video = wing.put("v", recordings.make(seconds=0.5, size=(160, 120)))
    answers = [SOUND | {"fork": "went through"}]
    said: list[tuple[str, str]] = []
    stop, tried = threading.Event(), threading.Event()

    def self_test() -> dict[str, str]:
        tried.set()
        return answers[0]

    wing.pipeline.hold_videos("")
    watcher = threading.Thread(
        target=watch.keep_watch,
        args=(wing.pipeline, lambda what, words: said.append((what, words)), stop, self_test, 0.02),
    )
    watcher.start()
    try:
        assert tried.wait(5)
        while not said:
            time.sleep(0.01)
        post = wing.put("p")
        wing.run()
        assert wing.item(video).state == "ingested" and wing.item(post).state == "pending"
        assert wing.pipeline.jail_fault == "the jail has a hole: fork went through"
        time.sleep(0.1)
        assert said == [("media", "videos wait: the jail has a hole: fork went through")], "said once, not each time"
        answers[0] = SOUND
        watcher.join(5)
        assert not watcher.is_alive() and wing.pipeline.jail_fault == ""
        assert said[-1] == ("media", "the jail is sound: videos go on")
        wing.run()
        assert wing.item(video).state == "pending"
    finally:
        stop.set()
        watcher.join()


def test_a_stop_ends_the_watch_and_leaves_the_videos_waiting(wing: pipelines.Wing) -> None:
    stop = threading.Event()
    wing.pipeline.hold_videos("")
    watcher = threading.Thread(
        target=watch.keep_watch, args=(wing.pipeline, lambda what, words: None, stop, dict, 60.0)
    )
    watcher.start()
    stop.set()
    watcher.join(5)
    assert not watcher.is_alive()
    video = wing.put("v", b"whatever it is")
    wing.run()
    assert wing.item(video).state == "ingested"
