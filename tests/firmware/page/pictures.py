"""Makes the pictures of docs/learner.md from the running page: python -m tests.firmware.page.pictures [FOLDER]

A real device in a small wing, its own page, Chromium with its own test picture as the camera.
"""

import re
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import expect

from tests.firmware.page.serving import Cell, Served
from tests.kits import chromium

FOLDER = Path(__file__).resolve().parents[3] / "docs" / "pictures"


def fill(cell):
    """A week of Ann's; returns {name of the picture: path of the page}."""
    sea = cell.receive(
        "A day by the sea\nWhen I was nine my nan took us to Barry. We had chips on the wall and the wind took "
        "my hat. What is the day you think of most?"
    )
    cell.receive("Mine is the day my girl was born. It rained and I did not mind.", parent=sea)
    cell.receive("Words for the weather\nHow many do you know in your own language?")
    snow = cell.device.write_post("reading", sea, "The first snow I ever saw. I ran out with no shoes on.")
    poem = cell.device.write_post("reading", None, "A short poem\nThe kettle sings. The gulls reply.")
    call = cell.device.write_post("reading", None, "Ring my brother\nHis number is 0770 900 123. Tell him I am fine.")
    cell.wing.now_s += 1800
    cell.states({snow: 2, poem: 1, call: 1})
    cell.wing.now_s += 1800
    cell.send_back(call, 1, "Take the phone number out and it can go.")
    cell.device.sent, cell.device.new, cell.device.saved_at_s = 3, 3, cell.wing.now_s
    return {
        "home": "/", "thread": "/thread/" + sea.hex(),
        "write": "/write?group=reading", "waiting": "/waiting", "came-back": "/back", "help": "/help",
        "recorded": "/recorded", "settings": "/settings",
    }


def shoot(tab, folder, name):
    tab.wait_for_timeout(200)
    tab.screenshot(path=folder / f"learner-{name}.png", full_page=True)
    print(folder / f"learner-{name}.png")


def record(tab, site, folder):
    tab.goto(site.url + "/record?group=reading")
    tab.fill("#text", "Hello from me")
    tab.click("#record-start")
    tab.wait_for_selector("#record-stop", state="visible")
    tab.wait_for_timeout(4000)
    shoot(tab, folder, "recording")
    tab.click("#record-stop")
    tab.wait_for_selector("#record-keep", state="visible")
    shoot(tab, folder, "record-look")
    tab.click("#record-keep")
    tab.wait_for_url("**/waiting?saved=*")


def main(folder=FOLDER):
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, chromium.running(*chromium.CAMERA) as browser:
        tab = browser.new_page(viewport={"width": 960, "height": 620})
        cell = Cell(Path(scratch) / "ann")
        paths = fill(cell)
        with Served(cell.device) as site:
            for name, path in paths.items():
                tab.goto(site.url + path)
                if name == "write":
                    tab.fill("#text", "A plan for spring\nWe could grow beans in the yard.")
                    expect(tab.locator("#kept")).to_have_text(re.compile("^Kept"))
                shoot(tab, folder, name)
            record(tab, site, folder)
            cell.device.docked, cell.device.can_lift, cell.device.progress = True, False, (380_000, 1_000_000)
            tab.goto(site.url + "/")
            shoot(tab, folder, "docked")
            cell.device.can_lift = True
            tab.goto(site.url + "/")
            shoot(tab, folder, "lift")
            cell.device.docked = False
            for control in ("colour-dark", "language-cy", "size-l"):
                tab.goto(site.url + "/settings")
                tab.check("#" + control)
                tab.click("#settings-save")
                tab.wait_for_url("**/settings?saved=1")
            tab.goto(site.url + "/")
            shoot(tab, folder, "welsh-dark")
        new = Cell(Path(scratch) / "new", enrolled=False)
        new.device.digits = "402817"
        with Served(new.device) as site:
            tab.goto(site.url + "/")
            shoot(tab, folder, "digits")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
