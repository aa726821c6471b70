"""The MQTT topics of the design, built and parsed strictly.

A topic names a device; only the bay says which device may use it.
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


def build(wing: str, device: bytes, direction: str, kind: str) -> str:
    """wing/<wing>/device/<16 hex digits>/<up|down>/<kind>"""
    if kind not in _kinds(direction) or len(device) != 8:
        raise Misuse(f"no topic {direction}/{kind}")
    return f"wing/{wing}/device/{device.hex()}/{direction}/{kind}"


def filter_of(wing: str, device: bytes, direction: str) -> str:
    """The subscription that takes all of one device's topics in one direction."""
    _kinds(direction)
    return f"wing/{wing}/device/{device.hex()}/{direction}/+"


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
