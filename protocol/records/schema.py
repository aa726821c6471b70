"""The shape of every record as data: one table writes, reads, checks and documents it.

A record is a class with a table FIELDS = ((name, shape), ...). On the wire it is a deterministic CBOR map
whose keys are the numbers of the fields, from 1, all present; a Row, which stands inside a record, is an
array of its fields in the same order. `records.cddl` is written from the same tables (`cddl.py`).

Both directions run through the same checks: what `decode` would refuse, `encode` refuses too. Refused are
unknown keys, missing keys, wrong types, anything over its bound, lists out of order or with duplicates, and
whatever `rules` of the record adds; each by the record's own Refusal, which names the field.

The classes are written out plainly (annotations for the reader and the type checker, FIELDS for the code)
because MicroPython has no dataclasses and drops annotations.
"""

from protocol import cbor
from protocol.compat import TYPE_CHECKING
from protocol.errors import Misuse, Refusal
from protocol.limits import (
    COUNT_MAX,
    ID_CHARS_MAX,
    MEDIA_TYPE_BYTES_MAX,
    NAME_BYTES_MAX,
    RECORD_BYTES_MAX,
    TIME_S_MAX,
)
from protocol.records import text as _text

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ClassVar, Self, dataclass_transform
else:

    def dataclass_transform(**_):
        return lambda cls: cls


class RecordRefused(Refusal):
    """A record from outside is not what its kind must be. `field` is where, `why` is what."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field}: {why}")
        self.field = field
        self.why = why


class Unfit(Exception):
    """Raised by a shape or by `rules`; the record's decode or encode turns it into its own refusal."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field}: {why}")
        self.field = field
        self.why = why


class Shape:
    """What one field may hold. `read` takes a CBOR value and returns the field's value; `plain` goes back."""

    def read(self, value: "Any") -> "Any":
        raise Misuse("Shape is abstract")

    def plain(self, value: "Any") -> "Any":
        return value


class Uint(Shape):
    def __init__(self, most: int, least: int = 0) -> None:
        self.least = least
        self.most = most

    def read(self, value: "Any") -> "Any":
        if isinstance(value, bool) or not isinstance(value, int):
            raise Unfit("", "not an integer")
        if not self.least <= value <= self.most:
            raise Unfit("", f"not within {self.least}..{self.most}")
        return value


class Choice(Uint):
    """One of the integers 1..most, each with a word for the documents."""

    def __init__(self, words: "tuple[str, ...]", least: int = 1) -> None:
        super().__init__(len(words) - 1 + least, least)
        self.words = words


class Flag(Shape):
    def read(self, value: "Any") -> "Any":
        if not isinstance(value, bool):
            raise Unfit("", "not true or false")
        return value


class Octets(Shape):
    """A byte string of exactly `least` bytes, or of `least` to `most`."""

    def __init__(self, least: int, most: "int | None" = None) -> None:
        self.least = least
        self.most = least if most is None else most

    def read(self, value: "Any") -> "Any":
        if not isinstance(value, bytes):
            raise Unfit("", "not a byte string")
        if not self.least <= len(value) <= self.most:
            raise Unfit("", f"{len(value)} bytes, not within {self.least}..{self.most}")
        return value


class Words(Shape):
    """Text of `least` to `most` UTF-8 bytes. `shown` text passes `text.check`; other text only travels."""

    def __init__(self, most: int, least: int = 0, lines: bool = False, shown: bool = True) -> None:
        self.least = least
        self.most = most
        self.lines = lines
        self.shown = shown

    def read(self, value: "Any") -> "Any":
        if not isinstance(value, str):
            raise Unfit("", "not text")
        size = _utf8_bytes(value)
        if not self.least <= size <= self.most:
            raise Unfit("", f"{size} bytes, not within {self.least}..{self.most}")
        if self.shown:
            try:
                _text.check(value, self.lines)
            except _text.TextRefused as refusal:
                raise Unfit("", str(refusal))
        return value


class MediaType(Words):
    """type/subtype with parameters, printable ASCII: it stands in an HTTP header on a device's own page."""

    def __init__(self) -> None:
        super().__init__(MEDIA_TYPE_BYTES_MAX, 3)

    def read(self, value: "Any") -> "Any":
        value = super().read(value)
        for byte in value.encode():
            if not 0x20 <= byte <= 0x7E:
                raise Unfit("", "not printable ASCII")
        if "/" not in value[1:-1]:
            raise Unfit("", "not type/subtype")
        return value


def _utf8_bytes(value: str) -> int:
    """Refuses surrogates, which have no UTF-8 and which MicroPython's encode would let through."""
    try:
        raw = value.encode()
    except UnicodeError:
        raise Unfit("", "not Unicode")
    if not cbor.CODEC_IS_STRICT and not cbor.utf8_valid(raw):
        raise Unfit("", "not Unicode")
    return len(raw)


IDENT_CHARS = "abcdefghijklmnopqrstuvwxyz0123456789-"


class Ident(Shape):
    """A wing, learner, person or group: [a-z0-9][a-z0-9-]{0,31}."""

    def read(self, value: "Any") -> "Any":
        if not isinstance(value, str):
            raise Unfit("", "not text")
        if not 1 <= len(value) <= ID_CHARS_MAX:
            raise Unfit("", f"not an identifier of 1..{ID_CHARS_MAX} characters")
        if value.strip(IDENT_CHARS) or value.startswith("-"):
            raise Unfit("", "not an identifier")
        return value


class Word(Shape):
    """One of a few fixed words."""

    def __init__(self, words: "tuple[str, ...]") -> None:
        self.words = words

    def read(self, value: "Any") -> "Any":
        if not isinstance(value, str) or value not in self.words:
            raise Unfit("", "not one of " + ", ".join(self.words))
        return value


class Maybe(Shape):
    """The inner shape, or null."""

    def __init__(self, inner: Shape) -> None:
        self.inner = inner

    def read(self, value: "Any") -> "Any":
        return None if value is None else self.inner.read(value)

    def plain(self, value: "Any") -> "Any":
        return None if value is None else self.inner.plain(value)


class ListOf(Shape):
    """A list; with `key`, strictly ascending by that field ("" for the element itself)."""

    def __init__(self, inner: Shape, most: int, least: int = 0, key: "str | None" = None) -> None:
        self.inner = inner
        self.least = least
        self.most = most
        self.key = key

    def read(self, value: "Any") -> "Any":
        if not isinstance(value, (list, tuple)):
            raise Unfit("", "not a list")
        if not self.least <= len(value) <= self.most:
            raise Unfit("", f"{len(value)} entries, not within {self.least}..{self.most}")
        out: "list[Any]" = []
        before: "Any" = None
        for index, entry in enumerate(value):
            try:
                entry = self.inner.read(entry)
            except Unfit as unfit:
                raise Unfit(f"[{index}]" + _dot(unfit.field), unfit.why)
            if self.key is not None:
                sort = getattr(entry, self.key) if self.key else entry
                if index and not before < sort:
                    raise Unfit(f"[{index}]", "out of order or twice")
                before = sort
            out.append(entry)
        return out

    def plain(self, value: "Any") -> "Any":
        return [self.inner.plain(entry) for entry in value]


class RowOf(Shape):
    """An array that is one Row."""

    def __init__(self, row: "type[Row]") -> None:
        self.row = row

    def read(self, value: "Any") -> "Any":
        return self.row.read(value)

    def plain(self, value: "Any") -> "Any":
        return value.plain()


def _dot(field: str) -> str:
    return "." + field if field and field[0] != "[" else field


TIME_S = Uint(TIME_S_MAX)
COUNT = Uint(COUNT_MAX)
VERSION = Uint(COUNT_MAX, 1)
IDENT = Ident()
NAME = Words(NAME_BYTES_MAX, 1)
DEVICE_ID = Octets(8)
DIGEST = Octets(32)
KEY = Octets(32)
MEDIA_TYPE = MediaType()


def names(fields: "tuple[tuple[str, Shape], ...]") -> "tuple[str, ...]":
    return tuple([name for name, _ in fields])


def ascending(rows: "list[Any]", key: str) -> "list[Any]":
    """A sorted copy, for makers of records; keys are complete, since MicroPython's sort is not stable."""
    return sorted(rows, key=lambda row: getattr(row, key))


@dataclass_transform(kw_only_default=True)
class Record:
    """A record kind. Make one with keywords, all of them; `encode` and `decode` check it."""

    FIELDS: "ClassVar[tuple[tuple[str, Shape], ...]]" = ()
    REFUSAL: "ClassVar[type[RecordRefused]]" = RecordRefused
    BYTES_MAX: "ClassVar[int]" = RECORD_BYTES_MAX
    __slots__ = ()

    def __init__(self, **values: "Any") -> None:
        for name, _ in self.FIELDS:
            if name not in values:
                raise Misuse(f"{type(self).__name__} needs {name}")
            setattr(self, name, values[name])
        if len(values) != len(self.FIELDS):
            unknown = [name for name in values if name not in names(self.FIELDS)]
            raise Misuse("{} has no {}".format(type(self).__name__, ", ".join(unknown)))

    def rules(self) -> None:
        """What one field alone cannot say; raises Unfit. Nothing by default."""

    @classmethod
    def decode(cls, data: bytes) -> "Self":
        """Read the one right encoding; raises this record's refusal for anything else."""
        try:
            if not isinstance(data, bytes):
                raise Unfit("encoding", "not bytes")
            if len(data) > cls.BYTES_MAX:
                raise Unfit("encoding", f"{len(data)} bytes, more than {cls.BYTES_MAX}")
            return cls.read(cbor.loads(data))
        except Unfit as unfit:
            raise cls.REFUSAL(unfit.field or "encoding", unfit.why)
        except cbor.CborError as error:
            raise cls.REFUSAL("encoding", str(error))

    def encode(self) -> bytes:
        """The one right encoding; raises this record's refusal when a field is out of shape."""
        try:
            values = self.plain()
            self.read(values)
            data = cbor.dumps(values)
            if len(data) > self.BYTES_MAX:
                raise Unfit("encoding", f"{len(data)} bytes, more than {self.BYTES_MAX}")
            return data
        except Unfit as unfit:
            raise self.REFUSAL(unfit.field or "encoding", unfit.why)

    def plain(self) -> "Any":
        """The CBOR value, unchecked."""
        return {index + 1: shape.plain(getattr(self, name)) for index, (name, shape) in enumerate(self.FIELDS)}

    @classmethod
    def read(cls, values: "Any") -> "Self":
        if not isinstance(values, dict):
            raise Unfit("", "not a map")
        for key in values:
            if isinstance(key, bool) or not isinstance(key, int) or not 1 <= key <= len(cls.FIELDS):
                raise Unfit("", f"unknown key {repr(key)[:40]}")
        for number, (name, _) in enumerate(cls.FIELDS):
            if number + 1 not in values:
                raise Unfit(name, "missing")
        return cls._take([values[number + 1] for number in range(len(cls.FIELDS))])

    @classmethod
    def _take(cls, values: "list[Any]") -> "Self":
        taken = {}
        for index, (name, shape) in enumerate(cls.FIELDS):
            try:
                taken[name] = shape.read(values[index])
            except Unfit as unfit:
                raise Unfit(name + _dot(unfit.field), unfit.why)
        record = cls(**taken)
        record.rules()
        return record

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return False
        for name, _ in self.FIELDS:
            if getattr(self, name) != getattr(other, name):
                return False
        return True

    def __repr__(self) -> str:
        # byte strings shortened: a record in a log must not carry keys or fill the line
        shown = []
        for name, _ in self.FIELDS:
            value = getattr(self, name)
            short = value[:4].hex() + ".." if isinstance(value, bytes) else repr(value)[:200]
            shown.append(f"{name}={short}")
        return "{}({})".format(type(self).__name__, ", ".join(shown))


class Row(Record):
    """A record inside a record: an array of its fields, in order, none left out."""

    __slots__ = ()

    @classmethod
    def read(cls, value: "Any") -> "Self":
        if not isinstance(value, (list, tuple)):
            raise Unfit("", "not an array")
        if len(value) != len(cls.FIELDS):
            raise Unfit("", f"{len(value)} values, not {len(cls.FIELDS)}")
        return cls._take(list(value))

    def plain(self) -> "Any":
        return [shape.plain(getattr(self, name)) for name, shape in self.FIELDS]


def distinct(rows: "list[Any]", of: "Callable[[Any], Any]", field: str) -> None:
    """Raise Unfit(field) when `of` gives the same value for two rows."""
    seen = set()
    for row in rows:
        value = of(row)
        if value in seen:
            raise Unfit(field, "twice")
        seen.add(value)
