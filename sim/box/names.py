"""Here -> scenario, planning: how the actors of a wing are called, by number from 0."""

from __future__ import annotations


def learner(number: int) -> str:
    return f"l{number:03d}"


def group(number: int) -> str:
    return f"g{number:02d}"


def bay(number: int) -> str:
    return f"bay{number}"


def moderator(number: int) -> str:
    return f"m{number}"


def administrator(number: int) -> str:
    return f"a{number}"


def attacker(number: int) -> str:
    return f"x{number:02d}"
