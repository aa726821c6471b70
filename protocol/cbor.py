"""Records as bytes: RFC 8949 in core deterministic encoding (section 4.2.1), and nothing else.

A value has one encoding, so equal bytes and equal values are the same question, and a digest or a signature
over one cannot be carried to a second spelling. `loads` refuses what is not that one encoding.

CBOR and Python: integers of any size, bytes, str, list, dict, bool, None and float are themselves; `Tag`,
`Simple` and `Undefined` stand for the rest. Map keys are integers, bytes or text: True and 1, or 1 and 1.0,
would be one key of a Python dict. No wire format of Perch has floats (boards have single precision).
"""

import struct
import sys

from protocol.compat import TYPE_CHECKING
from protocol.errors import Misuse, Refusal
from protocol.limits import CBOR_BYTES_MAX, CBOR_DEPTH_MAX

if TYPE_CHECKING:
    from typing import Any


class CborError(Refusal):
    """Not one well-formed data item in deterministic encoding, or one beyond the bounds."""


class Tag:
    """A tagged value (RFC 8949 section 3.4), other than the integers of tags 2 and 3."""

    def __init__(self, number: int, value: "Any") -> None:
        self.number = number
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tag) and self.number == other.number and self.value == other.value

    def __hash__(self) -> int:
        return hash(self.number)

    def __repr__(self) -> str:
        return f"Tag({self.number}, {self.value!r})"


class Simple:
    """A simple value (RFC 8949 section 3.3) without a meaning here: 0 to 19 or 32 to 255."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Simple) and self.number == other.number

    def __hash__(self) -> int:
        return hash(self.number)

    def __repr__(self) -> str:
        return f"Simple({self.number})"


class _UndefinedType:
    def __repr__(self) -> str:
        return "Undefined"


Undefined = _UndefinedType()


def utf8_valid(data: bytes) -> bool:
    """Whether these bytes are UTF-8 (RFC 3629): no overlong form, no surrogate, nothing past U+10FFFF."""
    i = 0
    end = len(data)
    while i < end:
        first = data[i]
        i += 1
        if first < 0x80:
            continue
        if 0xC2 <= first <= 0xDF:
            more = 1
        elif 0xE0 <= first <= 0xEF:
            more = 2
        elif 0xF0 <= first <= 0xF4:
            more = 3
        else:
            return False
        if end - i < more:
            return False
        second = data[i]
        low = 0xA0 if first == 0xE0 else 0x90 if first == 0xF0 else 0x80
        high = 0x9F if first == 0xED else 0x8F if first == 0xF4 else 0xBF
        if not low <= second <= high:
            return False
        for j in range(i + 1, i + more):
            if data[j] & 0xC0 != 0x80:
                return False
        i += more
    return True


# CPython's decoder is as strict as utf8_valid and quicker; MicroPython's takes overlong forms and surrogates
CODEC_IS_STRICT = sys.implementation.name == "cpython"


def dumps(value: "Any") -> bytes:
    """The one deterministic encoding. A value that has none raises Misuse: it is ours, not a peer's."""
    out = bytearray()
    _write(out, value, CBOR_DEPTH_MAX)
    if len(out) > CBOR_BYTES_MAX:
        raise Misuse(f"a CBOR item of {len(out)} bytes is longer than CBOR_BYTES_MAX")
    return bytes(out)


def pair(first: bytes, second: "Any") -> bytes:
    """`dumps([first, second])` where `first` is long: it is copied once, not twice."""
    head, rest = bytearray(), bytearray()
    _head(head, 0x80, 2)
    _head(head, 0x40, len(first))
    _write(rest, second, CBOR_DEPTH_MAX - 1)
    return b"".join([head, first, rest])


def pieces(value: "dict[int, Any]") -> "list[bytes | bytearray]":
    """`dumps` of a map with small keys, in pieces: long byte strings are given as they are, and nothing is copied
    into one block, for which a small heap may have no room."""
    out: "list[bytes | bytearray]" = []
    block = bytearray()
    _head(block, 0xA0, len(value))
    for key in sorted(value):
        if not 0 <= key < 24:
            raise Misuse("pieces takes keys from 0 to 23, whose order is that of their encoding")
        block.append(key)
        entry = value[key]
        if isinstance(entry, bytes):
            _head(block, 0x40, len(entry))
            out.append(block)
            out.append(entry)
            block = bytearray()
        elif isinstance(entry, str):
            out.append(block)
            block = bytearray()
            _write_text(block, entry)
        else:
            _write(block, entry, CBOR_DEPTH_MAX - 1)
    out.append(block)
    return out


def _head(out: bytearray, major: int, number: int) -> None:
    """The initial byte and the argument (RFC 8949 section 3), as short as it can be."""
    if number < 24:
        out.append(major | number)
    elif number < 0x100:
        out.append(major | 24)
        out.append(number)
    elif number < 0x10000:
        out.append(major | 25)
        out.extend(number.to_bytes(2, "big"))
    elif number >> 32 == 0:
        out.append(major | 26)
        out.extend(number.to_bytes(4, "big"))
    else:
        out.append(major | 27)
        out.extend(number.to_bytes(8, "big"))


def _write(out: bytearray, value: "Any", depth: int) -> None:
    # bool comes before int: it is one on CPython and none on MicroPython
    if isinstance(value, bool):
        out.append(0xF5 if value else 0xF4)
    elif isinstance(value, int):
        _write_int(out, value)
    elif isinstance(value, (bytes, bytearray, memoryview)):
        _head(out, 0x40, len(value))
        out.extend(value)
    elif isinstance(value, str):
        _write_text(out, value)
    elif value is None:
        out.append(0xF6)
    elif depth == 0 and isinstance(value, (list, tuple, dict, Tag)):
        raise Misuse("this value is nested deeper than CBOR_DEPTH_MAX")
    elif isinstance(value, (list, tuple)):
        _head(out, 0x80, len(value))
        for item in value:
            _write(out, item, depth - 1)
    elif isinstance(value, dict):
        _write_map(out, value, depth)
    elif isinstance(value, float):
        out.extend(_encode_float(value))
    else:
        _write_other(out, value, depth)


def _write_int(out: bytearray, value: int) -> None:
    major = 0x00
    if value < 0:
        major = 0x20
        value = -1 - value
    if value >> 64 == 0:
        _head(out, major, value)
        return
    length = 16
    while value >> (8 * length):
        length *= 2
    digits = value.to_bytes(length, "big").lstrip(b"\0")
    out.append(0xC3 if major else 0xC2)
    _head(out, 0x40, len(digits))
    out.extend(digits)


def _write_text(out: bytearray, value: str) -> None:
    try:
        data = value.encode()
    except UnicodeError:
        raise Misuse("text with a lone surrogate has no UTF-8")
    if not CODEC_IS_STRICT and not utf8_valid(data):
        raise Misuse("text with a lone surrogate has no UTF-8")
    _head(out, 0x60, len(data))
    out.extend(data)


def _write_map(out: bytearray, value: "dict[Any, Any]", depth: int) -> None:
    entries = []
    for key in value:
        if isinstance(key, bool) or not isinstance(key, (int, bytes, str)):
            raise Misuse("the keys of a map are integers, bytes or text")
        encoded = bytearray()
        _write(encoded, key, 0)
        entries.append((bytes(encoded), value[key]))
    # keys differ, so the values are never compared; neither dicts nor sorts keep an order on MicroPython
    entries.sort(key=_first)
    _head(out, 0xA0, len(entries))
    for encoded_key, item in entries:
        out.extend(encoded_key)
        _write(out, item, depth - 1)


def _first(entry: "tuple[bytes, Any]") -> bytes:
    return entry[0]


def _write_other(out: bytearray, value: "Any", depth: int) -> None:
    if isinstance(value, Tag):
        number = value.number
        if not isinstance(number, int) or number < 0 or number >> 64 or number in (2, 3):
            raise Misuse("a tag's number is 0 to 2^64-1, and integers carry tags 2 and 3 by themselves")
        _head(out, 0xC0, number)
        _write(out, value.value, depth - 1)
    elif value is Undefined:
        out.append(0xF7)
    elif isinstance(value, Simple):
        if not 0 <= value.number <= 255 or 20 <= value.number <= 31:
            raise Misuse("a simple value is 0 to 19 or 32 to 255")
        _head(out, 0xE0, value.number)
    else:
        raise Misuse("CBOR has no encoding for a " + type(value).__name__)


def _encode_float(value: float) -> bytes:
    """The shortest of half, single and double with the same value (RFC 8949 4.2.2); NaN is 7e00."""
    if value != value:
        return b"\xf9\x7e\x00"
    try:
        single = struct.pack(">f", value)
    except OverflowError:
        return b"\xfb" + struct.pack(">d", value)
    if struct.unpack(">f", single)[0] != value:
        return b"\xfb" + struct.pack(">d", value)
    bits = int.from_bytes(single, "big")
    sign = bits >> 31 << 15
    exponent = bits >> 23 & 0xFF
    fraction = bits & 0x7FFFFF
    half = -1
    if exponent == 0 and fraction == 0:
        half = 0
    elif exponent == 255:
        half = 0x7C00
    elif 113 <= exponent <= 142 and fraction & 0x1FFF == 0:
        half = (exponent - 112) << 10 | fraction >> 13
    elif 103 <= exponent <= 112:
        # a subnormal half counts units of 2^-24
        whole = fraction | 0x800000
        shift = 126 - exponent
        if whole & ((1 << shift) - 1) == 0:
            half = whole >> shift
    if half < 0:
        return b"\xfa" + single
    return b"\xf9" + (sign | half).to_bytes(2, "big")


def _half(bits: int) -> float:
    exponent = bits >> 10 & 31
    fraction = bits & 0x3FF
    if exponent == 0:
        value = fraction * 2.0**-24
    elif exponent == 31:
        value = float("nan") if fraction else float("inf")
    else:
        value = (fraction | 0x400) * 2.0 ** (exponent - 25)
    return -value if bits & 0x8000 else value


def loads(data: bytes) -> "Any":
    """The value of exactly one deterministic item; anything else raises CborError. Linear in the input."""
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise Misuse("CBOR is read from bytes")
    if len(data) > CBOR_BYTES_MAX:
        raise CborError("longer than CBOR_BYTES_MAX")
    reader = _Reader(bytes(data))
    value = reader.item(CBOR_DEPTH_MAX)
    if reader.at != len(data):
        raise CborError(f"{len(data) - reader.at} bytes after the item")
    return value


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        at = self.at
        if count > len(self.data) - at:
            raise CborError("the input ends inside an item")
        self.at = at + count
        return self.data[at : at + count]

    def argument(self, info: int) -> int:
        """The number after a head whose low bits are 24 or more."""
        if info > 27:
            raise CborError("an indefinite length or a reserved head")
        size = 1 << (info - 24)
        number = int.from_bytes(self.take(size), "big")
        if number < 24 or (size > 1 and number >> (4 * size) == 0):
            raise CborError("an argument that is not as short as it can be")
        return number

    def item(self, depth: int) -> "Any":
        if self.at >= len(self.data):
            raise CborError("the input ends inside an item")
        head = self.data[self.at]
        self.at += 1
        major = head >> 5
        if major == 7:
            return self.simple(head)
        number = head & 31
        if number >= 24:
            number = self.argument(number)
        if major == 2:
            return self.take(number)
        if major == 0:
            return number
        if major == 1:
            return -1 - number
        if major == 3:
            return self.text(number)
        if major == 6 and (number == 2 or number == 3):
            return self.big_integer(number == 3)
        if depth == 0:
            raise CborError("nested deeper than CBOR_DEPTH_MAX")
        if major == 4:
            # every item takes a byte, so the input itself bounds this list
            return [self.item(depth - 1) for _ in range(self.count(number))]
        if major == 5:
            return self.map(self.count(number), depth - 1)
        return Tag(number, self.item(depth - 1))

    def count(self, number: int) -> int:
        if number > len(self.data) - self.at:
            raise CborError("more items than bytes")
        return number

    def text(self, length: int) -> str:
        data = self.take(length)
        try:
            text = str(data, "utf-8")
        except UnicodeError:
            raise CborError("text that is not UTF-8")
        if not CODEC_IS_STRICT and not utf8_valid(data):
            raise CborError("text that is not UTF-8")
        return text

    def map(self, count: int, depth: int) -> "dict[Any, Any]":
        result: "dict[Any, Any]" = {}
        previous = b""
        for _ in range(count):
            start = self.at
            key = self.item(0)
            if isinstance(key, bool) or not isinstance(key, (int, bytes, str)):
                raise CborError("the keys of a map are integers, bytes or text")
            encoded = self.data[start : self.at]
            if encoded <= previous:
                raise CborError("map keys out of order or twice")
            previous = encoded
            result[key] = self.item(depth)
        return result

    def big_integer(self, negative: bool) -> int:
        head = self.take(1)[0]
        if head >> 5 != 2:
            raise CborError("a big integer that is not bytes")
        length = head & 31
        digits = self.take(length if length < 24 else self.argument(length))
        if len(digits) < 9 or digits[0] == 0:
            raise CborError("a big integer that is not as short as it can be")
        value = int.from_bytes(digits, "big")
        return -1 - value if negative else value

    def simple(self, head: int) -> "Any":
        info = head & 31
        if info < 20:
            return Simple(info)
        if info < 24:
            return (False, True, None, Undefined)[info - 20]
        if info == 24:
            number = self.take(1)[0]
            if number < 32:
                raise CborError("a simple value below 32 in two bytes")
            return Simple(number)
        if info > 27:
            raise CborError("an indefinite length or a reserved head")
        start = self.at - 1
        bits = self.take(1 << (info - 24))
        if info == 25:
            value = _half(int.from_bytes(bits, "big"))
        else:
            value = struct.unpack(">f" if info == 26 else ">d", bits)[0]
        if _encode_float(value) != self.data[start : self.at]:
            raise CborError("a float that is not as short as it can be")
        return value
