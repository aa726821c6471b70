"""A storage whose power fails at a chosen operation: before it, in the middle of it, or after it.

What a real cut leaves is modelled on the promises of firmware/storage.py: synced bytes stay;
written and unsynced bytes of a large file may be there, torn or gone; atomic operations are
before or after. `survivors()` is what is found on reopening.
"""

from firmware.storage import MemoryStorage

BEFORE = "before"
TORN = "torn"
AFTER = "after"
MOMENTS = (BEFORE, TORN, AFTER)


class PowerCut(BaseException):
    """The power went. Not an Exception, so that no handler of the device can go on after it."""


class FaultyStorage(MemoryStorage):
    """Counts its changing operations and cuts at number `cut_at` (from 0) at `moment`."""

    def __init__(self, files=None, blobs=None, cut_at=None, moment=BEFORE):
        super().__init__()
        self.files = dict(files or {})
        self.blobs = {name: bytearray(blob) for name, blob in (blobs or {}).items()}
        self._synced = {name: bytes(blob) for name, blob in self.blobs.items()}
        self.cut_at = cut_at
        self.moment = moment
        self.operations = 0
        self.dead = False

    def _step(self, act, torn=None):
        if self.dead:
            raise PowerCut()
        here = self.operations == self.cut_at
        self.operations += 1
        if here and self.moment == BEFORE:
            self.dead = True
            raise PowerCut()
        if here and self.moment == TORN:
            self.dead = True
            if torn is not None:
                torn()
            raise PowerCut()
        act()
        if here:
            self.dead = True
            raise PowerCut()

    def write(self, name, data):
        self._step(lambda: MemoryStorage.write(self, name, data))

    def remove(self, name):
        def act():
            MemoryStorage.remove(self, name)
            self._synced.pop(name, None)

        if name in self.files or name in self.blobs:
            self._step(act)

    def blob_write(self, name, offset, data):
        data = bytes(data)
        self._step(
            lambda: MemoryStorage.blob_write(self, name, offset, data),
            lambda: MemoryStorage.blob_write(self, name, offset, data[: len(data) // 2]),
        )

    def blob_sync(self, name):
        def act():
            self._synced[name] = bytes(self.blobs[name])

        self._step(act)

    def blob_commit(self, part, final):
        def act():
            MemoryStorage.blob_commit(self, part, final)
            self._synced.pop(part, None)
            self._synced[final] = bytes(self.blobs[final])

        self._step(act)

    def survivors(self, keep_unsynced):
        """A new storage as found after the cut; unsynced bytes all there or all gone."""
        if keep_unsynced:
            return FaultyStorage(self.files, self.blobs)
        return FaultyStorage(self.files, self._synced)


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
