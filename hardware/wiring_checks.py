"""From pins.toml to a list of what is wrong with it: every check that a person would otherwise do by eye.

Each check takes the design (the parsed TOML) and gives problems in words that name the pin, part or wire.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

Design = dict[str, Any]
HERE = Path(__file__).parent

# Parts with a radio, or of families that have members with one: the plain member must be told apart by its number.
RADIOS = (
    r"pico ?2? ?w\b", r"\bSC0918\b", r"\bSC0919\b", r"esp32", r"esp8266", r"cyw43", r"\bnrf5", r"winc1[05]",
    r"wi-?fi", r"blue ?tooth", r"\bble\b", r"zigbee", r"\blora", r"\bsx12", r"\brfm\d", r"\bcc2[3456]\d\d",
    r"rtl87", r"raspberry pi (zero 2? ?w|3|4|5)\b", r"^CM[45]1\d{5}", r"openmv.*(n6|ae3|rt1062|pure thermal)",
    r"\bnfc\b", r"\brfid\b", r"\bgsm\b", r"\blte\b", r"sim7\d\d\d",
)  # fmt: skip
# Lines that only set a voltage: a chip and its resistors are all there is on them.
SETTING_NETS = ("ILIM", "DOCK_SENSE")
# Inputs of parts that join a device to power or data: what drives them must rest at a safe level.
ENABLES = ("/OE", "EN", "A", "B")
RAILS = {0: ("GND",), 1: ("3V3",)}
SHIELD = "shield"
COLOURS = {"RD", "WH", "GN", "BK", "YE", "BU", "VT", "OG", "GY", "BN", "PK", "TQ", SHIELD}


def load(folder: Path = HERE) -> Design:
    """pins.toml with the MCU table of mcu.toml under "capabilities"."""
    design: Design = tomllib.loads((folder / "pins.toml").read_text("utf-8"))
    design["capabilities"] = tomllib.loads((folder / "mcu.toml").read_text("utf-8"))
    return design


def problems(design: Design) -> list[str]:
    """Everything that is wrong, in a fixed order. Empty: the design holds together."""
    checks = (pins_are_possible, safe_levels_are_held, parts_are_named, no_radio, nets_have_two_ends, wires_join)
    return [problem for check in checks for problem in check(design)]


def pins_are_possible(design: Design) -> list[str]:
    """Each MCU pin exists, is used once and can do what is asked of it."""
    found = []
    for board, content in design["board"].items():
        able = design["capabilities"].get(content["mcu"], {})
        if not able:
            found.append(f"{board}: no table of what the pins of {content['mcu']} can do")
        for kind in ("pin", "signal"):
            for name, times in Counter(pin[kind] for pin in content["pin"]).items():
                if times > 1:
                    found.append(f"{board}: {kind} {name} is used {times} times")
        for pin in content["pin"]:
            if pin["pin"] not in able:
                found.append(f"{board}: {pin['signal']} is on {pin['pin']}, which {content['mcu']} does not have")
            for need in pin["needs"]:
                if pin["pin"] in able and need not in able[pin["pin"]]:
                    found.append(f"{board}: {pin['signal']} needs {need}, which {pin['pin']} cannot do")
            if pin["direction"] not in ("in", "out", "both"):
                found.append(f"{board}: {pin['signal']} has the direction {pin['direction']}")
            if pin["direction"] == "in" and "safe" not in pin:
                found.append(f"{board}: input {pin['signal']} floats: it has no safe level")
    return found


def pulls(design: Design) -> dict[str, tuple[str, list[str]]]:
    """Every two-ended part: reference -> (board, its two nets)."""
    return {
        ref: (part["board"], nets)
        for part in design["part"]
        for ref, nets in part.get("each", {}).items()
    }


def safe_levels_are_held(design: Design) -> list[str]:
    """Where a level is called safe, a resistor holds it while the MCU is in reset, unplugged or broken."""
    found = []
    ends = pulls(design)
    enables = {
        (part["board"], net)
        for part in design["part"]
        for function, net in part.get("pins", {}).items()
        if function in ENABLES
    }
    for board, content in design["board"].items():
        for pin in content["pin"]:
            if "safe" not in pin:
                if (board, pin["net"]) in enables:
                    found.append(f"{board}: {pin['signal']} enables something and has no safe level")
                continue
            where, nets = ends.get(pin.get("pull", ""), ("", []))
            wanted = RAILS[pin["safe"]]
            if not nets:
                found.append(f"{board}: {pin['signal']} is safe at {pin['safe']} but nothing holds it there")
            elif where != board or pin["net"] not in nets or not any(rail in nets for rail in wanted):
                found.append(
                    f"{board}: {pin['pull']} joins {' and '.join(nets)}; it does not hold {pin['net']} at {pin['safe']}"
                )
    return found


def bought(design: Design) -> list[dict[str, Any]]:
    """Everything in the bill of materials: parts and connectors alike."""
    return [*design["part"], *({**one, "refs": [one["ref"]]} for one in design["connector"])]


def parts_are_named(design: Design) -> list[str]:
    """Each part has a maker, an order number and an alternate; each reference is used once."""
    found = []
    for part in bought(design):
        refs = ", ".join(part["refs"])
        for field in ("what", "maker", "mpn"):
            if not part.get(field):
                found.append(f"{refs}: no {field}")
        if not part.get("alternates"):
            found.append(f"{refs}: no alternate: one vendor's shortage would stop the wing")
    for ref, times in Counter(ref for part in bought(design) for ref in part["refs"]).items():
        if times > 1:
            found.append(f"{ref} is the name of {times} parts")
    for part in design["part"]:
        if "each" in part and sorted(part["each"]) != sorted(part["refs"]):
            found.append(f"{', '.join(part['refs'])}: not every one of them is joined to something")
    for board, content in design["board"].items():
        if content["part"] not in {ref for part in design["part"] for ref in part["refs"]}:
            found.append(f"{board}: its controller {content['part']} is not among the parts")
    return found


def no_radio(design: Design) -> list[str]:
    """Nothing that can be bought under this bill of materials transmits, alternates included."""
    found = []
    for part in bought(design):
        if part.get("radio") is not False:
            found.append(f"{', '.join(part['refs'])}: must say radio = false")
        for name in (part["what"], part["mpn"], *part.get("alternates", ())):
            for radio in RADIOS:
                if re.search(radio, name, re.IGNORECASE):
                    found.append(f"{', '.join(part['refs'])}: {name} is a part with a radio")
    return found


def ends_of_nets(design: Design) -> dict[tuple[str, str], list[str]]:
    """(board, net) -> everything that is joined to it on that board."""
    ends: dict[tuple[str, str], list[str]] = {}
    for board, content in design["board"].items():
        for pin in content["pin"]:
            ends.setdefault((board, pin["net"]), []).append(f"{content['part']}.{pin['pin']}")
    for part in design["part"]:
        for function, net in part.get("pins", {}).items():
            if net != "NC":
                ends.setdefault((part["board"], net), []).append(f"{part['refs'][0]}.{function}")
        for ref, nets in part.get("each", {}).items():
            for net in nets:
                ends.setdefault((part["board"], net), []).append(ref)
    for connector in design["connector"]:
        for number, net in enumerate(connector["pins"], 1):
            if "board" in connector:
                ends.setdefault((connector["board"], net), []).append(f"{connector['ref']}.{number}")
    return ends


def nets_have_two_ends(design: Design) -> list[str]:
    """No line of a board leads from one place to nowhere: it reaches a chip or a connector besides its pull."""
    found = []
    resistors = set(pulls(design))
    for (board, net), ends in sorted(ends_of_nets(design).items()):
        if len(ends) < 2:
            found.append(f"{board}: {net} is joined to {ends[0]} and to nothing else")
        elif len([end for end in ends if end not in resistors]) < 2 and net not in SETTING_NETS:
            found.append(f"{board}: {net} has {', '.join(ends)} and no second device")
    for part in design["part"]:
        for ref, nets in part.get("each", {}).items():
            if len(nets) != 2 or nets[0] == nets[1]:
                found.append(f"{ref} does not join two nets")
    return found


def wires_join(design: Design) -> list[str]:
    """Each connector pin has exactly one wire or mate, both ends exist, and both ends mean the same line."""
    found = []
    pins = {
        (one["ref"], number): net for one in design["connector"] for number, net in enumerate(one["pins"], 1)
    }
    used: Counter[tuple[str, int]] = Counter()
    for cable in design["cable"]:
        for colour, one, one_pin, other, other_pin in cable["wires"]:
            if colour not in COLOURS:
                found.append(f"{cable['ref']}: {colour} is no colour of IEC 60757")
            found += _join(f"{cable['ref']} {colour}", pins, used, (one, one_pin), (other, other_pin))
    for mate in design["mate"]:
        # the contacts in the cradle hang on wires of their own; the pads they meet have nothing else
        for ref, number in pins:
            if ref == mate["b"]:
                used[(ref, number)] += 1
                if pins.get((mate["a"], number)) != pins[(ref, number)]:
                    found.append(f"{mate['a']}.{number} meets {ref}.{number}, which is another line")
    for (ref, number), net in pins.items():
        if used[(ref, number)] == 0:
            found.append(f"{ref}.{number} ({net}) has no wire")
        elif used[(ref, number)] > 1:
            found.append(f"{ref}.{number} ({net}) has {used[(ref, number)]} wires")
    return found


def _join(
    name: str,
    pins: dict[tuple[str, int], str],
    used: Counter[tuple[str, int]],
    one: tuple[str, int],
    other: tuple[str, int],
) -> list[str]:
    found = []
    for end in (one, other):
        if end not in pins:
            found.append(f"{name}: {end[0]}.{end[1]} does not exist")
        used[end] += 1
    if one in pins and other in pins and pins[one] != pins[other]:
        found.append(f"{name}: joins {pins[one]} at {one[0]}.{one[1]} to {pins[other]} at {other[0]}.{other[1]}")
    return found
