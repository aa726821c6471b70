"""The same wing on a table as the staff page's tests use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub_daemon.staff.wing_on_a_table import WingOnATable


@pytest.fixture
def wing(tmp_path: Path) -> Iterator[WingOnATable]:
    made = WingOnATable(tmp_path).settle()
    yield made
    made.store.close()
