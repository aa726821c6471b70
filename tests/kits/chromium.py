"""Chromium for the tests of both pages and of the media: started in one way, ended with the file that uses it.

While Playwright runs, its event loop runs in the thread that started it, and no second Playwright and no `asyncio.run`
may begin there. So every fixture over `running` has the scope of a module, never of the session: nothing of it is left
when the next file's tests begin.

After an action the page may still be the old one, or the new one not yet drawn. So what a test reads next is either an
`expect`, which looks again until it is true, or comes after a wait for something that only the new page has.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, expect, sync_playwright

from sim.browser import STARTER, WAIT_MS

# Where the network is closed, Chromium would look for its maker's hosts at every start.
QUIET = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
AUTOPLAY = ["--autoplay-policy=no-user-gesture-required"]
CAMERA = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]


@contextmanager
def running(*more: str) -> Iterator[Browser]:
    """A browser with the quiet flags and these; it and Playwright's loop end with the block."""
    expect.set_options(timeout=WAIT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=STARTER, args=[*QUIET, *more])
        try:
            yield browser
        finally:
            browser.close()
