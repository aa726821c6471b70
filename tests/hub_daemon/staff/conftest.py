"""A wing on a table and its staff page, served by waitress as the hub does; real Chromium on the other side."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from wing_on_a_table import PHRASES, WingOnATable

from hub_daemon.staff import context, wsgi

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]


@pytest.fixture
def wing(tmp_path: Path) -> Iterator[WingOnATable]:
    made = WingOnATable(tmp_path).settle()
    context.set(made)
    yield made
    made.store.close()


@pytest.fixture
def page_url(wing: WingOnATable) -> Iterator[str]:
    server = wsgi.serve("127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.port}"
    server.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield made
        made.close()


class Desk:
    """One member of staff at one screen. `violations` collects what the content policy refused."""

    def __init__(self, browser: Any, url: str, **values: Any) -> None:
        self.context = browser.new_context(viewport={"width": 1280, "height": 900}, **values)
        self.page = self.context.new_page()
        self.url = url
        self.violations: list[str] = []
        self.page.on("console", lambda m: self.violations.append(m.text) if "Content Security" in m.text else None)
        self.page.on("pageerror", lambda e: self.violations.append(str(e)))

    def sign_in(self, person: str) -> Desk:
        self.page.goto(self.url + "/login")
        self.page.fill("#id_username", person)
        self.page.fill("#id_password", PHRASES[person])
        self.page.click("#sign-in")
        self.page.wait_for_selector("h1")
        return self


@pytest.fixture
def desk(browser: Any, page_url: str) -> Iterator[Any]:
    made: list[Desk] = []

    def make(person: str = "", **values: Any) -> Desk:
        one = Desk(browser, page_url, **values)
        made.append(one)
        return one.sign_in(person) if person else one

    yield make
    for one in made:
        one.context.close()
