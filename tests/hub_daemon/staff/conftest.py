"""A wing on a table and its staff page, served by waitress as the hub does; real Chromium on the other side."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub_daemon.staff import context, wsgi
from tests.hub_daemon.staff.desk import Desk
from tests.hub_daemon.staff.wing_on_a_table import WingOnATable
from tests.kits import chromium


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


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium.running(*chromium.AUTOPLAY) as made:
        yield made


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
