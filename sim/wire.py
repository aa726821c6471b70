"""The simulator's wires: `MemoryWire` in virtual time, `PtyWire` between real ttys."""

from sim.memory_wire import MemoryWire, Pair
from sim.pty_wire import PtyWire

__all__ = ["MemoryWire", "Pair", "PtyWire"]
