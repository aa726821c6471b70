"""Hub -> here -> views: the running hub, handed to Django once at start.

`hub` needs the attributes `.store .blobs .moderation .enrolment .people .bays() .health()`; `.undo_s` (seconds
a decision can be taken back before it is signed) and `.wing` are used where it has them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from protocol.errors import Misuse

_hub: Any = None


def set(hub: Any) -> None:
    """Hand the hub in; before the first request."""
    global _hub
    _hub = hub


def get() -> Any:
    """The hub; Misuse when nobody handed one in."""
    if _hub is None:
        raise Misuse("hub_daemon.staff.context.set(hub) was not called")
    return _hub


def data() -> Path:
    """The data directory: the hub's, else where its database is."""
    hub = get()
    given = getattr(hub, "data", None)
    return Path(given) if isinstance(given, (str, Path)) else Path(hub.store.path).parent


def wing_name() -> str:
    """The wing's name: the hub's `wing` is its name, or an object that has it."""
    given = getattr(get(), "wing", "")
    return given if isinstance(given, str) else str(getattr(given, "wing", ""))
