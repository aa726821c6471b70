"""Templates -> here: what the pages show of times, sizes, digests and of text that somebody else wrote."""

from __future__ import annotations

import datetime
import unicodedata
from zoneinfo import ZoneInfo

from django import template
from django.conf import settings
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe

from hub_daemon.moderation import reasons
from hub_daemon.moderation.errors import ago as ago_words
from hub_daemon.staff import context

register = template.Library()

STATES = {
    "ingested": ("Being prepared", "grey"),
    "refused": ("Refused by the worker", "grey"),
    "pending": ("Waiting", "yellow"),
    "claimed": ("Being read", "blue"),
    "awaiting_second": ("Waiting for a second person", "purple"),
    "escalated": ("Held: person in danger", "red"),
    "approved": ("Approved", "green"),
    "delivered": ("Delivered", "green"),
    "returned": ("Returned", "orange"),
    "rejected": ("Rejected", "red"),
    "recalled": ("Recalled", "orange"),
}


def hidden(char: str) -> bool:
    """A character that nobody could see, or that turns the line around."""
    if char in "\n ":
        return False
    return unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs") or char in "\u2800\u3164"


@register.filter
def visible(value: object) -> SafeString:
    """Escaped text in which what cannot be seen stands as its code point in a box."""
    parts: list[str] = []
    for char in str(value):
        if hidden(char):
            name = unicodedata.name(char, "unnamed character").lower()
            parts.append(
                format_html('<span class="perch-hidden" title="{}">U+{}</span>', name, f"{ord(char):04X}")
            )
        else:
            parts.append(conditional_escape(char))
    return mark_safe("".join(parts))  # every part is escaped above


@register.filter
def when(ms: int | None) -> str:
    """A time in the prison's zone."""
    if not ms:
        return ""
    at = datetime.datetime.fromtimestamp(ms / 1000, ZoneInfo(settings.TIME_ZONE))
    return at.strftime("%-d %b %Y, %H:%M:%S")


@register.filter
def ago(ms: int | None) -> str:
    if not ms:
        return ""
    return ago_words(context.get().moderation.clock() - int(ms))


@register.filter
def duration(ms: int | None) -> str:
    return "" if ms is None else ago_words(int(ms))


@register.filter
def hexed(value: bytes | None) -> str:
    return "" if value is None else bytes(value).hex()


@register.filter
def short(value: bytes | None) -> str:
    return "" if value is None else bytes(value).hex()[:12]


@register.filter
def state_tag(state: str) -> SafeString:
    words, colour = STATES.get(state, (state, "grey"))
    return format_html('<strong class="govuk-tag govuk-tag--{}">{}</strong>', colour, words)


@register.filter
def ground(code: int) -> str:
    entry = reasons.known(code)
    return f"{code}: {entry.staff}" if entry else ("" if code == 0 else str(code))


@register.filter
def learner_name(learner: str) -> str:
    found = context.get().moderation.roster().learner(learner)
    return found.name if found else learner


@register.filter
def group_name(group: str | None) -> str:
    found = context.get().moderation.roster().group(group) if group else None
    return found.name if found else (group or "nobody")


@register.filter
def person_name(person: str) -> str:
    for member in context.get().moderation.roster().staff:
        if member.person == person:
            return str(member.name)
    return person


@register.filter
def kind_word(kind: str) -> str:
    return "Video message" if kind == "video" else "Post"


@register.filter
def size(length: int) -> str:
    return f"{length} bytes" if length < 1000 else f"{length / 1000:.0f} kB"
