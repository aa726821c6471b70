"""Every power cut of one piece of work: the storage of the simulated wing (sim/box/flash.py), cut at each operation."""

from sim.box.flash import AFTER, BEFORE, MOMENTS, TORN, PowerCut
from sim.box.flash import Flash as FaultyStorage


def every_cut(prepare, act, check):
    """Run `act` once whole, then again cut at each of its storage operations and moments.

    prepare() -> FaultyStorage in the state before; act(storage) does the work, opening what it
    needs itself; check(storage, outcome) looks at a reopened storage, where outcome is "whole"
    or (operation, moment). Returns how many cuts were made.
    """
    base = prepare()
    whole = FaultyStorage(base.files, base.blobs)
    act(whole)
    total = whole.operations
    check(FaultyStorage(whole.files, whole.blobs), "whole")
    cuts = 0
    for operation in range(total):
        for moment in MOMENTS:
            for keep_unsynced in (True, False):
                storage = FaultyStorage(base.files, base.blobs, operation, moment)
                try:
                    act(storage)
                except PowerCut:
                    pass
                assert storage.dead, (operation, moment)
                check(storage.survivors(keep_unsynced), (operation, moment))
                cuts += 1
    return cuts


__all__ = ["AFTER", "BEFORE", "MOMENTS", "TORN", "FaultyStorage", "PowerCut", "every_cut"]
