"""Runs viper source on CPython as a 32-bit board would: ints of 32 bits that wrap, arithmetic right shifts.

The MicroPython of the tests has 64-bit words, so it cannot show that viper code keeps within 32. This can: the
source is executed unchanged, with `int`, `uint`, `ptr8` and `ptr32` as classes.
"""

import builtins
import sys
import types
from pathlib import Path
from typing import Any

MASK = 0xFFFFFFFF


class Word:
    """A 32-bit int, signed unless `unsigned`; the result of an operation has the type of its left side."""

    __slots__ = ("bits", "unsigned")

    def __init__(self, value: Any, unsigned: bool = False) -> None:
        self.bits = (value.bits if isinstance(value, Word) else value) & MASK
        self.unsigned = unsigned

    def __index__(self) -> int:
        return self.bits if self.unsigned or self.bits < 1 << 31 else self.bits - (1 << 32)

    def __rshift__(self, count: Any) -> "Word":
        return Word(self.__index__() >> (int(count) & 31), self.unsigned)

    def __lshift__(self, count: Any) -> "Word":
        return Word(self.bits << (int(count) & 31), self.unsigned)

    def __repr__(self) -> str:
        return f"Word({self.__index__()})"


def _operator(name: str, reverse: bool) -> Any:
    plain = getattr(builtins.int, name)

    def apply(self: Word, other: Any) -> Any:
        if not isinstance(other, (int, Word)):
            return NotImplemented
        value = other.bits if isinstance(other, Word) else other
        if reverse:
            return Word(plain(value, self.bits))
        return Word(plain(self.bits, value), self.unsigned)

    return apply


for _name in ("add", "sub", "mul", "and", "or", "xor"):
    setattr(Word, f"__{_name}__", _operator(f"__{_name}__", False))
    setattr(Word, f"__r{_name}__", _operator(f"__{_name}__", True))


def _comparison(name: str) -> Any:
    plain = getattr(builtins.int, name)

    def apply(self: Word, other: Any) -> Any:
        return plain(self.__index__(), other.__index__())

    return apply


for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    setattr(Word, f"__{_name}__", _comparison(f"__{_name}__"))


class Pointer:
    """A typed view of a buffer; adding moves it by bytes, as an address."""

    size = 1

    def __init__(self, where: Any, offset: int = 0) -> None:
        if isinstance(where, Pointer):
            where, offset = where.buffer, where.offset
        self.buffer = where
        self.offset = offset

    def __add__(self, count: Any) -> "Pointer":
        return type(self)(self.buffer, self.offset + count.__index__())

    def _at(self, index: Any) -> slice:
        start = self.offset + index.__index__() * self.size
        assert 0 <= start and start + self.size <= len(self.buffer), "outside the buffer"
        assert start % self.size == 0, "not aligned"
        return slice(start, start + self.size)

    def __getitem__(self, index: Any) -> Word:
        return Word(int.from_bytes(self.buffer[self._at(index)], "little"))

    def __setitem__(self, index: Any, value: Any) -> None:
        bits = Word(value).bits & ((1 << 8 * self.size) - 1)
        self.buffer[self._at(index)] = bits.to_bytes(self.size, "little")


class Pointer8(Pointer):
    pass


class Pointer32(Pointer):
    size = 4


def _uint(value: Any) -> Any:
    return value if isinstance(value, Pointer) else Word(value, True)


def _int(value: Any) -> Any:
    return Word(value)


def _viper(function: Any) -> Any:
    kinds = [function.__annotations__.get(n) for n in function.__code__.co_varnames[: function.__code__.co_argcount]]

    def call(*arguments: Any) -> None:
        assert len(arguments) == len(kinds)
        function(*[kind(value) if kind else value for kind, value in zip(kinds, arguments)])

    return call


def load(path: Path) -> types.ModuleType:
    """The module of a viper source, run with 32-bit words."""
    module = types.ModuleType(path.stem)
    module.__dict__.update(ptr8=Pointer8, ptr32=Pointer32, uint=_uint, int=_int)
    fake = types.ModuleType("micropython")
    fake.__dict__["viper"] = _viper
    stand_in = {"micropython": fake}
    before = {name: sys.modules.get(name) for name in stand_in}
    sys.modules.update(stand_in)
    try:
        exec(compile(path.read_text(), str(path), "exec"), module.__dict__)  # noqa: S102
    finally:
        for name, old in before.items():
            if old is None:
                del sys.modules[name]
            else:
                sys.modules[name] = old
    return module
