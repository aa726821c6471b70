"""Fuzzing: what a target is, and the one list of them.

A target is a function from bytes to nothing. It fails by raising: a refusal of the layer that was not named, a bug of
ours, or an assertion about what must hold whatever the bytes are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

FOLDER = Path(__file__).parent
CORPUS = FOLDER / "corpus"
FOUND = FOLDER / "found"
INPUT_BYTES_MAX = 4096  # of one input: every bound that a longer one would reach has a test of its own

Function = Callable[[bytes], None]


class Target:
    """`weight` shares out the time; `words` is what the fuzzer puts in here and there; `seeds` are good inputs."""

    def __init__(
        self, name: str, function: Function, seeds: Callable[[], Sequence[bytes]], weight: int, words: Sequence[bytes]
    ) -> None:
        self.name = name
        self.function = function
        self.seeds = seeds
        self.weight = weight
        self.words = words

    @property
    def module(self) -> str:
        """Where it is written: all that a child has to import."""
        return self.function.__module__

    def __call__(self, data: bytes) -> None:
        self.function(data)

    @property
    def folder(self) -> Path:
        return CORPUS / self.name

    def corpus(self) -> list[Path]:
        """The kept inputs, in a fixed order."""
        return sorted(self.folder.iterdir()) if self.folder.is_dir() else []


TARGETS: dict[str, Target] = {}


def nothing() -> list[bytes]:
    return []


def target(
    name: str, seeds: Callable[[], Sequence[bytes]] = nothing, weight: int = 2, words: Sequence[bytes] = ()
) -> Callable[[Function], Function]:
    """Enter a function as a target."""

    def enter(function: Function) -> Function:
        if name in TARGETS:
            raise ValueError(f"two targets are named {name}")
        TARGETS[name] = Target(name, function, seeds, weight, words)
        return function

    return enter
