"""Fuzzing: a target with a mistake in it, to show that mistakes are found. Not one of the list."""

from tests.fuzz.registry import TARGETS, Target

WORD = b"key"


def mistaken(data: bytes) -> None:
    """Fails for whatever holds the word behind its first byte."""
    if WORD in data[1:]:
        raise ValueError("the planted mistake")


PLANTED = TARGETS.pop("planted", None) or Target("planted", mistaken, lambda: [b"nothing wrong here"], 1, (WORD,))
