"""What `make bench ARGS="--record"` writes into docs/: the runs, the tables made from them, and the pictures.

docs/goodput.json is the source; the tables in docs/figures.md stand between two marker comments and are never edited
by hand. A test makes them again and compares.
"""

from pathlib import Path
from typing import Any

from sim.bench_case import LEAST_SHARE, MEMORY, PEER_WAIT_S, PERCH, PROGRAMS, rate
from sim.bench_results import Row, rows_of, save

DOCS = Path(__file__).resolve().parent.parent / "docs"
BEGIN = "<!-- made by `make bench ARGS=--record` from goodput.json: do not edit -->"
END = "<!-- end of what was made -->"
GOODPUT_PICTURE = """![Three panels, one for each baud rate: goodput as a share of the line rate over the bit error \
rate, a line for each program and a mark for each limit of Perch. The table below has the same \
figures.](pictures/goodput.svg)
"""
CUTS_PICTURE = """![Bars for each kind of cut: goodput of each program as a share of what the wire could carry between \
the cuts, or the words "not finished". The table below has what it is made \
from.](pictures/goodput-cuts.svg)
"""
ABOUT_CUTS = """The cuts are exact to the byte and evenly over the file. In a hang-up a tty vanishes and comes back; \
in a lift both ttys stay and what is sent is lost. ZMODEM was started again at once, with its option to resume, \
whenever one of its programs ended. A hundred hang-ups were asked of Perch alone. Short \
ones of the receiver cost more bytes than long ones: the sender has not noticed, and what the new tty gives first is \
the end of a frame whose beginning nobody has.
"""
KINDS = {"hang-ups": "hang-ups, alternating sides", "lifts": "lifts, both directions dead"}


def record(results: dict[str, Any], docs: Path = DOCS) -> list[Path]:
    """Write runs, pictures and tables; gives the files."""
    from sim import bench_picture  # Matplotlib is needed for this alone

    save(docs / "goodput.json", results)
    figures = docs / "figures.md"
    figures.write_text(with_tables(figures.read_text(), tables(results)))
    return [docs / "goodput.json", figures, *bench_picture.draw(results, docs / "pictures")]


def with_tables(text: str, made: str) -> str:
    """The page with these tables between its markers. Raises ValueError where it has none."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("figures.md has lost the marker comments of the goodput tables")
    return f"{before}{BEGIN}\n\n{made}\n{END}{after}"


def tables(results: dict[str, Any]) -> str:
    """Markdown of every table, from the kept runs alone."""
    rows = rows_of(results["runs"])
    parts = [GOODPUT_PICTURE, goodput(rows), CUTS_PICTURE, cuts(rows), unthrottled(rows), made_with(results["about"])]
    return "\n".join(part for part in parts if part)


def goodput(rows: list[Row]) -> str:
    own = [row for row in rows if row["kind"] == "errors"]
    if not own:
        return ""
    programs = [name for name in PROGRAMS if any(row["program"] == name for row in own)]
    lines = [
        "| baud | bit error rate | limit | " + " | ".join(programs) + " |",
        "|---|---|---|" + "---|" * len(programs),
    ]
    for baud in sorted({row["baud"] for row in own}, reverse=True):
        for ber in sorted({row["ber"] for row in own if row["baud"] == baud}):
            cells = []
            for program in programs:
                found = [row for row in own if (row["baud"], row["ber"], row["program"]) == (baud, ber, program)]
                cells.append(share_cell(found[0]) if found else "-")
            limit = f"{LEAST_SHARE[ber]:g}" if ber in LEAST_SHARE else "-"
            lines.append(f"| {baud:,} | {rate(ber)} | {limit} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n\n" + sizes(own)


def share_cell(row: Row) -> str:
    if not row["finished"]:
        return f"not finished (0 of {row['runs']})"
    some = "" if row["finished"] == row["runs"] else f"; {row['finished']} of {row['runs']}"
    if row["finished"] == 1:
        return f"{row['share']:.3f}{some}"
    return f"{row['share']:.3f} ({row['least']:.3f} to {row['most']:.3f}{some})"


def sizes(rows: list[Row]) -> str:
    found: dict[tuple[int, int], set[str]] = {}
    for row in rows:
        found.setdefault((row["baud"], row["size"]), set()).add(row["program"])
    words = [
        f"{size >> 10} KiB at {baud:,} for {' and '.join(name for name in PROGRAMS if name in names)}"
        for (baud, size), names in sorted(found.items(), reverse=True)
    ]
    waits = ", ".join(f"{seconds:.0f} s at {baud:,}" for baud, seconds in PEER_WAIT_S.items())
    return (
        "The median of the runs that finished, and the least and the most of them; each run has another seed. "
        "The limit is Perch's; with MQTT and blobs it is 0.01 less, and on a clean wire 0.01 less than Perch's own "
        f"share. Sent: {'; '.join(words)}. "
        f"A peer that has not finished after {waits} was stopped; two such runs end its trials.\n"
    )


def cuts(rows: list[Row]) -> str:
    own = [row for row in rows if row["cuts"]]
    if not own:
        return ""
    lines = [
        "| cuts | program | finished | seconds | ms a cut beyond its own time | bytes, clean run = 1 | limit |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in own:
        cells = [
            f"{row['cuts']} {KINDS[row['kind']]}, {row['down_s'] * 1000:.0f} ms", row["program"],
            f"{row['finished']} of {row['runs']}", cell(row, "seconds", ".2f"), cell(row, "ms a cut", ".0f"),
            cell(row, "bytes ratio", ".3f"), row.get("limit") or "-",
        ]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n\n" + ABOUT_CUTS


def unthrottled(rows: list[Row]) -> str:
    own = [row for row in rows if row["kind"] == "unthrottled"]
    if not own:
        return ""
    lines = ["| no throttle | MB/s | runs | limit |", "|---|---|---|---|"]
    for row in own:
        name = PERCH + ", both ends in one process, no wire" if row["program"] == MEMORY else row["program"]
        limit = f"{row['limit']:g}" if row.get("limit") else "-"
        lines.append(f"| {name} | {cell(row, 'MB/s', '.1f')} | {row['finished']} of {row['runs']} | {limit} |")
    return "\n".join(lines) + "\n"


def cell(row: Row, name: str, form: str) -> str:
    return format(row[name], form) if name in row else "-"


def made_with(about: dict[str, str]) -> str:
    versions = ", ".join(f"{name} {value}" for name, value in about.items())
    return f"Every run is in [goodput.json](goodput.json). Measured with {versions}.\n"
