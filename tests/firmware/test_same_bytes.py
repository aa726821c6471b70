"""One device's days on CPython and on MicroPython, whose dicts have other orders: the same bytes everywhere."""

from tests.kits import micropython
from tests.kits.transcript import transcript

PRINT = "from tests.kits.transcript import transcript\nfor moment, digest in transcript():\n    print(moment, digest)"


def test_what_goes_up_is_stored_and_is_shown_is_the_same_on_both_interpreters() -> None:
    done = micropython.run_source(PRINT, "4m")
    assert done.returncode == 0, done.stdout
    here = [f"{moment} {digest}" for moment, digest in transcript()]
    assert done.stdout.splitlines() == here and len(here) == 9
