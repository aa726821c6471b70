"""An event loop of a test's own, in a thread where no other loop can run (Playwright keeps one in the main thread)."""

import asyncio
from concurrent.futures import ThreadPoolExecutor


def in_thread(call, *arguments):
    """What `call` returns or raises in a thread of its own, where no loop runs."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(call, *arguments).result()


def run(coroutine):
    """What `coroutine` returns or raises, run in a loop of its own."""
    return in_thread(asyncio.run, coroutine)
