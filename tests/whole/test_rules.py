"""The rules of the house, read from the files themselves."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("protocol", "firmware", "hub_daemon", "sim", "tests", "hardware")

# who may import which of our rooms (itself always)
MAY_IMPORT = {
    "protocol": set(),
    "firmware": {"protocol"},
    "hub_daemon": {"protocol"},
    "hardware": set(),
    "sim": {"protocol", "firmware", "hub_daemon"},
    "tests": set(ROOMS) | {"perch"},
}
PROTOCOL_OUTSIDE = {"struct", "binascii", "hashlib", "sys", "micropython"}
CRYPTO_BACKENDS_OUTSIDE = {"nacl", "os"}


def tracked(pattern: str) -> list[Path]:
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", pattern],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return [ROOT / line for line in listing.split("\n") if line and (ROOT / line).exists()]


def imports(path: Path) -> set[str]:
    """The full dotted names that one file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module)
    return found


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0]


def type_checking_only(path: Path) -> set[str]:
    """Imports below `if TYPE_CHECKING:`: read by type checkers, never run."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            for inner in ast.walk(node):
                if isinstance(inner, ast.ImportFrom) and inner.module:
                    found.add(inner.module)
    return found


def test_each_room_imports_only_the_rooms_it_may() -> None:
    wrong = []
    for path in tracked("*.py"):
        room = room_of(path)
        if room not in MAY_IMPORT:
            continue
        allowed = MAY_IMPORT[room] | {room}
        for name in imports(path):
            top = name.split(".")[0]
            if top in (*ROOMS, "perch") and top not in allowed:
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_protocol_needs_nothing_but_what_both_interpreters_have() -> None:
    wrong = []
    for path in tracked("protocol/*.py"):
        allowed = PROTOCOL_OUTSIDE | (CRYPTO_BACKENDS_OUTSIDE if path.parent.name == "crypto" else set())
        for name in imports(path) - type_checking_only(path):
            top = name.split(".")[0]
            if top != "protocol" and top not in allowed:
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("module", "home"),
    [("sqlite3", "hub_daemon/store/"), ("machine", "firmware/ports/")],
)
def test_modules_of_the_edge_are_imported_in_one_place(module: str, home: str) -> None:
    wrong = [
        str(path.relative_to(ROOT))
        for path in tracked("*.py")
        if room_of(path) in ("protocol", "firmware", "hub_daemon", "sim")
        and module in imports(path)
        and not str(path.relative_to(ROOT)).startswith(home)
    ]
    assert not wrong


def anchors(markdown: str) -> set[str]:
    """The heading anchors of a page, as the usual viewers make them."""
    heads = re.findall(r"^#+ +(.+?) *$", markdown, re.M)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_no_link_in_the_documents_is_dead() -> None:
    dead = []
    for page in tracked("*.md"):
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", text, flags=re.S)):
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            there = page if not name else (page.parent / name)
            if not there.exists():
                dead.append(f"{page.relative_to(ROOT)}: {target}")
            elif anchor and there.suffix == ".md" and anchor not in anchors(there.read_text("utf-8")):
                dead.append(f"{page.relative_to(ROOT)}: {target}")
    assert not dead, "\n".join(dead)


def test_no_registry_is_named_in_the_requirement_files() -> None:
    for path in tracked("requirements/*"):
        assert "://" not in path.read_text(encoding="utf-8"), f"{path.name} holds an address"
