"""Report and sweep -> here -> HTML: the parts of a page that stands alone, without script and without network.

The pages are XML as well, so that a strict parser reads them. What is no markup of ours goes through `plain`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from sim.box.report_svg import COLOURS, MARKS, Picture, plain

STYLE = (Path(__file__).parent / "report.css").read_text(encoding="utf-8")


def page(title: str, header: str, main: str, footer: str) -> str:
    """A whole page; header, main and footer are markup."""
    return (
        '<!DOCTYPE html>\n<html lang="en" xmlns="http://www.w3.org/1999/xhtml"><head><meta charset="utf-8"/>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"/><title>{plain(title)}</title>'
        f"<style>{COLOURS}{STYLE}{MARKS}</style></head>\n<body><header>{header}</header>\n<main>{main}</main>\n"
        f"<footer>{footer}</footer></body></html>\n"
    )


def table(head: Sequence[str], rows: Iterable[Sequence[object]], caption: str = "", words: Sequence[int] = ()) -> str:
    """A table; `words` are the columns of running text. The first column names its row."""
    says = f"<caption>{plain(caption)}</caption>" if caption else ""
    heads = "".join(f'<th scope="col">{plain(one)}</th>' for one in head)
    body = []
    for row in rows:
        cells = [f'<th scope="row">{plain(row[0])}</th>']
        cells += [
            f'<td class="words">{plain(one)}</td>' if place in words else f"<td>{plain(one)}</td>"
            for place, one in enumerate(row) if place
        ]  # fmt: skip
        body.append("<tr>" + "".join(cells) + "</tr>")
    return f"<table>{says}<thead><tr>{heads}</tr></thead><tbody>{''.join(body)}</tbody></table>"


def figure(title: str, says: str, picture: Picture, tables: str = "", key: str = "", wide: bool = False) -> str:
    """A picture with its title, how to read it, what its colours mean, and its figures behind it as tables."""
    scroll = f'<div class="scroll{" wide" if wide else ""}" tabindex="0" role="region" aria-label="{plain(title)}">'
    behind = f'<details><summary>The figures as a table</summary><div class="scroll">{tables}</div></details>'
    return (
        f"<figure><h2>{plain(title)}</h2><p>{plain(says)}</p>{scroll}{picture.svg()}</div>{key}"
        f"{behind if tables else ''}</figure>"
    )


def key(*marks: tuple[str, str]) -> str:
    """What the colours mean: (class of a mark, words)."""
    return '<ul class="key">' + "".join(
        '<li><svg viewBox="0 0 14 14" aria-hidden="true"><rect x="1" y="1" width="12" height="12"'
        f' class="{kind}"/></svg>{plain(words)}</li>' for kind, words in marks
    ) + "</ul>"  # fmt: skip


def cards(figures: Iterable[tuple[str, str, bool]]) -> str:
    """Large figures: (figure, its name, whether an expectation of it was missed)."""
    return '<ul class="cards">' + "".join(
        f'<li class="{"missed" if missed else "met"}"><span class="figure">{plain(value)}</span>'
        f'<span class="name">{plain(name)}</span></li>' for value, name, missed in figures
    ) + "</ul>"  # fmt: skip
