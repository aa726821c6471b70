"""A cell with a device, its page, and a Chromium that reports everything it did not like."""

import pytest

from sim.browser import WAIT_MS
from tests.firmware.page.serving import Cell, Served
from tests.kits import chromium as chromiums


@pytest.fixture
def cell(tmp_path):
    return Cell(tmp_path / "ann")


@pytest.fixture
def site(cell):
    with Served(cell.device) as served:
        yield served


@pytest.fixture(scope="module")
def chromium():
    with chromiums.running(*chromiums.CAMERA) as browser:
        yield browser


@pytest.fixture
def context(chromium):
    made = chromium.new_context(viewport={"width": 1024, "height": 640})
    made.set_default_timeout(WAIT_MS)
    yield made
    made.close()


@pytest.fixture
def tab(context):
    """A page that fails its test when the browser reported an error or a violation of the policy.

    `expected` holds words of what the browser may report in this test: its reports come when they come.
    """
    page = context.new_page()
    wrong = []
    page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda dialog: wrong.append("a dialog: " + dialog.message) or dialog.dismiss())
    page.expected = []
    yield page
    assert [text for text in wrong if not any(words in text for words in page.expected)] == []
