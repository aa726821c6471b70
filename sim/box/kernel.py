"""Plan -> here -> everything that happens: one heap of calls in virtual time.

Time is integer milliseconds since the world's first midnight and moves only here. Two calls of one instant run in the
order in which they were asked for, so that a run depends on nothing but what was asked.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable

Call = Callable[[], None]
BETWEEN_CALLS = 32  # so many calls are made without a look at the world outside

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
START_S = 1_799_971_200  # a midnight: unix time of the first instant
START_MS = START_S * 1000


class Kernel:
    """`at` and `after` ask for a call; `run` makes them, in order, up to an instant."""

    def __init__(self) -> None:
        self.now = 0
        self.calls = 0  # made so far
        self.between: Call | None = None  # looks at the world outside; what it raises ends the run
        self._heap: list[tuple[int, int, Call]] = []
        self._asked = 0

    def at(self, at_ms: int, call: Call) -> None:
        """Make this call at `at_ms`; an instant that is over means now."""
        heapq.heappush(self._heap, (max(at_ms, self.now), self._asked, call))
        self._asked += 1

    def after(self, ms: int, call: Call) -> None:
        self.at(self.now + ms, call)

    def run(self, until_ms: int) -> None:
        """Everything that is due up to and with `until_ms`; time stands there afterwards."""
        heap = self._heap
        while heap and heap[0][0] <= until_ms:
            self.now, _, call = heapq.heappop(heap)
            self.calls += 1
            call()
            if self.between is not None and self.calls % BETWEEN_CALLS == 0:
                self.between()
        self.now = max(self.now, until_ms)

    def next_at(self) -> int | None:
        """When the next call is due."""
        return self._heap[0][0] if self._heap else None

    @property
    def unix_ms(self) -> int:
        return START_MS + self.now
