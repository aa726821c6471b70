"""The queue's core: between the media worker and the delivery lists stands a person, and this is what they act by."""

from hub_daemon.moderation.errors import (
    Conflict,
    NobodyToReach,
    NotAllowed,
    ReadersChanged,
    SamePerson,
    UnknownItem,
    Voided,
    WordsRefused,
)
from hub_daemon.moderation.queue import Message, Moderation, View

__all__ = [
    "Conflict", "Message", "Moderation", "NobodyToReach", "NotAllowed", "ReadersChanged", "SamePerson", "UnknownItem",
    "View", "Voided", "WordsRefused",
]
