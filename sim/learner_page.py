"""The learner's page without a browser: the requests that its forms and its script make."""

import json
import urllib.parse
import urllib.request
from typing import Any

from sim.wing import Learner


def save_video(learner: Learner, body: bytes) -> str:
    """What the page's script does when a recording is kept; returns the item."""
    form = {"group": "writing", "to": "", "text": "a figure", "type": "video/webm"}
    begun = ask(learner, "/record/begin", urllib.parse.urlencode(form).encode())
    at = 0
    while at < len(body):
        path = f"/record/{begun['draft']}/append?offset={at}"
        at = ask(learner, path, body[at : at + begun["slice"]])["size"]
    return str(ask(learner, f"/record/{begun['draft']}/save", b"")["item"])


def ask(learner: Learner, path: str, body: bytes) -> dict[str, Any]:
    kind = "application/x-www-form-urlencoded" if path.endswith("begin") else "application/octet-stream"
    headers = {"Origin": learner.page, "Content-Type": kind}
    request = urllib.request.Request(learner.page + path, body, headers, method="POST")
    with urllib.request.urlopen(request, timeout=20) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def status(learner: Learner) -> dict[str, Any]:
    with urllib.request.urlopen(learner.page + "/status.json", timeout=10) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def settled(learner: Learner) -> bool:
    found = status(learner)
    return bool(found["can_lift"]) and found["waiting"] == 0
