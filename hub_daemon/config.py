"""The hub's configuration: one commented TOML file, read once at the start.

`OPTIONS` is the only place that knows a key: the parser, the refusals and the commented default that
`perch hub --print-config` writes are all made from it. A refusal names the line and what is allowed.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub_daemon.limits import BAYS_MAX, CONFIG_BYTES_MAX
from protocol.errors import Refusal
from protocol.records.schema import IDENT, Unfit

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}\Z")


class ConfigRefused(Refusal):
    """The configuration cannot be used; the words name file, line, key, and what is allowed."""


@dataclass(frozen=True)
class Bay:
    """One dock: its name on the staff page, and its serial port."""

    name: str
    port: str


@dataclass(frozen=True)
class Config:
    """Everything the hub was told. Addresses are (host, port) or None for "none"."""

    wing: str
    data: Path
    bays: tuple[Bay, ...]
    baud: int
    tcp: tuple[str, int] | None
    announce: bool
    page: tuple[str, int] | None
    page_threads: int
    broker: str
    envelopes_per_day_max: int
    media: bool


@dataclass(frozen=True)
class Option:
    """One key: `check` turns the TOML value into the Config's or raises ValueError."""

    section: str
    key: str
    default: Any
    allowed: str
    comment: str
    check: Callable[[Any], Any]


def _ident(value: Any) -> str:
    try:
        return str(IDENT.read(value))
    except Unfit as unfit:
        raise ValueError(unfit.why) from None


def _path(value: Any) -> Path:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError
    return Path(value)


def address(value: Any) -> tuple[str, int] | None:
    """HOST:PORT -> (host, port); "none" -> None; raises ValueError."""
    if not isinstance(value, str):
        raise ValueError
    if value == "none":
        return None
    host, colon, port = value.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError
    return host.strip("[]"), int(port)


def bay(value: Any, place: int) -> Bay:
    """ "NAME=PORT" or "PORT" (then the name is bay-<place>, from 1); raises ValueError."""
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError
    name, equals, port = value.partition("=")
    if not equals or "/" in name:
        name, port = value.rpartition("/")[2], value
        if not NAME.match(name) or not name[0].isalpha():
            name = f"bay-{place}"
    if not NAME.match(name) or not port:
        raise ValueError
    return Bay(name, port)


def _bays(value: Any) -> tuple[Bay, ...]:
    if not isinstance(value, list) or len(value) > BAYS_MAX:
        raise ValueError
    found = tuple(bay(one, place) for place, one in enumerate(value, 1))
    if len({one.name for one in found}) != len(found) or len({one.port for one in found}) != len(found):
        raise ValueError("a name or a port stands twice")
    return found


def _whole(least: int, most: int) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ValueError
        return value

    return check


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _one_of(*words: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if value not in words:
            raise ValueError
        return str(value)

    return check


OPTIONS = (
    Option("wing", "name", "wing", "1 to 32 of a-z, 0-9 and -, not starting with -",
           "The wing's name. It stands in every topic and every signature: choose it once.", _ident),
    Option("data", "directory", "/var/lib/perch", "a path",
           "Where everything is kept: database, keys, blobs. Back it up (docs/operator.md).", _path),
    Option("bays", "ports", [], f"a list of at most {BAYS_MAX} different \"PORT\" or \"NAME=PORT\"",
           "The serial ports of the docks, by their stable names in /dev/serial/by-path.", _bays),
    Option("bays", "baud", 3_000_000, "a whole number from 9600 to 12000000",
           "Symbols per second on every serial port; the device has the same figure.", _whole(9600, 12_000_000)),
    Option("bays", "tcp", "none", "\"HOST:PORT\" or \"none\"",
           "Docking over Ethernet, for slates with a wired network and no serial port.", address),
    Option("bays", "announce", True, "true or false",
           "Tell devices on the Ethernet where tcp listens (_perch._tcp.local.).", _flag),
    Option("page", "listen", "127.0.0.1:8000", "\"HOST:PORT\" or \"none\"",
           "The staff page. Keep it on 127.0.0.1 behind a TLS proxy unless the network is staff's alone.", address),
    Option("page", "threads", 4, "a whole number from 1 to 32",
           "Staff requests served at the same time.", _whole(1, 32)),
    Option("broker", "kind", "auto", "\"auto\", \"mosquitto\" or \"amqtt\"",
           "auto takes mosquitto where it is installed, else amqtt inside this process.",
           _one_of("auto", "mosquitto", "amqtt")),
    Option("limits", "envelopes_per_day_max", 100, "a whole number from 1 to 10000",
           "Messages one device may hand over in 24 hours; the rest stays in its outbox.", _whole(1, 10_000)),
    Option("media", "enabled", True, "true or false",
           "Whether videos are re-encoded on this hub. Without it videos wait.", _flag),
)  # fmt: skip


def defaults() -> dict[str, Any]:
    return {f"{option.section}.{option.key}": option.check(option.default) for option in OPTIONS}


def build(values: dict[str, Any]) -> Config:
    """A Config of checked values by "section.key"."""
    return Config(
        wing=values["wing.name"],
        data=values["data.directory"],
        bays=values["bays.ports"],
        baud=values["bays.baud"],
        tcp=values["bays.tcp"],
        announce=values["bays.announce"],
        page=values["page.listen"],
        page_threads=values["page.threads"],
        broker=values["broker.kind"],
        envelopes_per_day_max=values["limits.envelopes_per_day_max"],
        media=values["media.enabled"],
    )


def parse(text: str, name: str = "hub.toml") -> dict[str, Any]:
    """Checked values by "section.key", defaults included; raises ConfigRefused with the line."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigRefused(f"{name}: {error}") from None
    except RecursionError:
        raise ConfigRefused(f"{name}: nested too deep") from None
    values = defaults()
    known: dict[str, dict[str, Option]] = {}
    for option in OPTIONS:
        known.setdefault(option.section, {})[option.key] = option
    for section, table in tables.items():
        if section not in known or not isinstance(table, dict):
            raise ConfigRefused(
                f"{name}: line {_line(text, None, section)}: there is no section [{_short(section)}];"
                f" the sections are {', '.join(known)}"
            )
        for key, value in table.items():
            line = _line(text, section, key)
            if key not in known[section]:
                raise ConfigRefused(
                    f"{name}: line {line}: there is no key {_short(key)!r} in [{section}];"
                    f" the keys are {', '.join(known[section])}"
                )
            option = known[section][key]
            try:
                values[f"{section}.{key}"] = option.check(value)
            except ValueError as error:
                why = f" ({error})" if str(error) else ""
                raise ConfigRefused(
                    f"{name}: line {line}: {section}.{key} = {_short(value)!r} cannot be{why};"
                    f" allowed is {option.allowed}"
                ) from None
    return values


def load(path: Path) -> dict[str, Any]:
    """As `parse`, of a file; raises ConfigRefused when it cannot be read."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigRefused(f"{path}: {error.strerror}. Write one with: perch hub --print-config > {path}") from None
    if len(data) > CONFIG_BYTES_MAX:
        raise ConfigRefused(f"{path}: {len(data)} bytes is no configuration")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigRefused(f"{path}: line {line}: not UTF-8") from None
    return parse(text, str(path))


def _short(value: Any) -> Any:
    return value[:60] if isinstance(value, str) else value if isinstance(value, (int, bool)) else repr(value)[:60]


def _line(text: str, section: str | None, key: str) -> int:
    """The line that sets `section.key` (or opens a section); the section's own line when the key hides."""
    bare = r"[\"']?" + re.escape(key) + r"[\"']?"
    current: str | None = None
    fallback = 1
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[+\s*[\"']?([^\]\"'.]+?)[\"']?\s*[\].]", line)
        if header is not None:
            current = header[1].strip()
            if section is None and current == key:
                return number
            if current == section:
                fallback = number
            continue
        if current == section and re.match(rf"\s*{bare}\s*[=.]", line):
            return number
        if section is not None and current is None and re.match(rf"\s*[\"']?{re.escape(section)}[\"']?\s*[=.]", line):
            fallback = number
    return fallback


def default_text() -> str:
    """The commented default configuration."""
    lines = ["# The configuration of one hub (perch hub --config hub.toml). Every key with its default.", ""]
    section = ""
    for option in OPTIONS:
        if option.section != section:
            if section:
                lines.append("")
            section = option.section
            lines.append(f"[{section}]")
        lines.append(f"# {option.comment}")
        lines.append(f"# Allowed: {option.allowed}.")
        lines.append(f"{option.key} = {_toml(option.default)}")
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(one) for one in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)
