"""Recordings that several tests look at, made once."""

from __future__ import annotations

import pytest

from sim import recordings


@pytest.fixture(scope="session")
def short() -> bytes:
    """Two seconds as Chromium records them by default: WebM, VP8, Opus."""
    return recordings.make()


@pytest.fixture(scope="session")
def busy() -> bytes:
    """Thirty seconds of a noisy camera: the hardest thing to make small."""
    return recordings.make(seconds=30, fps=15, noise=7, bit_rate=900_000)
