"""The keys, faults, attacks and verbs -> here -> docs/scenarios.md: the reference, written from the same tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sim.box.catalogue import ATTACKS, CATALOGUE, FAMILIES, VERBS, ArgSpec
from sim.box.scenario_keys import COMPARISON, KEYS, MEASURES, NEEDED, RATE, SECTIONS, SEEDS, SWARM, Key

START = "<!-- From here on this page is printed by `python -m sim.box.scenario`; a test keeps the two equal. -->\n"
FAULTS_SAY = (
    "What a fault is done to, and the promise that must survive it. A fault marked *beyond* may break more than the"
    ' wing promises, and needs `promise = "beyond"`.'
)


def reference() -> str:
    """Every key, fault, attack and verb as Markdown tables."""
    return START + "\n".join([*_keys(), *_free(), *_verbs(), *_faults(), *_attacks()]).rstrip("\n") + "\n"


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return ["", *("| " + " | ".join(one.replace("|", "\\|") for one in line) + " |" for line in lines), ""]


def _default(key: Key) -> str:
    if key.default is NEEDED:
        return "must be given"
    if key.default is None:
        return "left out"
    if isinstance(key.default, bool):
        return f"`{str(key.default).lower()}`"
    return "`" + repr(key.default).replace("'", '"') + "`"


def _row(key: Key) -> tuple[str, ...]:
    return f"`{key.name}`", key.kind.allowed, _default(key), key.says


def _keys() -> list[str]:
    lines = ["", "## Keys", ""]
    for section in SECTIONS:
        lines.append(f"### [{section}]")
        rows = (_row(key) for key in KEYS.values() if key.section == section)
        lines += _table(("key", "allowed", "default", "what it is"), rows)
    return lines


def _free() -> list[str]:
    return [
        "### [faults]",
        *_table(
            ("key", "allowed", "default", "what it is"),
            (_row(SWARM), ("`\"wire.yank\"` …", RATE.allowed, "left out", "How often this fault comes; 0 is never.")),
        ),
        "### [expect]",
        "",
        f"Each figure takes {COMPARISON.allowed}.",
        *_table(("figure", "what it is"), ((f"`{name}`", says) for name, says in MEASURES.items())),
        "### [sweep]",
        *_table(
            ("key", "allowed", "default", "what it is"),
            (_row(SEEDS), ('`"wing.docks"` …', "a list of what that key may be", "left out", "A variant for each.")),
        ),
        "### [[event]]",
        *_table(
            ("key", "allowed", "what it is"),
            (
                ("`at`", 'a time such as "day 3 12:10"', "When it happens."),
                ("`do`", "a verb, a fault or an attack of the tables below", "What happens."),
                ("`who`", "the name of somebody or something", "Who does it, or what it is done to."),
                ("`args`", "a table such as { ms = 100 }", "Its arguments. A number of ms, s or days may be said as a"
                 ' duration ("90 days"). What a fault or an attack is not given is drawn.'),
            ),
        ),
    ]  # fmt: skip


def _args(specs: Mapping[str, ArgSpec]) -> str:
    return "; ".join(
        f"`{name}`{'' if spec.needed else ' (may be left out)'}: {spec.allowed()}" for name, spec in specs.items()
    )


def _verbs() -> list[str]:
    rows = ((f"`{one.name}`", one.who, one.says, _args(one.args)) for one in VERBS.values())
    return ["## Verbs", *_table(("do", "who", "what it is", "args"), rows)]


def _faults() -> list[str]:
    lines = ["## Faults", "", FAULTS_SAY, ""]
    for family in FAMILIES:
        rows = (
            (f"`{one.name}`", one.target, ("*Beyond.* " if one.beyond else "") + one.promise, _args(one.args))
            for one in CATALOGUE.values()
            if one.family == family
        )
        lines += [f"### {family}", *_table(("fault", "target", "promise", "args"), rows)]
    return lines


def _attacks() -> list[str]:
    rows = (
        (f"`{one.name}`", one.by, "yes" if one.enrolled else "no", one.promise, _args(one.args))
        for one in ATTACKS.values()
    )
    return ["## Attacks", *_table(("attack", "by", "enrolled", "promise", "args"), rows)]
