"""A member of staff at the page, in a real browser."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import expect

from tests.hub_daemon.staff.wing_on_a_table import PHRASES


class Desk:
    """One member of staff at one screen. `violations` collects what the content policy refused; `sent` has the path of
    every form and message that went to the hub.
    """

    def __init__(self, browser: Any, url: str, **values: Any) -> None:
        self.context = browser.new_context(viewport={"width": 1280, "height": 900}, **values)
        self.page = self.context.new_page()
        self.url = url
        self.violations: list[str] = []
        self.sent: list[str] = []
        self.page.on("request", lambda r: self.sent.append(urlsplit(r.url).path) if r.method == "POST" else None)
        self.page.on("console", lambda m: self.violations.append(m.text) if "Content Security" in m.text else None)
        self.page.on("pageerror", lambda e: self.violations.append(str(e)))

    def sign_in(self, person: str) -> Desk:
        self.page.goto(self.url + "/login")
        self.page.fill("#id_username", person)
        self.page.fill("#id_password", PHRASES[person])
        self.press("#sign-in")
        expect(self.page.locator("#sign-out")).to_be_visible()
        return self

    def press(self, selector: str) -> None:
        """Click what leads to another page, and return when that page is loaded and its scripts have run."""
        with self.page.expect_navigation():
            self.page.click(selector)
