"""kill -9 of the hub, the broker and a device at random moments, while a wing of real processes works."""

import contextlib
import os
import random
import signal
import time
import urllib.error
from pathlib import Path

from hub_daemon.moderation import Moderation
from hub_daemon.people import People
from hub_daemon.store import Store, items
from sim.learner_page import page_text, save_post, settled
from sim.stages import wait_until
from sim.wing import Account, Learner, ProcessWing, now_ms

ROUNDS = 6
SETTLE_S = 90


def kill_broker(wing: ProcessWing) -> bool:
    """SIGKILL to the hub's mosquitto; False where the broker lives inside the hub."""
    assert wing.hub is not None
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError, IndexError, ValueError):
            name, rest = (entry / "stat").read_text().rsplit(")", 1)
            if name.endswith("(mosquitto") and int(rest.split()[1]) == wing.hub.process.pid:
                os.kill(int(entry.name), signal.SIGKILL)
                return True
    return False


def disturb(wing: ProcessWing, author: Learner, rng: random.Random) -> None:
    victim = rng.choice(["hub", "broker", "device", "wire"])
    if victim == "hub":
        assert wing.hub is not None
        wing.hub.kill()
        wing.start_hub()
    elif victim == "broker":
        kill_broker(wing)
    elif victim == "device":
        assert author.device is not None
        author.device.kill()
        wing.start_device(author)
    else:
        wing.lift(author)
        time.sleep(rng.random())
        wing.seat(author)


def approve_all(wing: ProcessWing, wanted: set[bytes]) -> None:
    """Two moderators decide everything of `wanted`; the rest is left waiting."""
    store = Store(wing.hub_data / "hub.sqlite3")
    try:
        staff = People(store, now_ms)
        moderation = Moderation(store, staff.roster, None, now_ms, lambda item: None)
        for account in [wing.account("moderator", number) for number in (0, 1)]:
            approve_as(moderation, staff, account, wanted)
    finally:
        store.close()


def approve_as(moderation: Moderation, staff: People, account: Account, wanted: set[bytes]) -> None:
    signer = staff.unlock(account.person, account.pass_phrase)
    while (item := moderation.deal(account.person)) is not None:
        view = moderation.view(account.person, item)
        if item in wanted:
            moderation.approve(account.person, item, view.item.version, signer, view.seen)
        else:
            moderation.return_(account.person, item, view.item.version, signer, 1, "Please write it again.")


def test_nothing_saved_is_lost_and_nothing_unapproved_is_shown_whatever_is_killed(wing: ProcessWing) -> None:
    rng = random.Random(20261121)
    author, reader = wing.learners
    saved: list[bytes] = []
    wing.seat(author)
    for number in range(ROUNDS):
        for part in range(3):
            saved.append(bytes.fromhex(save_post(author, f"post {number}.{part} of the kills")))
        time.sleep(rng.random() * 0.5)
        disturb(wing, author, rng)
    wait_until("custody of everything saved", lambda: quiet(author), SETTLE_S)
    wing.lift(author)

    store = Store(wing.hub_data / "hub.sqlite3")
    try:
        with store.read() as tx:
            found = [items.get(tx, item) for item in saved]
            total = sum(items.counts(tx).values())
        assert all(found), "a saved post never reached the hub"
        assert total == len(saved), "the hub holds a post twice, or one that nobody saved"
        wait_until("all in the queue", lambda: pending(store) == len(saved), SETTLE_S)
    finally:
        store.close()

    approved = set(saved[::2])
    approve_all(wing, approved)
    assert wing.hub is not None
    wing.hub.kill()
    wing.start_hub()
    wing.seat(reader)
    wait_until("the reader's docking", lambda: quiet(reader), SETTLE_S)
    wait_until("all approved posts at the reader", lambda: shown(reader, saved) == approved, SETTLE_S)
    assert reader.device is not None
    reader.device.kill()
    wing.start_device(reader)
    assert shown(reader, saved) == approved


def quiet(learner: Learner) -> bool:
    try:
        return settled(learner)
    except (OSError, urllib.error.URLError):
        return False


def pending(store: Store) -> int:
    with store.read() as tx:
        return items.counts(tx).get("pending", 0)


def shown(learner: Learner, saved: list[bytes]) -> set[bytes]:
    """The posts that the learner's group page shows; each at most once."""
    page = page_text(learner, "/group/writing")
    for item in saved:
        assert page.count(f'/thread/{item.hex()}"') <= 1, "a post is shown twice"
    return {item for item in saved if f'/thread/{item.hex()}"' in page}
