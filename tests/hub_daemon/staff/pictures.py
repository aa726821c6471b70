"""Makes the pictures of docs/staff.md from the running page: python -m tests.hub_daemon.staff.pictures

A wing on a table with invented people; the video is a test picture through the real media worker.
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.hub_daemon.staff.desk import Desk
from tests.hub_daemon.staff.wing_on_a_table import WingOnATable

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "docs" / "pictures"
HOUR_MS = 3600 * 1000


def camera(seconds: int = 8) -> bytes:
    """A moving test picture with a tone, as a device's camera would send it (WebM, VP8 and Opus)."""
    import math
    import struct

    import av
    from PIL import Image, ImageDraw

    out = io.BytesIO()
    with av.open(out, "w", format="webm") as box:
        picture = box.add_stream("libvpx", rate=15)
        picture.width, picture.height, picture.pix_fmt = 320, 240, "yuv420p"
        picture.bit_rate = 250_000
        sound = box.add_stream("libopus", rate=48000, layout="mono")
        for number in range(seconds * 15):
            image = Image.new("RGB", (320, 240), (70, 96 + number % 60, 120))
            draw = ImageDraw.Draw(image)
            x = 110 + int(20 * math.sin(number / 9))
            draw.ellipse((x, 50, x + 90, 160), fill=(214, 170, 140))
            draw.rectangle((x - 30, 165, x + 120, 240), fill=(60, 70, 110))
            mouth = 6 + 5 * (number // 4 % 3)
            draw.ellipse((x + 30, 125 - mouth // 2, x + 60, 125 + mouth // 2), fill=(120, 50, 50))
            draw.ellipse((x + 22, 85, x + 32, 95), fill=(40, 30, 30))
            draw.ellipse((x + 58, 85, x + 68, 95), fill=(40, 30, 30))
            for packet in picture.encode(av.VideoFrame.from_image(image)):
                box.mux(packet)
        for start in range(0, seconds * 48000, 960):
            times = [(start + n) / 48000 for n in range(960)]
            wave = [
                int(9000 * math.sin(2 * math.pi * 220 * t) * (0.5 + 0.5 * math.sin(2 * math.pi * 0.7 * t)) ** 2)
                for t in times
            ]
            frame = av.AudioFrame(format="s16", layout="mono", samples=960)
            frame.planes[0].update(struct.pack("<960h", *wave))
            frame.sample_rate = 48000
            frame.pts = start
            for packet in sound.encode(frame):
                box.mux(packet)
        for stream in (picture, sound):
            for packet in stream.encode():
                box.mux(packet)
    return out.getvalue()


def fill(wing: WingOnATable) -> None:
    """A few days of a wing's messages."""
    from hub_daemon.media import worker

    wing.acquaint()
    made = worker.transcode(camera(), "video/webm")
    words = "Reading list for March\nWhich book should we start with? I vote for the short one."
    root = wing.post(words, "eve", age_ms=80 * HOUR_MS)
    moderation = wing.moderation
    item = moderation.deal("ann")
    assert item == root
    view = moderation.view("ann", root)
    moderation.approve("ann", root, view.item.version, wing.signer("ann"), view.seen)
    wing.video(made.video, made.contact_sheet, made.still, made.media_type, text="My answer about the book",
               author="dai", parent=root, age_ms=30 * HOUR_MS)
    wing.post("I finished chapter two. The part about the river was the best.\nCall me on 07700 900123.", "finn",
              parent=root, age_ms=5 * HOUR_MS, marks=(("phone number", "07700 900123"),))
    wing.post("Pa lyfr ydym ni'n ei ddarllen nesaf?", "gus", age_ms=2 * HOUR_MS)
    wing.post("أحب هذا الكتاب كثيرا", "eve", parent=root, age_ms=HOUR_MS)


def seat_new_device(wing: WingOnATable) -> None:
    """What the bay tells the hub when a new device docks at an open window."""
    from protocol import crypto
    from protocol.enrol import Request

    number = wing.enrolment.open_window("bay-2", "gus", "ann")
    best, seed = crypto.default(), bytes(range(32))
    x25519 = best.x25519(seed, (9).to_bytes(32, "little"))
    asked = Request(ed25519=best.public_key(seed), x25519=x25519, proof=bytes(100), model="slate")
    wing.enrolment.offer(number, "492817", asked)


def shoot(desk: Desk, name: str, full: bool = False) -> None:
    desk.page.wait_for_timeout(400)
    desk.page.screenshot(path=str(FOLDER / f"staff-{name}.png"), full_page=full)
    print(f"staff-{name}.png")


def main(only: Any = None) -> int:
    from hub_daemon.staff import context, wsgi
    from tests.kits import chromium

    with tempfile.TemporaryDirectory() as data:
        wing = WingOnATable(Path(data), undo_s=5).settle()
        fill(wing)
        context.set(wing)
        server = wsgi.serve("127.0.0.1", 0)
        with chromium.running(*chromium.AUTOPLAY) as browser:
            ann = Desk(browser, f"http://127.0.0.1:{server.port}")
            ann.page.goto(ann.url + "/login")
            shoot(ann, "login")
            ann.sign_in("ann")
            shoot(ann, "start")
            ann.press("#deal")
            ann.page.wait_for_selector("#item[data-ready] #sheet")
            shoot(ann, "video")
            ann.page.keyboard.press("a")
            ann.page.wait_for_selector("#held:not([hidden])")
            ann.page.wait_for_selector("#item[data-ready]")
            ann.page.keyboard.press("1")
            shoot(ann, "post", True)
            version = wing.moderation.view("ann", bytes.fromhex(ann.page.get_attribute("#item", "data-item"))).item
            wing.late_ms = 11 * 60 * 1000
            ann.page.fill("#words", "Take the number out, the rest is fine.")
            item = wing.moderation.deal("ben")
            while item != version.id:
                wing.moderation.release("ben", item, wing.moderation.view("ben", item).item.version)
                item = wing.moderation.deal("ben")
            seen = wing.moderation.view("ben", item).item.version
            wing.moderation.return_("ben", item, seen, wing.signer("ben"), 1, "")
            wing.late_ms += 12_000
            ann.page.evaluate("sessionStorage.clear()")
            ann.page.evaluate("document.querySelectorAll('[data-hold]').forEach(e => e.removeAttribute('data-hold'))")
            ann.page.click("#return")
            ann.page.wait_for_selector("#conflict")
            shoot(ann, "conflict")
            wing.moderation.safeguard("cat", wing.moderation.deal("cat") or version.id)
            ann.page.goto(ann.url + "/")
            shoot(ann, "alert")
            seat_new_device(wing)
            for name in ("queue", "history", "people", "log", "enrol"):
                ann.page.goto(f"{ann.url}/{name}")
                shoot(ann, name)
            assert ann.violations == [], ann.violations
        server.close()
        wing.store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
