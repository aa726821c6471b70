"""The pictures of the bench for docs/: goodput over bit errors, and what cuts cost. The same runs give the same bytes.

Programs differ by marker and dash or by hatch, not by colour alone; the ground is opaque, so that they are as readable
on a dark page. Each picture carries its own data as its description: a test compares it with docs/goodput.json.
"""

import html
import json
import re
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sim.bench_case import LEAST_SHARE, PERCH, PROGRAMS, PULL, RNS, ZMODEM, rate
from sim.bench_results import Row, rows_of

STYLES: dict[str, dict[str, Any]] = {
    PERCH: {"color": "#005a9c", "marker": "o", "linestyle": "-"},
    PULL: {"color": "#00735c", "marker": "s", "linestyle": "--"},
    ZMODEM: {"color": "#b34700", "marker": "^", "linestyle": "-."},
    RNS: {"color": "#7b3f9e", "marker": "D", "linestyle": ":"},
}
HATCHES = {PERCH: "", PULL: "..", ZMODEM: "//", RNS: "xx"}
INK, GROUND = "#1a1a1a", "#ffffff"
SETTINGS: dict[Any, Any] = {
    "svg.hashsalt": "perch", "svg.fonttype": "path", "font.size": 10, "text.color": INK, "axes.labelcolor": INK,
    "xtick.color": INK, "ytick.color": INK, "axes.edgecolor": INK, "axes.grid": True, "grid.color": "#d0d0d0",
    "axes.axisbelow": True, "figure.facecolor": GROUND, "axes.facecolor": GROUND, "hatch.color": GROUND,
}  # fmt: skip
Points = dict[str, dict[str, list[list[Any]]]]


def draw(results: dict[str, Any], folder: Path) -> list[Path]:
    """Both pictures as SVG files; those without any row are left out."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = rows_of(results["runs"])
    made = []
    with matplotlib.rc_context(SETTINGS):
        for name, title, points, paint in (
            ("goodput.svg", "Goodput over a damaged serial wire", goodput_points(rows), paint_goodput),
            ("goodput-cuts.svg", "Goodput over a wire that is cut", cut_points(rows), paint_cuts),
        ):
            if points:
                figure = Figure(figsize=(10, 4.6), layout="constrained")
                paint(figure, points)
                figure.suptitle(title, fontweight="bold")
                about = {"Date": None, "Creator": "make bench", "Title": title, "Description": json.dumps(points)}
                figure.savefig(folder / name, format="svg", metadata=about)
                made.append(folder / name)
    return made


def goodput_points(rows: list[Row]) -> Points:
    """{baud: {program: [[bit error rate, share or None where it did not finish], ...]}}, fastest wire first."""
    points: Points = {}
    own = [row for row in rows if row["kind"] == "errors"]
    for baud in sorted({row["baud"] for row in own}, reverse=True):
        for program in PROGRAMS:
            found = [row for row in own if row["baud"] == baud and row["program"] == program]
            if found:
                line = [[row["ber"], row.get("share")] for row in sorted(found, key=lambda row: float(row["ber"]))]
                points.setdefault(f"{baud:,}", {})[program] = line
    return points


def cut_points(rows: list[Row]) -> Points:
    """{program: {"cuts": [[what was cut, share of what the wire could carry between the cuts, or None]]}}."""
    points: Points = {}
    for row in rows:
        if row["cuts"]:
            what = f"{row['cuts']} {row['kind']}\nof {row['down_s'] * 1000:.0f} ms"
            best_s = row["size"] * 10 / row["baud"] + row["cuts"] * row["down_s"]
            best = round(best_s / row["seconds"], 4) if row["finished"] else None
            points.setdefault(row["program"], {}).setdefault("cuts", []).append([what, best])
    return points


def paint_goodput(figure: Figure, points: Points) -> None:
    panels = figure.subplots(1, len(points), sharey=True, squeeze=False)[0]
    rates = sorted({ber for lines in points.values() for line in lines.values() for ber, _ in line})
    for axes, (baud, lines) in zip(panels, points.items()):
        for place, (program, line) in enumerate(lines.items()):
            done = [(rates.index(ber), share) for ber, share in line if share is not None]
            axes.plot([x for x, _ in done], [y for _, y in done], label=program, markersize=7, **STYLES[program])
            for ber in (ber for ber, share in line if share is None):
                not_finished(axes, rates.index(ber) + 0.16 * (place - 1.5), program)
        limits = [(rates.index(ber), least) for ber, least in LEAST_SHARE.items() if ber in rates]
        axes.plot([x for x, _ in limits], [y for _, y in limits], "_", color=INK, markersize=22, label="limit of Perch")
        axes.set_xticks(range(len(rates)), [rate(ber) for ber in rates])
        axes.set_title(f"{baud} baud")
        axes.set_xlabel("bit error rate (errors per bit)")
        axes.set_ylim(-0.03, 1.03)
    panels[0].set_ylabel("goodput (share of the line rate)")
    words, names = panels[0].get_legend_handles_labels()
    if any(share is None for lines in points.values() for line in lines.values() for _, share in line):
        words.append(panels[0].plot([], [], "o", color=INK, markersize=7, markerfacecolor=GROUND)[0])
        names.append("hollow, at 0: not finished")
    figure.legend(words, names, loc="outside lower center", ncols=len(names), frameon=False)


def not_finished(axes: Axes, x: float, program: str) -> None:
    style = {**STYLES[program], "linestyle": "", "markersize": 7, "markerfacecolor": GROUND}
    axes.plot([x], [0], **style)


def paint_cuts(figure: Figure, points: Points) -> None:
    axes = figure.subplots()
    kinds: list[str] = []
    for own in points.values():
        kinds += [what for what, _ in own["cuts"] if what not in kinds]
    width = 0.8 / len(points)
    for place, (program, own) in enumerate(points.items()):
        for what, share in own["cuts"]:
            x = kinds.index(what) + (place - (len(points) - 1) / 2) * width
            color, hatch = STYLES[program]["color"], HATCHES[program]
            axes.bar(x, share or 0, width * 0.92, color=color, hatch=hatch, label=program)
            word = f"{share:.2f}" if share is not None else "not\nfinished"
            axes.text(x, (share or 0) + 0.015, word, ha="center", va="bottom", fontsize=9)
    axes.set_xticks(range(len(kinds)), kinds)
    axes.set_ylim(0, 1.1)
    axes.grid(visible=False, axis="x")
    axes.set_ylabel("goodput (share of what the wire\ncould carry between the cuts)")
    words, names = axes.get_legend_handles_labels()
    once = dict(zip(names, words))
    figure.legend(list(once.values()), list(once), loc="outside lower center", ncols=len(once), frameon=False)


def data_of(picture: Path) -> Points:
    """The points that a picture says it shows."""
    found = re.search(r"<dc:description>(.*?)</dc:description>", picture.read_text(), re.DOTALL)
    points: Points = json.loads(html.unescape(found.group(1))) if found else {}
    return points
