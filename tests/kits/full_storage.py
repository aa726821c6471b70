"""A storage whose card is full from a chosen moment on: what is there can be read and removed, nothing new is taken.

`full` is how many more changing operations are taken before that; None, and there is room. As on a real card a large
file may take a part of the bytes of the write that fails. Runs on both interpreters.
"""

from firmware.storage import MemoryStorage

ENOSPC = 28


class FullStorage(MemoryStorage):
    def __init__(self, full=None):
        super().__init__()
        self.full = full
        self.taken = 0

    def _room(self):
        if self.full is not None and self.taken >= self.full:
            raise OSError(ENOSPC)
        self.taken += 1

    def fill(self, more=0):
        """`more` operations still fit."""
        self.taken, self.full = 0, more

    def write(self, name, data):
        self._room()
        MemoryStorage.write(self, name, data)

    def blob_write(self, name, offset, data):
        try:
            self._room()
        except OSError:
            MemoryStorage.blob_write(self, name, offset, bytes(data)[: len(data) // 2])
            raise
        MemoryStorage.blob_write(self, name, offset, data)

    def blob_sync(self, name):
        self._room()

    def blob_commit(self, part, final):
        self._room()
        MemoryStorage.blob_commit(self, part, final)
