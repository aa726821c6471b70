"""Staff page -> here -> store: a person may be in danger. Raised by one press, closed by two people (R10)."""

from __future__ import annotations

from hub_daemon.limits import TOLD_CHARS_MAX
from hub_daemon.moderation import transitions
from hub_daemon.moderation.errors import Conflict, SamePerson, WordsRefused
from hub_daemon.moderation.guards import Guards
from hub_daemon.store import Tx, log, queue


class Alerts(Guards):
    """The alerts of one hub."""

    def safeguard(self, person: str, item: bytes) -> int:
        """Raise an alert at once; an undecided item is held. Never refused for a version: it only ever raises.

        Returns the alert's number.
        """
        now = self.clock()
        with self.store.write() as tx:
            row = self._row(tx, item)
            step = transitions.find("safeguard", row["state"])
            if step is not None:
                if row["open_statement"] is not None:
                    digest = bytes(row["open_statement"])
                    queue.drop_decisions(tx, item, digest, "held: a person may be in danger", now)
                    queue.set_open(tx, item, None)
                self._move(tx, step, row, row["version"], person, now)
            number = queue.add_alert(tx, item, row["author_learner"], person, now)
            log.append(tx, now, person, "alert raised", item, f"alert {number}: a person may be in danger")
        self.on_change(item)
        return number

    def acknowledge(self, person: str, number: int) -> None:
        """Somebody has taken the alert, by name."""
        now = self.clock()
        with self.store.write() as tx:
            if not queue.acknowledge_alert(tx, number, person, now):
                raise self._alert_conflict(tx, number, now)
            log.append(tx, now, person, "alert acknowledged", self._alert_item(tx, number), f"alert {number}")

    def close_alert(self, person: str, number: int, told: str) -> None:
        """The alert's holder says who was told; a second person has to confirm."""
        told = told.strip()
        if not told or len(told) > TOLD_CHARS_MAX:
            raise WordsRefused("Write who was told and when, in at most 400 letters")
        now = self.clock()
        with self.store.write() as tx:
            if not queue.close_alert(tx, number, person, told, now):
                raise self._alert_conflict(tx, number, now)
            log.append(tx, now, person, "alert closed", self._alert_item(tx, number), f"alert {number}: {told}")

    def second_alert(self, person: str, number: int) -> None:
        """The second person: the alert leaves the top of the page, the item goes back to the queue."""
        now = self.clock()
        with self.store.write() as tx:
            alert = queue.alert(tx, number)
            if alert is not None and alert["closed_by"] == person:
                raise SamePerson("you closed this alert; another person has to confirm it")
            if not queue.second_alert(tx, number, person, now):
                raise self._alert_conflict(tx, number, now)
            item = self._alert_item(tx, number)
            log.append(tx, now, person, "alert confirmed", item, f"alert {number}")
            if item is not None:
                others = [a for a in queue.alerts_open(tx) if a["item"] is not None and bytes(a["item"]) == item]
                row = self._row(tx, item)
                step = transitions.find("resume", row["state"])
                if step is not None and not others:
                    self._move(tx, step, row, row["version"], person, now)
                    log.append(tx, now, "hub", "back in the queue", item)

    def _alert_item(self, tx: Tx, number: int) -> bytes | None:
        alert = queue.alert(tx, number)
        return None if alert is None or alert["item"] is None else bytes(alert["item"])

    def _alert_conflict(self, tx: Tx, number: int, now: int) -> Conflict:
        alert = queue.alert(tx, number)
        if alert is None:
            return Conflict(b"", "", "", "", 0, now, now, "There is no such alert.")
        by = alert["second_by"] or alert["closed_by"] or alert["acknowledged_by"] or ""
        return Conflict(b"", "", by, "", 0, now, now, "Another person was faster with this alert; look at it again.")
