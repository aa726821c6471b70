"""The hub's disk of the simulated wing (sim/box/disk.py) for the tests that take its power."""

from sim.box.disk import DATABASE, LOG, fill
from sim.box.disk import Disk as FaultyDisk

__all__ = ["DATABASE", "LOG", "FaultyDisk", "fill"]
