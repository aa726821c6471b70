"""The rendition in the browser that shows it, and the browser's own recordings in the worker."""

from __future__ import annotations

import base64
import http.server
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from hub_daemon.media import worker
from sim import recordings
from tests.kits import chromium

RECORD = """async type => {
    const stream = await navigator.mediaDevices.getUserMedia({video: {width: 320, height: 240}, audio: true});
    const recorder = new MediaRecorder(stream, {mimeType: type, videoBitsPerSecond: 250000});
    const parts = [];
    recorder.ondataavailable = event => parts.push(event.data);
    const stopped = new Promise(done => recorder.onstop = done);
    recorder.start(250);
    await new Promise(done => setTimeout(done, 1600));
    recorder.stop();
    await stopped;
    stream.getTracks().forEach(track => track.stop());
    const url = await new Promise(done => {
        const reader = new FileReader();
        reader.onload = () => done(reader.result);
        reader.readAsDataURL(new Blob(parts));
    });
    return url.split(',')[1];
}"""

PLAY = """async () => {
    const video = document.querySelector('video');
    await video.play();
    for (let tries = 0; tries < 200 && video.currentTime < 0.3; tries++)
        await new Promise(done => setTimeout(done, 50));
    const canvas = new OffscreenCanvas(320, 240).getContext('2d');
    canvas.drawImage(video, 0, 0);
    const pixels = canvas.getImageData(0, 0, 320, 240).data;
    return {
        ready: video.readyState, error: video.error && video.error.message, duration: video.duration,
        at: video.currentTime, width: video.videoWidth, height: video.videoHeight,
        sound: video.webkitAudioDecodedByteCount,
        light: pixels.reduce((most, value, i) => i % 4 < 3 ? Math.max(most, value) : most, 0),
    };
}"""


class Handler(http.server.BaseHTTPRequestHandler):
    files: dict[str, tuple[str, bytes]] = {}

    def do_GET(self) -> None:
        kind, body = self.files.get(self.path, ("text/html", b"<!doctype html><video src=/made.webm></video>"))
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with chromium.running(*chromium.AUTOPLAY, *chromium.CAMERA) as browser:
        page = browser.new_page()
        page.goto(f"http://localhost:{server.server_address[1]}/")
        yield page
    server.shutdown()
    server.server_close()


def plays(page: Any, video: bytes) -> dict[str, Any]:
    Handler.files["/made.webm"] = ("video/webm", video)
    page.reload()
    found: dict[str, Any] = page.evaluate(PLAY)
    return found


def test_chromium_plays_the_rendition(page: Any) -> None:
    made = worker.transcode(recordings.make("mp4", video="libx264", audio="aac"))
    found = plays(page, made.video)
    assert found["error"] is None and found["ready"] >= 2
    assert (found["width"], found["height"]) == (320, 240)
    assert abs(found["duration"] - made.duration_ms / 1000) < 0.1
    assert found["at"] > 0.2 and found["sound"] > 0 and found["light"] > 150


@pytest.mark.parametrize("kind", ["video/webm", "video/webm;codecs=vp9,opus", "video/mp4"])
def test_what_chromium_records_comes_back_as_a_rendition_it_plays(page: Any, kind: str) -> None:
    recorded = base64.b64decode(page.evaluate(RECORD, kind))
    made = worker.transcode(recorded, kind)
    assert 400 < made.duration_ms < 4000 and made.audible
    found = plays(page, made.video)
    assert found["error"] is None and found["at"] > 0.2 and found["light"] > 150
