"""The hub's own log: one line an event, to standard error and DATA/log/hub.log, safe to read by any tool.

    2026-11-21T19:30:00.123Z docked bay1 0123456789abcdef ann

It says what the program did. What was done to items stands in the database's log, in the same transaction.
"""

from __future__ import annotations

import logging
import logging.handlers
import sys
import time
from pathlib import Path

from hub_daemon.limits import REPORT_CHARS_MAX, REPORT_FILE_BYTES_MAX, REPORT_FILES
from hub_daemon.store.log import inert


class Reporter:
    """`report(what, words)` from any thread."""

    def __init__(self, directory: Path | None, quiet: bool = False) -> None:
        self._logger = logging.Logger("perch")
        handlers: list[logging.Handler] = [] if quiet else [logging.StreamHandler(sys.stderr)]
        if directory is not None:
            directory.mkdir(parents=True, exist_ok=True)
            handlers.append(
                logging.handlers.RotatingFileHandler(
                    directory / "hub.log", maxBytes=REPORT_FILE_BYTES_MAX, backupCount=REPORT_FILES, encoding="utf-8"
                )
            )
        for handler in handlers:
            handler.setFormatter(logging.Formatter("%(message)s"))
            self._logger.addHandler(handler)

    def __call__(self, what: str, words: str) -> None:
        now = time.time()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}Z"
        self._logger.info("%s %s %s", stamp, what, inert(words)[:REPORT_CHARS_MAX])

    def close(self) -> None:
        for handler in list(self._logger.handlers):
            handler.close()
            self._logger.removeHandler(handler)
