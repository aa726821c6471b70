"""The learner's page without a browser: the requests that its forms and its script make."""

import json
import re
import urllib.parse
import urllib.request
from typing import Any

from sim.stages import wait_until
from sim.wing import Learner, ProcessWing


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


def say_same(learner: Learner, digits: str) -> None:
    """The button under the six digits, pressed by somebody who compared them with the staff's screen."""
    send_form(learner, "/digits", {"digits": digits, "do": "same"})


def send_form(learner: Learner, path: str, fields: dict[str, str]) -> None:
    headers = {"Origin": learner.page, "Content-Type": "application/x-www-form-urlencoded"}
    body = urllib.parse.urlencode(fields).encode()
    request = urllib.request.Request(learner.page + path, body, headers, method="POST")
    urllib.request.urlopen(request, timeout=10).close()


def status(learner: Learner) -> dict[str, Any]:
    with urllib.request.urlopen(learner.page + "/status.json", timeout=10) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def carry_to_cell(wing: ProcessWing, learner: Learner) -> None:
    """Lift the device and wait until it has noticed: until then its page shows the docking that was."""
    wing.lift(learner)
    wait_until(f"{learner.name}'s device notices that it was lifted", lambda: status(learner)["state"] == "lifted", 20)


def settled(learner: Learner) -> bool:
    """Everything that was saved is in custody, and the device may be lifted."""
    found = status(learner)
    return found["state"] == "settled" and bool(found["can_lift"])


def save_post(learner: Learner, text: str, group: str = "writing") -> str:
    """Fill in the form of the write page and send it; returns the item."""
    before = waiting(learner)
    with urllib.request.urlopen(f"{learner.page}/write?group={group}", timeout=10) as answer:
        form = answer.read().decode()
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))
    send_form(learner, "/write", {**fields, "text": text, "do": "send"})
    (item,) = waiting(learner) - before
    return item


def waiting(learner: Learner) -> set[str]:
    """The learner's own items that the waiting page shows."""
    return set(re.findall(r'data-item="([0-9a-f]{64})"', page_text(learner, "/waiting")))


def page_text(learner: Learner, path: str) -> str:
    with urllib.request.urlopen(learner.page + path, timeout=10) as answer:
        found: str = answer.read().decode()
    return found
