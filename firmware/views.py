"""From the inbox and the outbox to the page: threads, messages, what waits and what came back, as plain dicts.

Own writing is shown from the own copy, never from a bundle as well, so nothing is there twice.
"""

from firmware import outbox
from firmware.inbox import text_of
from protocol.compat import TYPE_CHECKING
from protocol.errors import Refusal
from protocol.records.statement import APPROVE, REJECT, RETURN

if TYPE_CHECKING:
    from typing import Any

    from firmware.device import Device
    from firmware.inbox import Held
    from firmware.outbox import Own


def groups(device: "Device") -> "list[tuple[str, str]]":
    certificate, roster = device.identity.certificate, device.identity.roster
    if certificate is None or roster is None:
        return []
    return [(group.id, group.name) for group in roster.groups if certificate.learner in group.members]


def author_name(device: "Device", learner: str) -> str:
    roster = device.identity.roster
    found = None if roster is None else roster.learner(learner)
    return learner if found is None else str(found.name)


def _me(device: "Device") -> str:
    certificate = device.identity.certificate
    return "" if certificate is None else str(certificate.learner)


def _visible(device: "Device") -> "list[Held]":
    """Approved items of other people that may be shown now."""
    own = device.outbox.own
    return [held for held in device.inbox.shown() if held.action == APPROVE and held.item not in own]


def threads(device: "Device", group: str) -> "list[dict[str, Any]]":
    found: "dict[bytes, dict[str, Any]]" = {}
    me = _me(device)
    for held in _visible(device):
        if held.group == group:
            _count(found, held.item, held.parent, held.title, held.author, held.at_s, held.seen_s is None)
    for own in device.outbox.own.values():
        if own.group == group and own.state < outbox.RETURNED:
            _count(found, own.item, own.parent, own.title, me, own.times[0] or 0, False)
    rows = list(found.values())
    for row in rows:
        row["author_name"] = author_name(device, row["author"]) if row["author"] else ""
    rows.sort(key=lambda row: (row["last"], row["id"]), reverse=True)
    return rows


def _count(found: "dict[bytes, dict[str, Any]]", item: bytes, parent: "bytes | None", title: str, author: str,
           at_s: int, unread: bool) -> None:
    root = item if parent is None else parent
    row = found.get(root)
    if row is None:  # a reply may come before the post that it answers: the thread is there, without a title yet
        row = found[root] = {"id": root, "title": "", "author": "", "unread": 0, "count": 0, "last": 0}
    if parent is None:
        row["title"], row["author"] = title, author
    row["count"] += 1
    row["unread"] += 1 if unread else 0
    row["last"] = max(row["last"], at_s)


def thread(device: "Device", root: bytes) -> "list[dict[str, Any]]":
    rows: "list[dict[str, Any]]" = []
    for held in _visible(device):
        if held.item == root or held.parent == root:
            _add(rows, _held_row, device, held)
    for own in device.outbox.own.values():
        if (own.item == root or own.parent == root) and own.state < outbox.RETURNED:
            _add(rows, _own_row, device, own)
    rows.sort(key=lambda row: (row["item"] != root, row["at"], row["item"]))
    return rows


def _add(rows: "list[dict[str, Any]]", make: "Any", device: "Device", *of: "Any") -> None:
    """One row more, unless its file was damaged since the start: the others are shown all the same."""
    try:
        rows.append(make(device, *of))
    except Refusal:
        pass


def _held_row(device: "Device", held: "Held") -> "dict[str, Any]":
    text = text_of(device.inbox.bundle(held.item))
    return {
        "item": held.item,
        "mine": held.author == _me(device),
        "author": held.author,
        "author_name": author_name(device, held.author),
        "text": text,
        "video": _ready(device, held.video),
        "video_type": None if held.video is None else held.video[2],
        "video_coming": held.video is not None and _ready(device, held.video) is None,
        "still": _ready(device, held.still),
        "state": outbox.DELIVERED,
        "at": held.at_s,
        "unread": held.seen_s is None,
    }


def _ready(device: "Device", rendition: "tuple[bytes, int, str] | None") -> "bytes | None":
    if rendition is None or not device.inbox.has_blob(rendition[0]):
        return None
    return rendition[0]


def _own_row(device: "Device", own: "Own") -> "dict[str, Any]":
    me = _me(device)
    return {
        "item": own.item,
        "mine": True,
        "author": me,
        "author_name": author_name(device, me),
        "text": device.outbox.text(own.item),
        "video": None if own.blob is None else own.blob[0],
        "video_type": None if own.blob is None else own.blob[2],
        "video_coming": False,
        "still": None,
        "state": own.state,
        "at": own.times[0] or 0,
        "unread": False,
    }


def waiting(device: "Device") -> "list[dict[str, Any]]":
    rows = []
    for own in device.outbox.in_order():
        if own.state < outbox.RETURNED:
            rows.append({
                "item": own.item,
                "kind": own.kind,
                "group": own.group,
                "parent": own.parent,
                "title": own.title,
                "text": own.title,
                "state": own.state,
                "times": list(own.times),
                "at": own.times[0] or 0,
                "video": own.blob is not None,
            })
    rows.reverse()
    return rows


def returned(device: "Device") -> "list[dict[str, Any]]":
    """`action` 2 return, 3 reject with `reason`, a number, and the `words` of staff; 0 refused by the hub's program
    with `code`, the refusal's name, whose words the page has.

    When the hub's list says that staff sent an item back and their statement is not here yet, words are "".
    """
    rows: "list[dict[str, Any]]" = []
    shown = {held.item: held for held in device.inbox.shown()}
    for own in device.outbox.in_order():
        held = shown.get(own.item)
        decided = held is not None and held.action in (RETURN, REJECT)
        if own.state >= outbox.RETURNED or decided:
            _add(rows, _returned_row, device, own, held if decided else None)
    rows.reverse()
    return rows


def _returned_row(device: "Device", own: "Own", held: "Held | None") -> "dict[str, Any]":
    row: "dict[str, Any]" = {
        "item": own.item,
        "kind": own.kind,
        "group": own.group,
        "parent": own.parent,
        "text": device.outbox.text(own.item),
        "video": own.blob is not None,
        "reason": 0,
        "words": "",
        "code": own.refusal or "",
        "action": RETURN if own.state == outbox.RETURNED else REJECT,
        "at": own.times[0] or 0,
        "seen": own.seen,
    }
    if held is not None:
        statement = device.inbox.statement(own.item)
        row["reason"], row["words"] = statement.reason, statement.words
        row["action"], row["at"] = held.action, held.at_s
        row["seen"] = held.seen_s is not None
    elif own.refusal is not None:
        row["action"] = 0
    return row
