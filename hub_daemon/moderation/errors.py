"""Moderation -> staff page: what can stand in the way of a decision, one class each."""

from __future__ import annotations

from protocol.errors import Refusal


class UnknownItem(Refusal):
    """No item has this id."""


class NotAllowed(Refusal):
    """This person's roles do not allow it; or the item is not theirs to see."""


class NobodyToReach(Refusal):
    """The group has no other member now: there is nothing an approval could do."""


class WordsRefused(Refusal):
    """The words for the learner are missing or too long; the message says what to do."""


class SamePerson(Refusal):
    """The second signature, or the second name under an alert, has to be another person's."""


class Conflict(Refusal):
    """The item is no longer as this person saw it. Nothing was changed; becomes a 409 on the page.

    `state`: the state now. `by`: person of the last act or holder, "" when it was the hub. `action`, `reason`: the
    decision, if there is one. `at_ms`: when. `now_ms`: the hub's clock.
    """

    def __init__(
        self, item: bytes, state: str, by: str, action: str, reason: int, at_ms: int, now_ms: int, words: str
    ) -> None:
        super().__init__(words)
        self.item = item
        self.state = state
        self.by = by
        self.action = action
        self.reason = reason
        self.at_ms = at_ms
        self.now_ms = now_ms
        self.words = words


class Voided(Conflict):
    """Audience or roster changed since the first approval: that approval is dropped, the item is decided anew."""


class ReadersChanged(Conflict):
    """Who would get the item is not who the page had shown. Nothing was decided; the item stays with this person."""


def ago(ms: int) -> str:
    """A duration in the page's words."""
    seconds = max(0, ms // 1000)
    if seconds < 90:
        return f"{seconds} s"
    if seconds < 90 * 60:
        return f"{seconds // 60} min"
    if seconds < 36 * 3600:
        return f"{seconds // 3600} h"
    return f"{seconds // 86400} days"
