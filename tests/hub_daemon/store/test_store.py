"""The store: commits are whole, versions are written once, the log cannot be edited unseen."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from hub_daemon.store import (
    DatabaseError,
    IntegrityError,
    Store,
    StoreRefused,
    items,
    lists,
    log,
    rosters,
    settings,
)
from hub_daemon.store.db import split_statements
from protocol.errors import Misuse


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "hub.sqlite3")


def an_item(name: bytes, state: str = "ingested") -> items.Item:
    return items.Item(
        name * 32, "post", "ann", b"d" * 8, "maths", None, 1000, state, 1, "hello", None, None, 1000, None
    )


def test_the_store_commits_with_a_write_ahead_log_and_full_sync(store: Store) -> None:
    with store.write() as tx:
        assert tx.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        assert tx.execute("PRAGMA synchronous").fetchone()[0] == 2


def test_a_block_that_raises_leaves_nothing_behind(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.write() as tx:
        settings.put(tx, "wing", b"a")
        1 / 0  # noqa: B018
    with store.read() as tx:
        assert settings.get(tx, "wing") is None


def test_nested_blocks_commit_together(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.write() as tx:
        with store.write() as inner:
            settings.put(inner, "wing", b"a")
        1 / 0  # noqa: B018
    with store.read() as tx:
        assert settings.get(tx, "wing") is None


def test_an_opened_again_store_keeps_what_was_committed(store: Store, tmp_path: Path) -> None:
    with store.write() as tx:
        settings.put(tx, "wing", b"a")
    other = Store(tmp_path / "hub.sqlite3")
    with other.read() as tx:
        assert settings.get(tx, "wing") == b"a"


def test_another_writer_is_noticed_by_the_data_version(store: Store, tmp_path: Path) -> None:
    before = store.data_version()
    assert store.data_version() == before
    other = Store(tmp_path / "hub.sqlite3")
    with other.write() as tx:
        settings.put(tx, "wing", b"a")
    assert store.data_version() != before


def test_threads_write_one_after_the_other_and_lose_nothing(store: Store) -> None:
    def add() -> None:
        for _ in range(25):
            with store.write() as tx:
                log.append(tx, 1, "hub", "tick")

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.read() as tx:
        assert log.size(tx) == 100
        assert log.first_edited(tx) is None


def test_the_log_refuses_to_be_changed_or_cut(store: Store) -> None:
    with store.write() as tx:
        log.append(tx, 1, "hub", "start")
    for statement in ("UPDATE log SET actor = 'x'", "DELETE FROM log"):
        with pytest.raises(DatabaseError, match="append-only"), store.write() as tx:
            tx.execute(statement)


def test_a_log_row_edited_behind_the_store_is_found(store: Store, tmp_path: Path) -> None:
    with store.write() as tx:
        for n in range(7):
            log.append(tx, n, "hub", "tick", b"i" * 32, f"n {n}")
        root = log.root(tx)
    raw = sqlite3.connect(tmp_path / "hub.sqlite3")
    raw.execute("DROP TRIGGER log_is_not_changed")
    raw.execute("UPDATE log SET detail = 'other' WHERE seq = 3")
    raw.commit()
    with store.read() as tx:
        assert log.first_edited(tx) == 3
        assert log.root(tx) == root  # the leaf was left: that is why first_edited looks at the content


def test_a_log_line_cannot_carry_a_line_break_or_hidden_characters(store: Store) -> None:
    with store.write() as tx:
        entry = log.append(tx, 1, "device:x", "refused", None, "a\nb\u202ec" + "d" * 5000)
    assert "\n" not in entry.detail and "\u202e" not in entry.detail
    assert len(entry.detail) <= 400


def test_an_item_becomes_pending_once_only(store: Store) -> None:
    text = items.Rendition("text", b"t" * 32, 5, "text/plain", b"hello")
    with store.write() as tx:
        items.insert(tx, an_item(b"a"))
        assert items.to_pending(tx, b"a" * 32, [text], [("link", "http")], 2000)
        assert not items.to_pending(tx, b"a" * 32, [text], [], 2000)
        assert not items.refuse_technical(tx, b"a" * 32, "MediaRefused", "not a video", 2000)
        after = items.get(tx, b"a" * 32)
        assert after is not None and (after.state, after.version) == ("pending", 2)
        assert items.renditions(tx, b"a" * 32) == [text]
        assert items.marks(tx, b"a" * 32) == [("link", "http")]


def test_one_person_signs_a_statement_once(store: Store) -> None:
    with store.write() as tx:
        items.insert(tx, an_item(b"a", "pending"))
        items.put_statement(tx, b"s" * 32, b"a" * 32, 2, 1, b"body", 2000)
        items.add_signature(tx, b"s" * 32, "una", b"sig", 2000)
    with pytest.raises(IntegrityError), store.write() as tx:
        items.add_signature(tx, b"s" * 32, "una", b"other", 2001)


def test_a_roster_version_is_written_once(store: Store) -> None:
    with store.write() as tx:
        rosters.put(tx, 1, b"signed", b"register", 1)
    with pytest.raises(IntegrityError), store.write() as tx:
        rosters.put(tx, 1, b"other", b"register", 1)


def test_a_list_version_never_goes_back(store: Store) -> None:
    with store.write() as tx:
        assert lists.put_list(tx, b"d" * 8, 5, b"five", 1, b"c")
        assert not lists.put_list(tx, b"d" * 8, 5, b"again", 1, b"c")
        assert not lists.put_list(tx, b"d" * 8, 4, b"four", 1, b"c")
        assert lists.device_state(tx, b"d" * 8).list_signed == b"five"


def test_a_file_that_is_no_database_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "hub.sqlite3").write_bytes(b"not a database " * 100)
    with pytest.raises(StoreRefused, match=r"hub\.sqlite3"):
        Store(tmp_path / "hub.sqlite3")


def test_a_database_of_a_newer_perch_is_refused_by_name(store: Store, tmp_path: Path) -> None:
    with store.write() as tx:
        tx.execute("INSERT INTO migrations VALUES (9000, '9000_future.sql')")
    with pytest.raises(StoreRefused, match="newer"):
        Store(tmp_path / "hub.sqlite3")


def test_a_trigger_is_one_statement_of_a_migration() -> None:
    script = (
        "CREATE TABLE a (b);\n-- note\nCREATE TRIGGER t BEFORE DELETE ON a BEGIN SELECT 1; SELECT 2; END;\n"
    )
    assert len(split_statements(script)) == 2
    with pytest.raises(Misuse):
        split_statements("CREATE TABLE a (b")


def test_a_damaged_database_is_refused_by_name(store: Store, tmp_path: Path) -> None:
    with store.write() as tx:
        for n in range(2000):
            log.append(tx, n, "hub", "tick", bytes(32), "x" * 200)
    store.close()
    path = tmp_path / "hub.sqlite3"
    data = bytearray(path.read_bytes())
    for page in range(20, len(data) // 4096, 3):
        data[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    path.write_bytes(bytes(data))
    with pytest.raises(StoreRefused, match=r"hub\.sqlite3"):
        Store(path)
