"""broker.py <-> here: which subscriber has asked for a topic, and in which order mosquitto finds that out."""

from __future__ import annotations

from typing import Generic, TypeVar

from sim.box.limits import TOPICS_KNOWN_MAX

Who = TypeVar("Who")


class _Level(Generic[Who]):
    def __init__(self) -> None:
        self.below: dict[str, _Level[Who]] = {}
        self.who: dict[Who, int] = {}


class Subscriptions(Generic[Who]):
    """A tree of filters by their levels. Every order is that of the calls, so that a run repeats itself."""

    def __init__(self) -> None:
        self._root: _Level[Who] = _Level()
        self._known: dict[str, list[tuple[Who, int]]] = {}  # what was found since the last change

    def add(self, pattern: str, who: Who, qos: int) -> None:
        """The same filter again keeps its place and changes its QoS."""
        self._known.clear()
        level = self._root
        for part in pattern.split("/"):
            level = level.below.setdefault(part, _Level())
        level.who[who] = qos

    def remove(self, pattern: str, who: Who) -> None:
        """Nothing happens where `who` has not subscribed to it."""
        self._known.clear()
        way = []
        level = self._root
        for part in pattern.split("/"):
            found = level.below.get(part)
            if found is None:
                return
            way.append((level, part))
            level = found
        level.who.pop(who, None)
        for above, part in reversed(way):
            if above.below[part].who or above.below[part].below:
                return
            del above.below[part]

    def find(self, topic: str) -> list[tuple[Who, int]]:
        """(who, QoS), each once: where filters overlap, the first that mosquitto comes upon counts.

        It looks for the level itself, then for +, then for #, and goes down before it takes what is here.
        """
        known = self._known.get(topic)
        if known is None:
            found: dict[Who, int] = {}
            self._look(self._root, topic.split("/"), 0, found)
            known = list(found.items())
            if len(self._known) < TOPICS_KNOWN_MAX:
                self._known[topic] = known
        return known

    def _look(self, level: _Level[Who], parts: list[str], at: int, found: dict[Who, int]) -> None:
        if at < len(parts):
            for part in (parts[at], "+"):
                below = level.below.get(part)
                if below is not None:
                    self._look(below, parts, at + 1, found)
                    if at + 1 == len(parts):
                        for who, qos in below.who.items():
                            found.setdefault(who, qos)
        rest = level.below.get("#")
        if rest is not None:
            for who, qos in rest.who.items():
                found.setdefault(who, qos)
