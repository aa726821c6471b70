"""Plan -> here -> device and docks: what learners do, as the plan says and as the device lets them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sim.box.docks import Docking
from sim.box.ledger import Message
from sim.box.plan import Event
from sim.box.streams import stream

if TYPE_CHECKING:
    from sim.box.world import World

WORDS = (
    "the library has a new book about birds and their ways",
    "I tried the recipe and it came out well in the end",
    "does anybody know how the second exercise is meant",
    "thank you for the answer it helped me a good deal",
    "we could read the next chapter together on Thursday",
    "mae'r llyfr hwn yn dda iawn diolch",
)
SETTLE_PATIENCE_MS = 90 * 60_000
SETTLE_STAY_MS_MAX = 10 * 60_000


def text_of(seed: str, event_id: str, size: int) -> str:
    """A text of about `size` bytes that names the event it is from, so that it is known wherever it turns up."""
    text = f"[{event_id}]"
    draw = stream(seed, event_id, "text")
    while len(text) < size:
        text += " " + draw.choice(WORDS)
    return text[: max(size, len(event_id) + 2)].rstrip()


def write(world: World, event: Event) -> None:
    _make(world, event, "write", "saved", int(event.args["bytes"]), 0)


def record(world: World, event: Event) -> None:
    _make(world, event, "record", "saved", int(event.args["words"]), int(event.args["bytes"]))


def _make(world: World, event: Event, act: str, kind: str, text_bytes: int, video_bytes: int) -> None:
    box = world.of_learner[event.who]
    group = str(event.args["group"])
    parent = _parent(box.act("threads", group=group), event) if event.args["reply"] else None
    text = text_of(world.plan.seed, event.id, text_bytes)
    values: dict[str, Any] = {"group": group, "parent": parent, "text": text}
    if video_bytes:
        values["data"] = stream(world.plan.seed, event.id, "video").randbytes(video_bytes)
    answer = box.act(act, **values)
    if "item" not in answer:
        world.trace.add("not_saved", box.name, event=event.id, refusal=str(answer.get("refused", "")))
        return
    world.ledger.add(
        Message(
            event.id, event.who, box.name, group, parent, "video" if video_bytes else "post", text, answer["item"],
            world.kernel.now, video_bytes,
        )
    )  # fmt: skip
    world.trace.add(kind, box.name, item=event.id, group=group, parent=world.ledger.name(parent))


def _parent(answer: dict[str, Any], event: Event) -> bytes | None:
    threads = answer.get("threads") or []
    return threads[int(event.args["pick"]) % len(threads)] if threads else None


def draft(world: World, event: Event) -> None:
    box = world.of_learner[event.who]
    answer = box.act("draft", text=text_of(world.plan.seed, event.id, int(event.args["bytes"])))
    world.trace.add("draft", box.name, refusal=str(answer.get("refused", "")))


def read(world: World, event: Event) -> None:
    """Open everything new; what the device shows there is what its learner has seen."""
    box = world.of_learner[event.who]
    for item in box.act("read").get("seen", []):
        message = world.ledger.by_item.get(item)
        if message is not None:
            message.read_ms.setdefault(box.name, world.kernel.now)
        world.trace.add("read_by", box.name, item=world.ledger.name(item))


def dock(world: World, event: Event) -> None:
    second = 1000
    if world.kept_away.get(event.who):
        return
    world.docks.arrive(
        Docking(
            event.id, world.of_learner[event.who], world.kernel.now, int(event.args["patience_s"] * second),
            int(event.args["reaction_s"] * second), int(event.args["stay_s_max"] * second),
        )
    )  # fmt: skip


def dock_everybody(world: World, round_number: int) -> None:
    """Every learner of the wing, one after the other in line, with all the patience there is."""
    for learner, box in world.of_learner.items():
        if learner not in world.gone:
            world.docks.arrive(
                Docking(
                    f"{learner}.settle{round_number}", box, world.kernel.now, SETTLE_PATIENCE_MS, 1000,
                    SETTLE_STAY_MS_MAX,
                )
            )  # fmt: skip


HANDLERS = {"write": write, "record": record, "draft": draft, "read": read, "dock": dock}
