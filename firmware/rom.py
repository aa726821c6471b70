"""Beside the device, after the compiler: the compiled modules as one ROM image, where a board runs them in place.

A board keeps its program in flash: MicroPython's ROMFS lets bytecode, names and constants be used
where they lie, and the heap holds only what runs. The unix port has no flash, so here the image
rides behind the machine code of one small viper function: MicroPython loads machine code outside
of the heap (mmap), which is exactly the memory that flash is on a board. The heap then
bounds the same thing on both; but on a 64-bit machine every word of it is twice as large.

ROMFS, as far as it is used here: magic d2 cd 31 and the length of the rest; then records of kind,
length and payload (numbers in base 128, high digits first, the top bit set on all but the last):
directory (4): length of name, name, records; file (5): length of name, name, one verbatim record (2).
"""

from typing import Union

MAGIC = b"\xd2\xcd\x31"
VERBATIM, DIRECTORY, FILE = 2, 4, 5
ALIGN = 16
Tree = dict[str, Union[bytes, "Tree"]]

# what is compiled to carry the image; its code is never called
CARRIER = """import micropython


@micropython.viper
def code():
    pass
"""
_VIPER = 2  # kind of a raw code in a .mpy file, and no children (MicroPython, py/persistentcode.c)


class CarrierUnknown(Exception):
    """The compiler's output is not laid out as this module expects: another version of MicroPython."""


def number(value: int) -> bytes:
    """An unsigned number in base 128."""
    digits = [value & 0x7F]
    while value > 0x7F:
        value >>= 7
        digits.append(0x80 | (value & 0x7F))
    return bytes(reversed(digits))


def _record(kind: int, payload: bytes) -> bytes:
    return number(kind) + number(len(payload)) + payload


def _records(tree: Tree) -> bytes:
    out = b""
    for name in sorted(tree):
        value = tree[name]
        title = number(len(name)) + name.encode("ascii")
        if isinstance(value, dict):
            out += _record(DIRECTORY, title + _records(value))
        else:
            out += _record(FILE, title + _record(VERBATIM, value))
    return out


def image(files: dict[str, bytes]) -> bytes:
    """The ROMFS image of files by their paths, with `/` between folders."""
    tree: Tree = {}
    for path, data in files.items():
        folders = path.split("/")
        place = tree
        for folder in folders[:-1]:
            inner = place.setdefault(folder, {})
            assert isinstance(inner, dict)
            place = inner
        place[folders[-1]] = data
    body = _records(tree)
    length = number(len(body))
    if (len(MAGIC) + len(length) + len(body)) % 2:
        length = b"\x80" + length  # the whole has an even length
    return MAGIC + length + body


def carry(carrier: bytes, rom: bytes) -> tuple[bytes, int]:
    """(a .mpy like `carrier` with the image behind its viper code, where in that code the image begins)."""
    end = len(carrier) - 1  # the function's flags, one byte, are last
    for start in range(len(carrier)):
        value, size = _number_at(carrier, start)
        if value & 7 == _VIPER and start + size + (value >> 3) == end and value >> 3 > 16:
            code = carrier[start + size : end]
            offset = (len(code) + ALIGN - 1) // ALIGN * ALIGN
            code += bytes(offset - len(code)) + rom
            return carrier[:start] + number(len(code) << 3 | _VIPER) + code + carrier[end:], offset
    raise CarrierUnknown("no viper function at the end of the compiled carrier")


def _number_at(data: bytes, at: int) -> tuple[int, int]:
    value = size = 0
    while at + size < len(data):
        value = value << 7 | (data[at + size] & 0x7F)
        size += 1
        if data[at + size - 1] < 0x80:
            break
    return value, size
