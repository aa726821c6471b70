"""Many moderators, each with the page that they opened: an item is decided once, whoever is faster."""

from __future__ import annotations

import threading

from hub_daemon.moderation import Conflict, SamePerson
from hub_daemon.store import Store, queue


def test_no_item_is_decided_twice_however_many_race(wing):
    """Every moderator tries every item with the same version, as if all pages were open; SQL alone decides."""
    wing.acquaint()
    every = [wing.post(f"item {n}") for n in range(40)]
    people = ("ann", "ben", "cat")
    won: list[tuple[str, bytes]] = []
    lost: list[bytes] = []
    versions = {}
    with wing.store.write() as tx:
        for item in every:
            versions[item] = queue.item(tx, item)["version"]

    def moderator(person: str, start: threading.Barrier) -> None:
        start.wait()
        for item in every:
            try:
                with wing.store.write() as tx:  # the lease is taken by whoever comes first
                    row = queue.item(tx, item)
                    step = wing.moderation._step("deal", row, wing.clock())
                    wing.moderation._move(tx, step, row, versions[item], person, wing.clock())
            except Conflict:
                pass
            try:
                wing.moderation.return_(person, item, versions[item] + 1, wing.signer(person), 5, "")
            except (Conflict, SamePerson):
                lost.append(item)
            else:
                won.append((person, item))

    for person in people:
        wing.signer(person)
    barrier = threading.Barrier(6)
    threads = [threading.Thread(target=moderator, args=(person, barrier)) for person in people * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(item for _, item in won) == sorted(every)
    assert len(lost) == 5 * len(every)
    with wing.store.read() as tx:
        for item in every:
            assert len(queue.decisions_of(tx, item)) == 1


def test_dealing_gives_no_item_to_two_people_at_once(wing):
    wing.acquaint()
    every = {wing.post(f"item {n}") for n in range(30)}
    given: list[tuple[str, bytes]] = []

    def moderator(person: str) -> None:
        while (item := wing.moderation.deal(person)) is not None:
            given.append((person, item))
            version = wing.moderation.view(person, item).item.version
            wing.moderation.approve(person, item, version, wing.signer(person), wing.seen(item))

    for person in ("ann", "ben", "cat"):
        wing.signer(person)
    threads = [threading.Thread(target=moderator, args=(person,)) for person in ("ann", "ben", "cat")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(given) == 30 and {item for _, item in given} == every


def test_another_process_on_the_same_database_cannot_decide_what_is_decided(wing):
    """Two stores of one file stand for two processes: SQLite's own lock, not ours, keeps them apart."""
    from hub_daemon.moderation import Moderation

    wing.acquaint()
    other_store = Store(wing.store.path)
    other = Moderation(other_store, wing.people.roster, wing.blobs, wing.clock, lambda item: None)
    wins = []
    for n in range(10):
        item = wing.post(f"item {n}")
        assert wing.moderation.deal("ann") == item
        version = wing.moderation.view("ann", item).item.version
        errors: list[BaseException] = []

        def decide(engine, item=item, version=version, errors=errors) -> None:
            try:
                engine.reject("ann", item, version, wing.signer("ann"), 2, "")
            except Conflict as error:
                errors.append(error)

        wing.signer("ann")
        threads = [threading.Thread(target=decide, args=(engine,)) for engine in (wing.moderation, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(errors) == 1
        with wing.store.read() as tx:
            wins.append(len(queue.decisions_of(tx, item)))
    other_store.close()
    assert wins == [1] * 10
