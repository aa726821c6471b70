"""World -> here -> wire.pcapng: the bytes of a run's wires, for Wireshark."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from sim.box.docks import Docking
from sim.box.pcapng import Capture
from sim.box.ports import DOWN, UP, Lane
from sim.box.world import World


class Recording:
    """`wire` is where the capture goes, None for none. As a context, it closes that file."""

    def __init__(self, wire: Path | None) -> None:
        self._file: BinaryIO | None = None if wire is None else wire.open("wb")
        self._capture = None if self._file is None else Capture(self._file)

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def begin(self, world: World) -> None:
        """Called at the first instant of the world."""
        if self._capture is not None:
            world.on_seat.append(lambda docking: self._listen(world, docking))

    def _listen(self, world: World, docking: Docking) -> None:
        assert docking.wire is not None
        for direction in (UP, DOWN):
            self._tap(world, docking, docking.wire.lane(direction), direction == UP)

    def _tap(self, world: World, docking: Docking, lane: Lane, up: bool) -> None:
        before = lane.watch  # whoever listens already goes on listening
        capture = self._capture
        assert capture is not None and docking.bay is not None
        bay = docking.bay.name

        def watch(data: bytes) -> None:
            if before is not None:
                before(data)
            capture.packet(bay, world.kernel.now, up, data, docking.id)

        lane.watch = watch
