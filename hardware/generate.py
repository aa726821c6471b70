"""From pins.toml to everything that repeats it: constants, drawing, bill of materials, tables.

    python hardware/generate.py           check the design, then write the files
    python hardware/generate.py --check   check the design and that every file is what would be written

Exit 0: all is well. Exit 1: what is wrong or out of date is printed, one line each.
"""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import wiring_checks

Design = wiring_checks.Design
HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
DOCUMENT = ROOT / "docs" / "hardware.md"
PLAIN = wiring_checks.COLOURS - {wiring_checks.SHIELD}
MADE = "Made by hardware/generate.py from hardware/pins.toml. Do not edit."


# --- firmware/ports/pins.py ----------------------------------------------------------------------


def constants(design: Design) -> str:
    """The pins as constants that CPython and MicroPython read alike."""
    out = [f'"""{MADE}', "", "Pins of the bay board and of the device: where each signal is, and its safe level."]
    out += ['"""', "", "from protocol.compat import const"]
    for board, content in design["board"].items():
        prefix = board.upper()
        out += ["", f"# {content['title']}: {content['mcu']}"]
        for pin in content["pin"]:
            number = re.fullmatch(r"GP(\d+)", pin["pin"])
            value = f"const({number[1]})" if number else f'"{pin["pin"]}"'
            out.append(f"{prefix}_{pin['signal']} = {value}  # {pin['why']}")
        out += ["", "# (signal, pin, direction, safe level or None)", f"{prefix}_PINS = ("]
        for pin in content["pin"]:
            name = f"{prefix}_{pin['signal']}"
            out.append(f'    ("{pin["signal"]}", {name}, "{pin["direction"]}", {pin.get("safe")}),')
        out.append(")")
    return "\n".join(_short(line) for line in out) + "\n"


def _short(line: str, most: int = 110) -> str:
    """A constant with a long reason gets its comment on the line above."""
    code, mark, why = line.partition("  # ")
    return f"# {why}\n{code}" if mark and len(line) > most else line


# --- wiring.yml and wiring.svg -------------------------------------------------------------------


TITLE_COLOURS = {"bay": "#bcd7f5", "device": "#c8e6c0"}  # what sits on a board stands out from what hangs on wires


def wireviz(design: Design) -> str:
    """The harness in WireViz' language. Written out by hand so that its bytes do not depend on a library."""
    out = [f"# {MADE}", "", "metadata:", f"  title: {_quote(design['title'])}", ""]
    out += ["options:", "  fontname: DejaVu Sans", '  bgcolor: "#ffffff"', '  bgcolor_connector: "#f3f6f9"']
    out += ['  bgcolor_cable: "#fbfbf6"', "  color_mode: FULL", "", "connectors:"]
    for one in design["connector"]:
        out += [f"  {one['ref']}:", f"    type: {_quote(one['title'])}"]
        out += [f"    subtype: {_quote(one['what'])}"]
        if one["maker"] not in ("none", "any"):
            out += [f"    manufacturer: {_quote(one['maker'])}", f"    mpn: {_quote(one['mpn'])}"]
        out += [f"    bgcolor_title: {_quote(TITLE_COLOURS.get(one.get('board', ''), '#e9ecef'))}"]
        if "board" in one:
            out += [f"    notes: {_quote('on the board of the ' + one['board'])}"]
        out += [f"    pinlabels: [{', '.join(_quote(net) for net in one['pins'])}]"]
    out += ["", "cables:"]
    for cable in design["cable"]:
        out += [f"  {cable['ref']}:", f"    type: {_quote(cable['title'])}"]
        out += [f"    gauge: {cable['gauge_mm2']} mm2", f"    length: {cable['length_mm'] / 1000:g}"]
        out += [f"    colors: [{', '.join(_quote(wire[0]) for wire in cable['wires'] if wire[0] in PLAIN)}]"]
        if any(wire[0] == wiring_checks.SHIELD for wire in cable["wires"]):
            out += ["    shield: true"]
    out += ["", "connections:"]
    for cable in reversed(design["cable"]):  # Graphviz stacks from the bottom up
        for first, second, numbers in _runs(cable):
            wires = [number for number, _, _ in numbers]
            out += ["  -", f"    - {first}: [{', '.join(str(pin) for _, pin, _ in numbers)}]"]
            out += [f"    - {cable['ref']}: [{', '.join(map(str, wires))}]"]
            out += [f"    - {second}: [{', '.join(str(pin) for _, _, pin in numbers)}]"]
    for mate in design["mate"]:
        count = next(len(one["pins"]) for one in design["connector"] if one["ref"] == mate["b"])
        numbers_text = ", ".join(str(number) for number in range(1, count + 1))
        out += ["  -", f"    - {mate['a']}: [{numbers_text}]", "    - <-->", f"    - {mate['b']}: [{numbers_text}]"]
    return "\n".join(out) + "\n"


def _runs(cable: dict[str, Any]) -> list[tuple[str, str, list[tuple[int | str, int, int]]]]:
    """The wires of a cable by their two ends: (from, to, [(wire number, pin from, pin to)])."""
    runs: dict[tuple[str, str], list[tuple[int | str, int, int]]] = {}
    for number, (colour, first, first_pin, second, second_pin) in enumerate(cable["wires"], 1):
        wire = number if colour in PLAIN else "s"  # WireViz' name of the shield
        runs.setdefault((first, second), []).append((wire, first_pin, second_pin))
    return [(first, second, numbers) for (first, second), numbers in runs.items()]


def _quote(text: str) -> str:
    """A YAML string that no parser takes for something else (NO, 3V3, 5V)."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def can_draw() -> bool:
    """WireViz is of the development environment, Graphviz of the system."""
    return shutil.which("dot") is not None and _wireviz_command() is not None


def _wireviz_command() -> str | None:
    beside = Path(sys.executable).with_name("wireviz")
    return str(beside) if beside.exists() else shutil.which("wireviz")


def draw(text: str) -> dict[str, bytes]:
    """wiring.svg and wiring.png of a WireViz text."""
    command = _wireviz_command()
    assert command is not None
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "wiring.yml"
        source.write_text(text, "utf-8")
        subprocess.run([command, "-f", "sp", str(source)], check=True, capture_output=True, timeout=120)
        made = {name: (Path(folder) / name).read_bytes() for name in ("wiring.svg", "wiring.png")}
    svg = re.sub(r"<!-- Generated by graphviz.*?-->\n", "", made["wiring.svg"].decode(), flags=re.DOTALL)
    made["wiring.svg"] = svg.encode()
    return made


def drawn_words(svg: bytes) -> list[str]:
    """What a drawing says, whatever fonts and layout the machine's Graphviz has: its words, sorted."""
    return sorted(re.findall(r"<text[^>]*>([^<]*)</text>", svg.decode("utf-8")))


# --- bill of materials and tables ----------------------------------------------------------------

BOM_HEAD = ("refs", "quantity", "where", "what", "maker", "part number", "alternates", "radio")


def bom(design: Design) -> list[tuple[str, ...]]:
    """One row for each part number and place."""
    rows: dict[tuple[str, str], list[Any]] = {}
    boards = {name: content["title"] for name, content in design["board"].items()}
    for part in wiring_checks.bought(design):
        where = boards.get(part.get("board", ""), "dock and harness")
        if part.get("board") is None and part["title"].startswith("device"):
            where = "device"
        row = rows.setdefault((where, part["mpn"]), [[], 0, part])
        row[0] += part["refs"]
        row[1] += len(part["refs"]) * part.get("count", 1)
    table = []
    for (where, mpn), (refs, quantity, part) in rows.items():
        what = part["what"].split(":")[0]
        alternates = "; ".join(part["alternates"])
        table.append((" ".join(refs), str(quantity), where, what, part["maker"], mpn, alternates, "no"))
    return sorted(table, key=lambda row: (row[2], row[0]))


def bom_csv(design: Design) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(BOM_HEAD)
    writer.writerows(bom(design))
    return out.getvalue()


def bom_table(design: Design) -> str:
    return table(BOM_HEAD, bom(design))


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def pin_table(design: Design, board: str) -> str:
    rows = []
    for pin in design["board"][board]["pin"]:
        safe = f"{pin['safe']}, held by {pin['pull']}" if "safe" in pin else "none needed"
        rows.append((f"`{pin['signal']}`", pin["pin"], pin["direction"], safe, pin["why"]))
    return table(("signal", "pin", "direction", "safe level", "meaning"), rows)


def wire_table(design: Design) -> str:
    nets = {(one["ref"], n): net for one in design["connector"] for n, net in enumerate(one["pins"], 1)}
    rows = [
        (cable["ref"], colour, f"{one}.{one_pin}", f"{other}.{other_pin}", f"`{nets[(one, one_pin)]}`")
        for cable in design["cable"]
        for colour, one, one_pin, other, other_pin in cable["wires"]
    ]
    return table(("cable", "colour", "from", "to", "line"), rows)


def document(design: Design, text: str) -> str:
    """docs/hardware.md with the tables between its markers made anew."""
    tables = {f"pins-{board}": pin_table(design, board) for board in design["board"]}
    tables |= {"wires": wire_table(design), "bom": bom_table(design)}
    for name, body in tables.items():
        block = re.compile(rf"(<!-- made: {name} -->\n).*?(<!-- end: {name} -->)", re.DOTALL)
        found = block.search(text)
        if found is None:
            raise SystemExit(f"docs/hardware.md has no place for the table {name}")
        text = text[: found.end(1)] + f"\n{body}\n" + text[found.start(2) :]
    return text


# --- the files -----------------------------------------------------------------------------------


def files(design: Design) -> dict[Path, str]:
    """Every text that is made, by its path."""
    return {
        ROOT / "firmware" / "ports" / "pins.py": constants(design),
        HERE / "wiring.yml": wireviz(design),
        HERE / "bom.csv": bom_csv(design),
        HERE / "bom.md": f"<!-- {MADE} -->\n\n# Bill of materials\n\n{bom_table(design)}",
        DOCUMENT: document(design, DOCUMENT.read_text("utf-8")),
    }


def out_of_date(design: Design) -> list[str]:
    """Which committed files are not what would be written now.

    Texts are compared byte for byte. The drawing is compared by its words, because its coordinates come from the
    fonts of the machine that drew it; where Graphviz is missing, only wiring.yml stands for it.
    """
    found = []
    for path, text in files(design).items():
        if not path.exists() or path.read_text("utf-8") != text:
            found.append(f"{path.relative_to(ROOT)} is out of date")
    svg = HERE / "wiring.svg"
    if not svg.exists() or not (HERE / "wiring.png").exists():
        found.append("hardware/wiring.svg or wiring.png is missing")
    elif can_draw() and drawn_words(svg.read_bytes()) != drawn_words(draw(wireviz(design))["wiring.svg"]):
        found.append("hardware/wiring.svg is out of date")
    return found


def main(arguments: list[str]) -> int:
    design = wiring_checks.load()
    wrong = wiring_checks.problems(design)
    if not wrong and arguments == ["--check"]:
        wrong = [f"{one}: run python hardware/generate.py" for one in out_of_date(design)]
    elif not wrong and not arguments:
        for path, text in files(design).items():
            path.write_text(text, "utf-8")
        if not can_draw():
            wrong = ["the drawing was not made: it needs wireviz and Graphviz (apt install graphviz)"]
        else:
            for name, data in draw(wireviz(design)).items():
                (HERE / name).write_bytes(data)
    elif arguments not in ([], ["--check"]):
        wrong = [str(__doc__)]
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
