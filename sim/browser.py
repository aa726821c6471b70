"""Chromium as the learners and the staff use it: one window for each person, driven by playwright."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

CHROMIUM = "/usr/bin/chromium"
STARTER = str(Path(__file__).resolve().parent / "chromium.sh")
WAIT_MS = 15_000  # for what a page does or shows: a busy machine takes its time

# Where the network is closed, Chromium would look for its maker's hosts at every start.
QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required",
]  # fmt: skip
FAKE_CAMERA = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]


@contextmanager
def chromium() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        raise FileNotFoundError(f"{CHROMIUM} is not installed. Type: sudo apt-get install chromium")
    expect.set_options(timeout=WAIT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=STARTER, headless=True, args=[*QUIET, *FAKE_CAMERA]
        )
        try:
            yield browser
        finally:
            browser.close()


def window(browser: Browser, base_url: str, width: int = 1100, height: int = 900) -> BrowserContext:
    """A person's own window: no cookie is shared with anybody else's."""
    context = browser.new_context(
        base_url=base_url, viewport={"width": width, "height": height}, permissions=["camera", "microphone"]
    )
    context.set_default_timeout(WAIT_MS)
    return context
