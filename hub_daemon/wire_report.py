"""perch wire, the end of a run: the figures and the verdict on standard output, what went wrong on standard error."""

from __future__ import annotations

import json
from typing import Any, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hub_daemon.wire_view import plug_words, round_trip_words


class Reporter:
    """`out` gets JSON, one object a line, with `as_json`, and words without it."""

    def __init__(self, console: Console, out: TextIO, as_json: bool) -> None:
        self._console = console
        self._out = out
        self.as_json = as_json

    def complain(self, words: str) -> None:
        self._console.print(f"perch wire: {words}", style="red", highlight=False, markup=False)

    def fail(self, words: str, result: dict[str, Any]) -> None:
        """A run that did not come to its end; what there is to say of the wire is said all the same."""
        self.complain(words)
        if self.as_json:
            result["trouble"] = words
            print(json.dumps(result), file=self._out, flush=True)
        elif result["bytes_received"] and result.get("sessions"):
            self.tell(result, "so far")

    def tell(self, result: dict[str, Any], headline: str) -> None:
        """The result; numbers for people where it is not JSON."""
        if self.as_json:
            print(json.dumps(result), file=self._out, flush=True)
            return
        lines = [f"{headline}: {speed_words(result)}", *count_lines(result), result["verdict"]]
        lines += [f"  - {advice}" for advice in result["advice"]]
        print("\n".join(lines), file=self._out, flush=True)


def speed_words(result: dict[str, Any]) -> str:
    share = f"{result['goodput_of_line_rate']:.1%}"
    if "goodput_in_of_line_rate" in result:
        share = f"{result['goodput_in_of_line_rate']:.1%} here and {share} there"
    return f"{result['seconds']:.2f} s, {share} of {result['baud']:,} baud"


def count_lines(result: dict[str, Any]) -> list[str]:
    """The counts of both ends, one line each."""
    found = [f"  round trip {round_trip_words(result)}; the plug: {plug_words(result)}"]
    for name, who in (("", "this end"), ("peer_", "the other end")):
        if name + "frames" in result:
            found.append(
                f"  {who} took {result[name + 'frames']:,} frames, {result.get(name + 'repaired', 0):,} repaired, "
                f"{result.get(name + 'damaged', 0):,} damaged; sent {result.get(name + 'resent', 0):,} again"
            )
    return found


def ports_table(ports: list[dict[str, Any]]) -> Table:
    """`perch wire list`."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("port", "what it is", "stable name, by socket", "remark"):
        table.add_column(title, overflow="fold")
    for port in ports:
        remarks = []
        if not port["usable"]:
            remarks.append("no permission: sudo adduser $USER dialout")
        if port["latency_timer_ms"] > 2:
            remarks.append(f"holds bytes back for {port['latency_timer_ms']} ms: setserial {port['port']} low_latency")
        table.add_row(*(Text(words) for words in (port["port"], port["description"] or "-", port["stable"] or "-",
                                                  "; ".join(remarks) or "-")))  # fmt: skip
    return table
