"""records.cddl says what the code checks, because it is written from the same tables."""

import importlib
import pkgutil
import re
from pathlib import Path

import protocol
from protocol.records import cddl
from protocol.records.schema import Record, Row

FILE = Path(cddl.__file__).with_name("records.cddl")


def name_of(kind: "type[Record]") -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def every_kind() -> "set[str]":
    """Names, not classes: a test that loads modules anew (tests/kits/viper32.py) leaves second copies of them."""
    for module in pkgutil.walk_packages(protocol.__path__, "protocol."):
        if module.name.startswith("protocol.records") or module.name in ("protocol.blob", "protocol.enrol"):
            importlib.import_module(module.name)
    found: set[str] = set()
    waiting = [Record]
    while waiting:
        for kind in waiting.pop().__subclasses__():
            waiting.append(kind)
            if kind.__module__.startswith("protocol.") and name_of(kind) != name_of(Row):
                found.add(name_of(kind))
    return found


def test_the_file_is_what_the_tables_say() -> None:
    assert FILE.read_text() == cddl.document(), "run: python -m protocol.records.cddl > protocol/records/records.cddl"


def test_every_record_kind_is_in_the_file() -> None:
    names = [name_of(kind) for kind in cddl.KINDS]
    assert len(names) == len(set(names))
    assert set(names) == every_kind()


def test_every_rule_is_defined_once_and_every_name_used_is_defined() -> None:
    code = re.sub(r'"[^"]*"', "", re.sub(r";.*", "", FILE.read_text()))
    rules = re.findall(r"(?m)^([a-z0-9-]+) =", code)
    assert len(rules) == len(set(rules))
    types = set(re.findall(r"(?:=> |: |\* ?\d* |= |/ )\(?([a-z][a-z0-9-]*)", code))
    assert types - set(rules) <= {"bstr", "tstr", "bool", "null"}, types - set(rules)


def test_every_record_documents_itself_and_annotates_every_field() -> None:
    for kind in cddl.KINDS:
        assert kind.__doc__, kind.__name__
        assert list(kind.__annotations__) == [name for name, _ in kind.FIELDS], kind.__name__
