"""Browser -> here -> app: requests stand in line, so that the heap holds one of them at a time.

A browser opens six connections at once and sends a page's parts through all of them. Each request in
hand costs some kilobytes; one that waits costs a task. Whoever connects and says nothing holds
nobody up: the line begins with the first line of a request.
"""

import asyncio
import gc

from protocol.compat import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from microdot import Microdot


class _Begun:
    """A reader whose first line was read already."""

    def __init__(self, first: bytes, reader: "Any") -> None:
        self._first = first
        self._reader = reader
        self.read = reader.read
        self.readexactly = reader.readexactly

    async def readline(self) -> bytes:
        first, self._first = self._first, b""
        return first or bytes(await self._reader.readline())


def one_at_a_time(app: "Microdot") -> "Microdot":
    """`app`, handling its requests one after another."""
    turn = asyncio.Lock()
    handle: "Any" = app.handle_request

    async def wait_and_handle(reader: "Any", writer: "Any") -> None:
        try:
            first = await reader.readline()
        except OSError:
            first = b""
        if not first:
            await writer.aclose()
            return
        async with turn:
            gc.collect()
            await handle(_Begun(first, reader), writer)

    app.handle_request = wait_and_handle  # type: ignore[method-assign]
    return app
