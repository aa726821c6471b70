"""An event loop of a test's own, whatever else runs: Playwright keeps one running in the main thread of its session."""

import asyncio
from concurrent.futures import ThreadPoolExecutor


def run(coroutine):
    """What `coroutine` returns or raises, run in a loop in a thread of its own."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()
