"""Judges -> here -> marks: which promises were looked at in a run, seen from outside.

A function of a judge that can name an invariant has it as a text in its source; whenever such a function is called,
the invariants that it can name have been checked. For the time of a run each of them is wrapped in one that counts.
"""

from __future__ import annotations

import ast
import functools
import inspect
from collections import Counter
from collections.abc import Callable
from types import ModuleType
from typing import Any

from sim.box import liveness, oracle, safety_device, safety_hub, safety_screens, safety_secrets, world
from sim.box.invariants import BY_ID

JUDGES: tuple[ModuleType, ...] = (
    oracle, safety_hub, safety_device, safety_screens, safety_secrets, liveness, world,
)  # fmt: skip

Site = tuple[Any, str, tuple[str, ...]]  # a class, a method of it, what it can name


@functools.cache
def sites() -> tuple[Site, ...]:
    """Every method of a judge that can name an invariant."""
    found: list[Site] = []
    for module in JUDGES:
        for node in ast.parse(inspect.getsource(module)).body:
            if isinstance(node, ast.ClassDef):
                for method in node.body:
                    if isinstance(method, ast.FunctionDef) and (named := _named(method)):
                        found.append((getattr(module, node.name), method.name, named))
    return tuple(found)


def _named(method: ast.FunctionDef) -> tuple[str, ...]:
    texts = [one.value for one in ast.walk(method) if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    return tuple(dict.fromkeys(text for text in texts if text in BY_ID))


class Counting:
    """Between `begin` and `end`, `found` counts "checked.S1" and so on."""

    def __init__(self, found: Counter[str]) -> None:
        self._found = found
        self._before: list[tuple[Any, str, Any]] = []

    def begin(self) -> None:
        for owner, name, named in sites():
            before = vars(owner)[name]
            if not isinstance(before, staticmethod | classmethod | property):
                self._before.append((owner, name, before))
                setattr(owner, name, self._counting(before, [f"checked.{one}" for one in named]))

    def end(self) -> None:
        while self._before:
            owner, name, before = self._before.pop()
            setattr(owner, name, before)

    def _counting(self, judge: Callable[..., Any], named: list[str]) -> Callable[..., Any]:
        found = self._found

        @functools.wraps(judge)
        def counting(*args: Any, **more: Any) -> Any:
            for name in named:
                found[name] += 1
            return judge(*args, **more)

        return counting
