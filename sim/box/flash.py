"""Device -> here -> world: the storage of a simulated device, whose power may fail and whose card may fill or rot.

Runs on both interpreters. What a power cut leaves is modelled on the promises of firmware/storage.py: synced bytes
stay; written and unsynced bytes of a large file may be there, torn or gone; everything else is before or after. Every
change is also kept as data, so that the storage of a device in another process can be repeated here.
"""

from firmware.storage import MemoryStorage, check_name
from protocol.compat import TYPE_CHECKING
from protocol.errors import Misuse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Change = tuple[str, str, int, bytes]
    Undo = tuple[int, int, bytes, int]

BEFORE = "before"
TORN = "torn"
AFTER = "after"
MOMENTS = (BEFORE, TORN, AFTER)

OPS = ("write", "remove", "blob_write", "blob_sync", "blob_commit")

ENOSPC = 28
EIO = 5
WORDS = {ENOSPC: "No space left on device", EIO: "Input/output error"}


class PowerCut(BaseException):
    """The power went. Not an Exception, so that no handler of the device can go on after it."""


class Flash(MemoryStorage):
    """Begins with `files` and `blobs`, all of them synced. Faults are armed by setting the attributes below.

    `operations` counts the changing operations, `op_kinds` those of each kind. The power goes at number `cut_at` (from
    0; of the kind `cut_op` alone where that is not ""), at `moment`; then `dead` is set, every further change raises
    PowerCut, and `survivors` is what is found. `keep_unsynced` is for whoever asks for the survivors after that cut.

    `full_bytes_max`: a change for which the card would have to hold more raises OSError ENOSPC and changes nothing.
    The operations from number `worn_at` on, `worn_times` of them, raise OSError EIO and change nothing.
    """

    def __init__(
        self,
        files: "Mapping[str, bytes] | None" = None,
        blobs: "Mapping[str, bytes | bytearray] | None" = None,
        cut_at: "int | None" = None,
        moment: str = BEFORE,
    ) -> None:
        super().__init__()
        if files:
            self.files.update(files)
        if blobs:
            for name in blobs:
                self.blobs[name] = bytearray(blobs[name])
        self.cut_at = cut_at
        self.cut_op = ""
        self.moment = moment
        self.keep_unsynced: "bool | int" = True
        self.full_bytes_max: "int | None" = None
        self.worn_at: "int | None" = None
        self.worn_times = 1
        self.operations = 0
        self.op_kinds = dict.fromkeys(OPS, 0)
        self.rotted = 0
        self.dead = False
        self.changes: "list[Change]" = []
        self._undo: "dict[str, list[Undo]]" = {}  # unsynced writes of each large file; see _blob_write
        self._order = 0

    # what the device calls

    def write(self, name: str, data: "bytes | Sequence[bytes | bytearray]") -> None:
        whole = bytes(data) if isinstance(data, bytes) else b"".join(data)
        moment = self._begin("write", len(whole))  # it is written beside the old one, which then goes
        if name not in self.files:
            check_name(name)  # only here: it looks at every character
        if moment == TORN:
            self._die()
        self.files[name] = whole
        self.changes.append(("write", name, 0, whole))
        if moment:
            self._die()

    def remove(self, name: str) -> None:
        if name not in self.files and name not in self.blobs:
            return
        moment = self._begin("remove", 0)
        if moment == TORN:
            self._die()
        self._remove(name)
        self.changes.append(("remove", name, 0, b""))
        if moment:
            self._die()

    def blob_write(self, name: str, offset: int, data: "bytes | bytearray | memoryview") -> None:
        blob = self.blobs.get(name)
        size = 0 if blob is None else len(blob)
        moment = self._begin("blob_write", offset + len(data) - size)
        if blob is None:
            check_name(name)
        if offset > size:
            raise Misuse("a hole in " + name)
        kept = bytes(data[: len(data) // 2] if moment == TORN else data)
        self._blob_write(name, offset, kept)
        self.changes.append(("blob_write", name, offset, kept))
        if moment:
            self._die()

    def blob_sync(self, name: str) -> None:
        moment = self._begin("blob_sync", 0)
        if name not in self.blobs:
            raise Misuse("nothing to sync at " + name)
        if moment == TORN:
            self._die()
        self._undo.pop(name, None)
        self.changes.append(("blob_sync", name, 0, b""))
        if moment:
            self._die()

    def blob_commit(self, part: str, final: str) -> None:
        moment = self._begin("blob_commit", 0)
        check_name(final)
        if part not in self.blobs:
            raise Misuse("nothing to commit at " + part)
        if moment == TORN:
            self._die()
        self._blob_commit(part, final)
        self.changes.append(("blob_commit", part, 0, final.encode()))
        if moment:
            self._die()

    # the power and the card

    def _begin(self, op: str, grows_bytes: int) -> str:
        """An operation begins: the moment in it at which the power goes, "" for none."""
        if self.dead:
            raise PowerCut()
        number = self.operations
        self.operations = number + 1
        of_kind = self.op_kinds[op]
        self.op_kinds[op] = of_kind + 1
        moment = ""
        if self.cut_at is not None:
            if self.cut_at == (number if not self.cut_op else of_kind if self.cut_op == op else -1):
                if self.moment == BEFORE:
                    self._die()
                moment = self.moment
        refused = 0
        if self.worn_at is not None and self.worn_at <= number < self.worn_at + self.worn_times:
            refused = EIO
        elif self.full_bytes_max is not None and grows_bytes > 0:
            if self.used_bytes() + grows_bytes > self.full_bytes_max:
                refused = ENOSPC
        if refused:
            if moment:
                self._die()
            raise OSError(refused, WORDS[refused])
        return moment

    def _die(self) -> None:
        self.dead = True
        raise PowerCut()

    def used_bytes(self) -> int:
        """Of all files together. Looks at every one."""
        used = 0
        for data in self.files.values():
            used += len(data)
        for blob in self.blobs.values():
            used += len(blob)
        return used

    def rot(self, name: str, at: int, mask: int) -> None:
        """Flip the bits of `mask` (0..255) in one byte of a file; Misuse when there is no such byte. No operation."""
        if not 0 <= at < self.blob_size(name):
            raise Misuse("nothing to rot in " + name)
        blob = self.blobs.get(name)
        data = bytearray(self.files[name]) if blob is None else blob
        data[at] ^= mask
        if blob is None:
            self.files[name] = bytes(data)
        self.rotted += 1

    @property
    def unsynced(self) -> int:
        """How many writes of large files a power cut may take back now."""
        count = 0
        for undo in self._undo.values():
            count += len(undo)
        return count

    def survivors(self, keep_unsynced: "bool | int") -> "Flash":
        """A new storage as found after a cut: the unsynced writes all there, all gone, or the first so many there.

        The card stays as full as it was; no other fault is armed in it.
        """
        found = Flash(self.files, self.blobs)
        found.full_bytes_max = self.full_bytes_max
        if keep_unsynced is True:
            return found
        undo = []
        for name, writes in self._undo.items():
            for order, offset, overwritten, size in writes:
                undo.append((order, name, offset, overwritten, size))
        undo.sort()
        undo = undo[int(keep_unsynced) :]
        undo.reverse()
        sizes = {}
        for _, name, offset, overwritten, size in undo:
            found.blobs[name][offset : offset + len(overwritten)] = overwritten
            sizes[name] = size  # the last one is that of the earliest write, and the smallest
        for name, size in sizes.items():
            blob = found.blobs.pop(name)
            if size >= 0:
                found.blobs[name] = blob[:size]
        return found

    # the changes

    def take_changes(self) -> "list[Change]":
        """The changes since the last call: (op, name, offset, data); `data` of a blob_commit is the final name."""
        changes = self.changes
        self.changes = []
        return changes

    def apply(self, changes: "Sequence[Change]") -> None:
        """Repeat what happened to another storage. Nothing is counted, recorded or cut."""
        for op, name, offset, data in changes:
            if op == "write":
                self.files[name] = data
            elif op == "remove":
                self._remove(name)
            elif op == "blob_write":
                self._blob_write(name, offset, data)
            elif op == "blob_sync":
                self._undo.pop(name, None)
            elif op == "blob_commit":
                self._blob_commit(name, data.decode())
            else:
                raise Misuse("no change is called " + op)

    def _remove(self, name: str) -> None:
        self.files.pop(name, None)
        self.blobs.pop(name, None)
        self._undo.pop(name, None)

    def _blob_write(self, name: str, offset: int, data: bytes) -> None:
        blob = self.blobs.get(name)
        undo = self._undo.get(name)
        if undo is None:
            undo = self._undo[name] = []
        if blob is None:
            self.blobs[name] = bytearray(data)
            undo.append((self._order, 0, b"", -1))  # -1: there was no file
        else:
            undo.append((self._order, offset, bytes(blob[offset : offset + len(data)]), len(blob)))
            blob[offset : offset + len(data)] = data
        self._order += 1

    def _blob_commit(self, part: str, final: str) -> None:
        self.blobs[final] = self.blobs.pop(part)
        self._undo.pop(part, None)
        self._undo.pop(final, None)
