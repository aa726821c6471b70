"""What firmware/storage.py promises, kept alike by every storage: in memory, the simulated flash, on files."""

import binascii
import os

from firmware.ports.posix import PosixStorage
from firmware.storage import FOLDERS, MemoryStorage
from protocol.errors import Misuse
from sim.box.flash import AFTER, BEFORE, MOMENTS, TORN, Flash, PowerCut

SMALL = ("state/a", "state/b-1", "own/a")
LARGE = ("part/p", "part/q", "blob/x", "journal/0")


class Dice:
    """The same throws on both interpreters."""

    def __init__(self, seed):
        self.state = seed

    def __call__(self, sides):
        self.state = (self.state * 1103515245 + 12345) % 2147483648
        return (self.state >> 8) % sides


def changes(seed, count):
    """That many changes that a device could make, one after the other, as `Flash.changes` has them."""
    dice, sizes, made = Dice(seed), {}, []
    while len(made) < count:
        kind, name = dice(8), LARGE[dice(len(LARGE))]
        data = bytes([dice(256) for _ in range(dice(9))])
        if kind == 0:
            made.append(("write", SMALL[dice(len(SMALL))], 0, data))
        elif kind == 1:
            gone = name if dice(2) else SMALL[dice(len(SMALL))]
            sizes.pop(gone, None)
            made.append(("remove", gone, 0, b""))
        elif kind < 6:
            size = sizes.get(name, 0)
            offset = size if dice(2) else dice(size + 1)
            sizes[name] = max(size, offset + len(data))
            made.append(("blob_write", name, offset, data))
        elif name in sizes and kind == 6:
            made.append(("blob_sync", name, 0, b""))
        elif name in sizes:
            final = LARGE[dice(len(LARGE))]
            if final != name:
                sizes[final] = sizes.pop(name)
                made.append(("blob_commit", name, 0, final.encode()))
    return made


def do(storage, change):
    """One change as the device would make it."""
    op, name, offset, data = change
    if op == "write":
        storage.write(name, data)
    elif op == "remove":
        storage.remove(name)
    elif op == "blob_write":
        storage.blob_write(name, offset, memoryview(data))
    elif op == "blob_sync":
        storage.blob_sync(name)
    else:
        storage.blob_commit(name, data.decode())


def look(storage):
    """All that can be read."""
    found = [(name, storage.read(name)) for name in SMALL]
    for name in LARGE:
        size = storage.blob_size(name)
        found.append((name, size, storage.blob_read(name, 0, size + 5), storage.blob_read(name, size // 2, 3)))
    return found, [storage.names(folder + "/") for folder in FOLDERS], storage.names("state/b")


def on_files(use):
    """Call `use` with a storage on files in a new folder, which is then removed."""
    folder = "/tmp/perch-storage-" + binascii.hexlify(os.urandom(8)).decode()
    try:
        use(PosixStorage(folder))
    finally:
        for inner in FOLDERS:
            for entry in os.listdir(folder + "/" + inner):
                os.remove(folder + "/" + inner + "/" + entry)
            os.rmdir(folder + "/" + inner)
        os.rmdir(folder)


def each(use):
    use(MemoryStorage())
    use(Flash())
    on_files(use)


def refused(call, *values):
    try:
        call(*values)
    except Misuse:
        return True
    return False


def cut_off(call, *values):
    try:
        call(*values)
    except PowerCut:
        return True
    return False


def refusal(call, *values):
    """The number of the OSError that the call raises, 0 for none."""
    try:
        call(*values)
    except OSError as error:
        return error.errno
    return 0


def test_all_storages_read_alike_after_every_change():
    def alike(files):
        memory, flash = MemoryStorage(), Flash()
        for change in changes(7, 250):
            for storage in (memory, flash, files):
                do(storage, change)
            assert look(memory) == look(flash) == look(files), change

    on_files(alike)


def test_all_storages_take_pieces_and_views_and_keep_their_own_copy():
    def use(storage):
        storage.write("state/a", [b"one", bytearray(b"two"), b""])
        assert storage.read("state/a") == b"onetwo"
        buffer = bytearray(b"abcdef")
        storage.blob_write("part/p", 0, memoryview(buffer)[:4])
        storage.blob_write("part/p", 4, buffer)
        buffer[0] = 0
        assert storage.blob_read("part/p", 0, 99) == b"abcdabcdef"

    each(use)


def test_all_storages_refuse_the_same_mistakes_and_change_nothing():
    def use(storage):
        storage.blob_write("part/p", 0, b"abc")
        before = look(storage)
        assert refused(storage.write, "../x", b"")
        assert refused(storage.write, "state/A", b"")
        assert refused(storage.write, "other/x", b"")
        assert refused(storage.blob_write, "part/P", 0, b"x")
        assert refused(storage.blob_write, "part/p", 4, b"x")
        assert refused(storage.blob_commit, "part/q", "blob/x")
        assert refused(storage.blob_commit, "part/p", "blob/X")
        storage.remove("state/none")
        assert look(storage) == before

    each(use)


def test_a_storage_elsewhere_that_repeats_the_changes_is_the_same_with_what_is_synced():
    flash, image = Flash(), Flash()
    for place, change in enumerate(changes(11, 400)):
        do(flash, change)
        if place % 5 == 0:
            image.apply(flash.take_changes())
            assert flash.changes == [] and flash.unsynced == image.unsynced
            for keep in (True, False, 0, 1, flash.unsynced // 2, flash.unsynced):
                one, other = flash.survivors(keep), image.survivors(keep)
                assert one.files == other.files and one.blobs == other.blobs
    assert image.operations == 0 and image.changes == []


def test_what_a_cut_tore_is_repeated_elsewhere_too():
    flash, image = Flash(), Flash()
    flash.blob_write("part/p", 0, b"abcd")
    flash.cut_at, flash.moment = 1, TORN
    assert cut_off(flash.blob_write, "part/p", 2, b"123456")
    image.apply(flash.take_changes())
    assert flash.blobs == image.blobs == {"part/p": bytearray(b"ab123")}
    assert image.survivors(1).blobs == {"part/p": bytearray(b"abcd")}
    assert image.survivors(False).blobs == {}


def test_the_power_goes_at_the_named_operation_and_nothing_changes_after_it():
    made = changes(5, 60)
    kinds = [op for op, _, _, _ in made]
    for op in ("write", "blob_write", "blob_sync", "blob_commit"):
        for moment in MOMENTS:
            flash, done = Flash(), []
            flash.cut_op, flash.cut_at, flash.moment = op, 2, moment
            for change in made:
                if cut_off(do, flash, change):
                    break
                done.append(change[0])
            assert done.count(op) == 2 and kinds[len(done)] == op
            assert flash.dead and flash.op_kinds[op] == 3
            before = flash.operations
            assert cut_off(flash.write, "state/a", b"late")
            assert flash.operations == before and flash.read("state/a") != b"late"


def test_each_moment_of_a_cut_leaves_what_it_says():
    left = {BEFORE: b"old", TORN: b"old", AFTER: b"new"}
    for moment in MOMENTS:
        flash = Flash({"state/a": b"old"}, {"part/p": b"xyz"}, 0, moment)
        assert cut_off(flash.write, "state/a", b"new")
        assert flash.survivors(True).files == {"state/a": left[moment]}
        committed = Flash({}, {"part/p": b"xyz", "blob/x": b"older"}, 0, moment)
        assert cut_off(committed.blob_commit, "part/p", "blob/x")
        assert bytes(committed.survivors(False).blobs["blob/x"]) == (b"xyz" if moment == AFTER else b"older")


def test_a_full_card_says_so_changes_nothing_and_has_room_again_after_a_removal():
    flash = Flash({"state/a": b"1234"}, {"part/p": b"5678"})
    flash.full_bytes_max = 12
    before = look(flash)
    assert refusal(flash.write, "state/a", b"12345") == 28  # both of them, for a moment
    assert refusal(flash.blob_write, "part/p", 2, b"1234567") == 28
    assert look(flash) == before and flash.changes == [] and flash.operations == 2
    flash.blob_write("part/p", 0, b"9999")
    flash.blob_write("part/p", 4, b"0000")
    assert flash.used_bytes() == 12 and flash.survivors(True).full_bytes_max == 12
    flash.blob_sync("part/p")
    flash.blob_commit("part/p", "blob/x")
    assert refusal(flash.write, "state/b", b"1") == 28
    flash.remove("blob/x")
    flash.write("state/b", b"12345678")


def test_a_worn_block_fails_as_often_as_it_was_told_to():
    flash = Flash()
    flash.worn_at, flash.worn_times = 1, 2
    flash.write("state/a", b"1")
    assert refusal(flash.write, "state/a", b"2") == 5
    assert refusal(flash.blob_write, "part/p", 0, b"2") == 5
    assert flash.read("state/a") == b"1" and flash.names("part/") == []
    flash.write("state/a", b"3")
    assert len(flash.changes) == 2


def test_rot_flips_the_bits_that_it_was_given_and_is_counted():
    flash = Flash({"state/a": b"\x00\x00"}, {"blob/x": b"\xff\xff"})
    flash.rot("state/a", 1, 0x81)
    flash.rot("blob/x", 0, 0x01)
    assert flash.read("state/a") == b"\x00\x81" and flash.blob_read("blob/x", 0, 2) == b"\xfe\xff"
    assert flash.rotted == 2 and flash.operations == 0
    assert refused(flash.rot, "blob/x", 2, 1) and refused(flash.rot, "blob/none", 0, 1)
    assert flash.survivors(False).read("state/a") == b"\x00\x81"
