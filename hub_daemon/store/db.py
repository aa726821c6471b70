"""The hub's one database: what every other room commits to before anybody is told that it is safe.

SQLite in WAL with `synchronous=FULL`: a commit that returned has reached the disk (as far as the disk tells
the truth). One writer at a time: an RLock for the threads of this process and BEGIN IMMEDIATE for other
processes (`perch staff`, `perch enrol`), which may open the same file.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hub_daemon.limits import STORE_BUSY_WAIT_MS_MAX, STORE_CHECK_BYTES_MAX
from protocol.errors import Misuse, Refusal

Tx = sqlite3.Connection
Row = sqlite3.Row
DatabaseError = sqlite3.DatabaseError
IntegrityError = sqlite3.IntegrityError
OperationalError = sqlite3.OperationalError

MIGRATIONS = Path(__file__).parent / "migrations"


class StoreRefused(Refusal):
    """The database file is damaged, from a newer Perch, or not ours; the words say which and what to do."""


def migrations() -> list[tuple[int, str, str]]:
    """Every migration in order: (number, name, SQL). Numbers start at 1 and have no gap."""
    found = []
    for path in sorted(MIGRATIONS.glob("[0-9][0-9][0-9][0-9]_*.sql")):
        found.append((int(path.name[:4]), path.name, path.read_text("utf-8")))
    for place, (number, name, _) in enumerate(found, 1):
        if number != place:
            raise Misuse(f"migration {name} should have the number {place:04d}")
    return found


def split_statements(script: str) -> list[str]:
    """The SQL statements of a script; sqlite3.executescript would commit our transaction first."""
    statements, pending = [], ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            statements.append(pending.strip())
            pending = ""
    if pending.strip() and not all(not line.strip() or line.strip().startswith("--") for line in pending.splitlines()):
        raise Misuse(f"a migration ends in the middle of a statement: {pending.strip()[:60]}")
    return statements


class Store:
    """The hub's database at `path`; made and migrated when opened.

    `write()` gives the one writing transaction: committed and on the disk when the block ends, rolled back when it
    raises. Nested blocks of one thread join the outer transaction. `read()` gives this thread's reading connection,
    which sees the last commit.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._lock = threading.RLock()
        self._local = threading.local()
        self._readers: list[sqlite3.Connection] = []
        self._depth = 0
        self._closed = False
        try:
            self._writer = self._connect()
            self._migrate()
            if self.path.stat().st_size <= STORE_CHECK_BYTES_MAX:
                self.check()
        except sqlite3.DatabaseError as error:
            raise StoreRefused(
                f"{self.path}: {error}. It cannot be used: put back a backup, or move the file away."
            ) from error

    def check(self) -> None:
        """Raise StoreRefused when the file is damaged. Reads all of it: seconds for a large one."""
        connection = self._connect()
        try:
            found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        except sqlite3.DatabaseError as error:
            found = str(error)
        finally:
            connection.close()
        if found != "ok":
            raise StoreRefused(f"{self.path} is damaged: {found}. Put back a backup; do not go on with this file.")

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, isolation_level=None, check_same_thread=False, timeout=STORE_BUSY_WAIT_MS_MAX / 1000
        )
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA trusted_schema=OFF")
        return connection

    def _migrate(self) -> None:
        known = migrations()
        with self.write() as tx:
            tx.execute("CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL)")
            done = {row["number"] for row in tx.execute("SELECT number FROM migrations")}
            newer = done - {number for number, _, _ in known}
            if newer:
                raise StoreRefused(
                    f"{self.path} was written by a newer Perch (migration {max(newer)}): update this program."
                )
            for number, name, script in known:
                if number in done:
                    continue
                for statement in split_statements(script):
                    tx.execute(statement)
                tx.execute("INSERT INTO migrations (number, name) VALUES (?, ?)", (number, name))

    @contextmanager
    def write(self) -> Iterator[Tx]:
        """The writing transaction. Keep it short: every other writer of the wing waits for it."""
        with self._lock:
            if self._closed:
                raise Misuse("the store is closed")
            if self._depth:
                self._depth += 1
                try:
                    yield self._writer
                finally:
                    self._depth -= 1
                return
            self._writer.execute("BEGIN IMMEDIATE")
            self._depth = 1
            try:
                yield self._writer
            except BaseException:
                self._writer.execute("ROLLBACK")
                raise
            else:
                self._writer.execute("COMMIT")
            finally:
                self._depth = 0

    @contextmanager
    def read(self) -> Iterator[Tx]:
        """A consistent view for reading: one snapshot for the whole block. Do not write through it."""
        connection = getattr(self._local, "connection", None)
        if connection is None:
            with self._lock:
                if self._closed:
                    raise Misuse("the store is closed")
                connection = self._connect()
                connection.execute("PRAGMA query_only=ON")
                self._readers.append(connection)
            self._local.connection = connection
            self._local.depth = 0
        if self._local.depth:
            yield connection
            return
        connection.execute("BEGIN")
        self._local.depth = 1
        try:
            yield connection
        finally:
            self._local.depth = 0
            connection.execute("ROLLBACK")

    def data_version(self) -> int:
        """Changes whenever another process committed: a cheap question for a loop that waits for news."""
        with self._lock:
            return int(self._writer.execute("PRAGMA data_version").fetchone()[0])

    def close(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
            for connection in self._readers:
                connection.close()
            self._writer.close()
