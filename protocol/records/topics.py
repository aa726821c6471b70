"""The MQTT topics of the design, built and parsed strictly.

At the broker a topic names its device: wing/<wing>/device/<device>/up/chunk. On a device's own wire the key that
opened the session has said who it is, and the topic is the rest: up/chunk. The bay puts `prefix` in front and
takes it off again, so that no device can name another, and a chunk carries 10 bytes of topic instead of 50.
"""

import binascii

from protocol.errors import Misuse, Refusal
from protocol.limits import TOPIC_BYTES_MAX
from protocol.records.schema import IDENT, Unfit

UP = "up"
DOWN = "down"
UP_KINDS = ("hello", "journal", "envelope", "want", "chunk", "receipt")
DOWN_KINDS = ("hello", "time", "roster", "list", "want", "chunk", "bundle", "receipt")


class TopicRefused(Refusal):
    """A topic is none of the design's."""


def _kinds(direction: str) -> "tuple[str, ...]":
    if direction == UP:
        return UP_KINDS
    if direction == DOWN:
        return DOWN_KINDS
    raise TopicRefused("neither up nor down")


def own(direction: str, kind: str) -> str:
    """<up|down>/<kind>: a device's own topic, as it travels on its wire."""
    if kind not in _kinds(direction):
        raise Misuse(f"no topic {direction}/{kind}")
    return direction + "/" + kind


def own_filter(direction: str) -> str:
    """The subscription that takes all of a device's own topics in one direction, as it travels on its wire."""
    _kinds(direction)
    return direction + "/+"


def parse_own(topic: str) -> "tuple[str, str]":
    """-> ("up" or "down", kind) of a topic on a device's wire; raises TopicRefused for anything else."""
    if len(topic) > TOPIC_BYTES_MAX:
        raise TopicRefused(f"{len(topic)} characters")
    levels = topic.split("/")
    if len(levels) != 2:
        raise TopicRefused("not <direction>/<kind>")
    if levels[1] not in _kinds(levels[0]):
        raise TopicRefused("no such kind going " + levels[0])
    return levels[0], levels[1]


def prefix(wing: str, device: bytes) -> str:
    """wing/<wing>/device/<16 hex digits>/: what the bay puts before a device's own topics."""
    if len(device) != 8:
        raise Misuse("a device's id has 8 bytes")
    return f"wing/{wing}/device/{device.hex()}/"


def build(wing: str, device: bytes, direction: str, kind: str) -> str:
    """wing/<wing>/device/<16 hex digits>/<up|down>/<kind>, as the broker sees it."""
    return prefix(wing, device) + own(direction, kind)


def hub(wing: str, what: str) -> str:
    """wing/<wing>/hub/<what>: retained state and health, JSON."""
    return f"wing/{wing}/hub/{what}"


def parse(topic: str) -> "tuple[str, bytes, str, str]":
    """-> (wing, device id, "up" or "down", kind); raises TopicRefused for anything else."""
    if len(topic) > TOPIC_BYTES_MAX:
        raise TopicRefused(f"{len(topic)} characters")
    levels = topic.split("/")
    if len(levels) != 6 or levels[0] != "wing" or levels[2] != "device":
        raise TopicRefused("not wing/<wing>/device/<device>/<direction>/<kind>")
    wing, digits, direction, kind = levels[1], levels[3], levels[4], levels[5]
    try:
        IDENT.read(wing)
    except Unfit as unfit:
        raise TopicRefused("wing " + unfit.why)
    if kind not in _kinds(direction):
        raise TopicRefused("no such kind going " + direction)
    for digit in digits:
        if digit not in "0123456789abcdef":
            raise TopicRefused("device is not hex")
    if len(digits) != 16:
        raise TopicRefused("device is not 16 hex digits")
    return wing, binascii.unhexlify(digits), direction, kind
