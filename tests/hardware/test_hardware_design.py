"""One source for every pin, wire and part: what is made from it agrees, and every kind of mistake is caught."""

from __future__ import annotations

import copy
import csv
import importlib.util
import io
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "hardware"))

import generate  # noqa: E402
import wiring_checks  # noqa: E402

DESIGN = wiring_checks.load()


def pin(design: dict[str, Any], board: str, signal: str) -> dict[str, Any]:
    return next(one for one in design["board"][board]["pin"] if one["signal"] == signal)


def part(design: dict[str, Any], ref: str) -> dict[str, Any]:
    return next(one for one in wiring_checks.bought(design) if ref in one["refs"])


def connector(design: dict[str, Any], ref: str) -> dict[str, Any]:
    return next(one for one in design["connector"] if one["ref"] == ref)


def cable(design: dict[str, Any], ref: str) -> dict[str, Any]:
    return next(one for one in design["cable"] if one["ref"] == ref)


def test_the_design_holds_together() -> None:
    assert wiring_checks.problems(DESIGN) == []


def test_every_made_file_is_what_would_be_made_now() -> None:
    assert generate.out_of_date(DESIGN) == []


def test_the_command_checks_without_writing() -> None:
    command = [sys.executable, str(ROOT / "hardware" / "generate.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_forgotten_file_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a change of one pin, the constants, the table in the document and nothing else are out of date."""
    changed = copy.deepcopy(DESIGN)
    pin(changed, "bay", "LED_DIN")["pin"] = "GP10"
    assert wiring_checks.problems(changed) == []
    assert generate.out_of_date(changed) == [
        "firmware/ports/pins.py is out of date",
        "docs/hardware.md is out of date",
    ]


@pytest.mark.skipif(not generate.can_draw(), reason="Graphviz is not installed: wiring.yml stands for the drawing")
def test_a_drawing_of_other_wires_is_noticed() -> None:
    changed = copy.deepcopy(DESIGN)
    connector(changed, "S3")["title"] = "dock back: staff key"
    assert "hardware/wiring.svg is out of date" in generate.out_of_date(changed)


@pytest.mark.skipif(not generate.can_draw(), reason="Graphviz is not installed")
def test_the_drawing_shows_every_connector_cable_and_line() -> None:
    words = " ".join(generate.drawn_words((ROOT / "hardware" / "wiring.svg").read_bytes()))
    for one in [*DESIGN["connector"], *DESIGN["cable"]]:
        assert one["ref"] in words and one["title"] in words
    for one in DESIGN["connector"]:
        assert all(net in words for net in one["pins"])


def test_the_constants_are_read_alike_by_both_interpreters() -> None:
    path = ROOT / "firmware" / "ports" / "pins.py"
    spec = importlib.util.spec_from_file_location("pins", path)
    assert spec is not None and spec.loader is not None
    pins = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(pins)
    assert pins.BAY_DATA_OE_N == 2 and pins.DEVICE_DOCK_SENSE == "P1"
    micropython = Path(sys.executable).with_name("micropython")
    if not micropython.exists() and not shutil.which("micropython"):
        pytest.skip("no MicroPython here")
    code = "import firmware.ports.pins as pins; print(pins.BAY_PINS); print(pins.DEVICE_PINS)"
    said = subprocess.run(
        [str(micropython), "-X", "heapsize=256k", "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30
    )
    assert said.stdout == f"{pins.BAY_PINS}\n{pins.DEVICE_PINS}\n", said.stderr


def test_the_bill_of_materials_has_every_part_once_and_no_radio() -> None:
    rows = list(csv.DictReader(io.StringIO((ROOT / "hardware" / "bom.csv").read_text())))
    refs = [ref for row in rows for ref in row["refs"].split()]
    assert sorted(refs) == sorted(ref for one in wiring_checks.bought(DESIGN) for ref in one["refs"])
    assert {row["radio"] for row in rows} == {"no"}
    assert next(row["quantity"] for row in rows if row["refs"] == "K1") == "4"


# --- seeded mistakes: a check that cannot fail is no check ---------------------------------------


def two_signals_on_one_pin(design: dict[str, Any]) -> None:
    pin(design, "bay", "KEY_N")["pin"] = "GP6"


def a_pin_that_is_not_there(design: dict[str, Any]) -> None:
    pin(design, "bay", "LED_DIN")["pin"] = "GP24"


def a_pin_that_cannot_do_it(design: dict[str, Any]) -> None:
    pin(design, "device", "KEYS_SCL")["pin"], pin(design, "device", "LCD_DC")["pin"] = "P8", "P4"


def an_input_that_floats(design: dict[str, Any]) -> None:
    del pin(design, "bay", "TAMPER")["safe"]


def a_dropped_pull_up(design: dict[str, Any]) -> None:
    part(design, "R1")["each"].pop("R1")
    part(design, "R1")["refs"].remove("R1")


def a_pull_to_the_wrong_rail(design: dict[str, Any]) -> None:
    part(design, "R2")["each"]["R2"] = ["VBUS_EN", "3V3"]


def a_pull_on_the_wrong_line(design: dict[str, Any]) -> None:
    part(design, "R1")["each"]["R4"] = ["KEY_N", "3V3"]


def an_enable_without_a_safe_level(design: dict[str, Any]) -> None:
    del pin(design, "bay", "VBUS_EN")["safe"]


def the_seat_left_out_of_the_gate(design: dict[str, Any]) -> None:
    part(design, "U3")["pins"]["B"] = "SEAT"


def a_part_with_a_radio(design: dict[str, Any]) -> None:
    part(design, "A1")["mpn"] = "SC0918"


def a_radio_among_the_alternates(design: dict[str, Any]) -> None:
    part(design, "A2")["alternates"] = ["OpenMV Cam AE3"]


def a_part_that_does_not_say(design: dict[str, Any]) -> None:
    del part(design, "U1")["radio"]


def a_part_without_an_order_number(design: dict[str, Any]) -> None:
    part(design, "U2")["mpn"] = ""


def a_part_without_an_alternate(design: dict[str, Any]) -> None:
    part(design, "U4")["alternates"] = []


def one_name_for_two_parts(design: dict[str, Any]) -> None:
    connector(design, "J4")["ref"] = "J3"


def a_contact_without_a_wire(design: dict[str, Any]) -> None:
    cable(design, "W2")["wires"].pop(4)


def a_contact_with_two_wires(design: dict[str, Any]) -> None:
    cable(design, "W3")["wires"].append(["BK", "J3", 2, "S2", 2])


def crossed_data_lines(design: dict[str, Any]) -> None:
    wires = cable(design, "W2")["wires"]
    wires[1][4], wires[2][4] = 3, 2


def a_wire_to_nowhere(design: dict[str, Any]) -> None:
    cable(design, "W5")["wires"][1][3] = "D9"


def a_colour_that_is_none(design: dict[str, Any]) -> None:
    cable(design, "W4")["wires"][0][0] = "NO"


def pads_in_another_order(design: dict[str, Any]) -> None:
    connector(design, "K2")["pins"].reverse()


def a_line_that_ends_nowhere(design: dict[str, Any]) -> None:
    part(design, "U2")["pins"]["OUT"] = "DEV_5V"


MISTAKES: list[tuple[Callable[[dict[str, Any]], None], str]] = [
    (two_signals_on_one_pin, "pin GP6 is used 2 times"),
    (a_pin_that_is_not_there, "LED_DIN is on GP24"),
    (a_pin_that_cannot_do_it, "KEYS_SCL needs i2c2_scl"),
    (an_input_that_floats, "input TAMPER floats"),
    (a_dropped_pull_up, "DATA_OE_N is safe at 1 but nothing holds it"),
    (a_pull_to_the_wrong_rail, "does not hold VBUS_EN at 0"),
    (a_pull_on_the_wrong_line, "does not hold SEAT_N at 1"),
    (an_enable_without_a_safe_level, "VBUS_EN enables something"),
    (the_seat_left_out_of_the_gate, "SEAT is joined to U3.B and to nothing else"),
    (a_part_with_a_radio, "A1: SC0918 is a part with a radio"),
    (a_radio_among_the_alternates, "OpenMV Cam AE3 is a part with a radio"),
    (a_part_that_does_not_say, "U1: must say radio = false"),
    (a_part_without_an_order_number, "U2: no mpn"),
    (a_part_without_an_alternate, "U4: no alternate"),
    (one_name_for_two_parts, "J3 is the name of 2 parts"),
    (a_contact_without_a_wire, "J2.5 (SEAT_N) has no wire"),
    (a_contact_with_two_wires, "J3.2 (GND) has 2 wires"),
    (crossed_data_lines, "joins DEV_DM at J2.2 to DEV_DP at K1.3"),
    (a_wire_to_nowhere, "D9.2 does not exist"),
    (a_colour_that_is_none, "NO is no colour"),
    (pads_in_another_order, "K1.1 meets K2.1, which is another line"),
    (a_line_that_ends_nowhere, "DEV_5V is joined to U2.OUT and to nothing else"),
]


@pytest.mark.parametrize("mistake, words", MISTAKES, ids=[mistake.__name__ for mistake, _ in MISTAKES])
def test_a_seeded_mistake_is_caught(mistake: Callable[[dict[str, Any]], None], words: str) -> None:
    design = copy.deepcopy(DESIGN)
    mistake(design)
    found = wiring_checks.problems(design)
    assert any(words in problem for problem in found), found


@pytest.mark.parametrize(
    "name",
    ["Raspberry Pi Pico W", "Pico 2 W", "ESP32-S3-WROOM-1", "CM4102032", "nRF52840", "ATWINC1500", "SX1262",
     "Raspberry Pi 5", "OpenMV Cam RT1062", "HC-05 Bluetooth module", "CYW43439", "SIM7600G"],
)  # fmt: skip
def test_known_radios_are_on_the_list(name: str) -> None:
    design = copy.deepcopy(DESIGN)
    part(design, "U4")["mpn"] = name
    assert any("radio" in problem for problem in wiring_checks.no_radio(design))


def test_wireless_less_siblings_are_not_on_the_list() -> None:
    for name in ("SC0915", "Raspberry Pi Pico", "CM4002032", "OpenMV Cam H7 Plus", "FSUSB42MUX"):
        design = copy.deepcopy(DESIGN)
        part(design, "U4")["mpn"] = name
        assert wiring_checks.no_radio(design) == [], name
