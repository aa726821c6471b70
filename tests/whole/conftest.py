"""A wing of real processes for the tests of the whole: hub, broker, MicroPython devices."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sim.enrolling import enrol
from sim.learner_page import carry_to_cell
from sim.wing import ProcessWing


@pytest.fixture
def wing(tmp_path: Path) -> Iterator[ProcessWing]:
    """Two learners' devices, enrolled, lifted."""
    made = ProcessWing(tmp_path)
    try:
        made.provision()
        made.start()
        for learner in made.learners:
            enrol(made, learner)
            carry_to_cell(made, learner)
        yield made
    finally:
        made.close()
