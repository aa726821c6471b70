"""`perch demo --auto`: one post and one video message through a whole wing, by the pages that people use.

Nothing here reaches into a process: it types, clicks and looks in Chromium. Only the last stage, which
checks the table, reads the hub's database, to compare what staff signed with what the other device holds.
"""

import contextlib
import hashlib
import re
import time
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, Error, Locator, Page, expect

from hub_daemon.store import Store, items
from protocol.blob import Builder
from protocol.records.statement import Statement
from sim.browser import window
from sim.learner_page import carry_to_cell, settled
from sim.stages import Stages, wait_until
from sim.wing import Account, Learner, ProcessWing

POST = "What I read this week\nA story about a heron that waits. Has anyone read it too?"
VIDEO_TITLE = "My poem about the heron"
RECORD_SECONDS = 5
STAGE_WAIT_S = 90
BUSY_WAIT_S = 60  # for one thing to happen on a machine that is busy with a whole wing
SIX = re.compile(r"^\d{6}$")
PLAYING = "document.getElementById('video').currentTime > 0.5"


@dataclass
class Travelled:
    """One item on its way: seconds since the demonstration began, at each stage."""

    what: str
    item: bytes = b""
    at: dict[str, float] = field(default_factory=dict)
    digests: dict[str, bytes] = field(default_factory=dict)  # of each rendition, as the recipient holds it
    bytes_up: int = 0
    bytes_down: int = 0


class Play:
    """The demonstration's people, each in a window of their own."""

    def __init__(self, wing: ProcessWing, browser: Browser, stages: Stages) -> None:
        self.wing, self.stages = wing, stages
        self.start = time.monotonic()
        self.author, self.reader = wing.learners[:2]
        self.pages = {
            learner.id: window(browser, learner.page, 480, 900).new_page() for learner in (self.author, self.reader)
        }
        self.staff = {
            account.person: window(browser, wing.staff_page).new_page() for account in wing.accounts
        }
        self.travelled = [Travelled("post"), Travelled("video")]

    def now(self) -> float:
        return time.monotonic() - self.start

    # staff

    def log_in(self, account: Account) -> Page:
        page = self.staff[account.person]
        page.goto("/login")
        page.fill("#id_username", account.person)
        page.fill("#id_password", account.pass_phrase)
        page.click("#sign-in")
        page.wait_for_url(self.wing.staff_page + "/")
        return page

    def enrol(self, learner: Learner) -> None:
        """Six digits on both screens: whoever holds the device says that they agree, then two administrators."""
        first, second = [self.staff[self.wing.account("administrator", number).person] for number in (0, 1)]
        go(first, "/enrol")
        first.select_option("select[name=bay]", learner.bay)
        first.select_option("select[name=learner]", learner.id)
        first.click("#open-window")
        window = on_page(first, learner)
        expect(window).to_have_attribute("data-state", "open")
        self.wing.seat(learner)
        device = self.pages[learner.id]
        device.goto("/")
        wait_until("the same six digits on both screens", lambda: self._same_digits(device, window), STAGE_WAIT_S)
        digits = device.get_attribute("#digits", "data-digits") or ""
        device.click("#digits-same")
        expect(device.locator("#digits-same")).to_have_count(0)
        window.locator("[id^=confirm]").click()
        expect(window).to_have_attribute("data-state", "confirmed")
        go(second, "/enrol")
        window = on_page(second, learner)
        if not SIX.match(digits) or window.locator(".perch-digits").inner_text() != digits:
            raise AssertionError("the second administrator sees other digits than the device")
        window.locator("[id^=countersign]").click()
        wait_until(f"{learner.name}'s device is enrolled", lambda: settled(learner), 60)

    @staticmethod
    def _same_digits(device: Page, staff: Locator) -> bool:
        """A busy machine may lose the session between two looks; then both screens get new digits."""
        try:
            if not device.locator("#digits").count() or not staff.locator(".perch-digits").count():
                return False
            shown = staff.locator(".perch-digits").inner_text().strip()
            return SIX.match(shown) is not None and device.get_attribute("#digits", "data-digits") == shown
        except Error:  # a page was just looking again by itself
            return False

    def moderate(self, account: Account) -> int:
        """Deal, look and approve until nothing is left for this person; returns how many were approved."""
        page = self.staff[account.person]
        for done in range(20):
            go(page, "/")
            if page.locator("#deal").count() == 0:
                return done
            with page.expect_navigation():
                page.click("#deal")
            if page.locator("#approve").count() == 0:
                return done
            if page.locator("#play").count():
                page.click("#play")
                wait_until("the video plays", lambda: page.evaluate(PLAYING), BUSY_WAIT_S)
            with page.expect_navigation():
                page.click("#approve")
            with contextlib.suppress(Error):  # the time to undo may be over before it is drawn
                page.get_by_role("button", name="Sign now").click(timeout=2_000)
            expect(page.locator("#held")).to_have_attribute("data-state", "done", timeout=BUSY_WAIT_S * 1000)
        raise AssertionError("the queue never ends")

    # learners

    def write(self) -> None:
        page, mail = self.pages[self.author.id], self.travelled[0]
        before = self._waiting(page)
        page.goto("/group/writing")
        page.click("#write")
        page.wait_for_url("**/write?*")
        page.fill("#text", POST)
        page.click("#send")
        page.wait_for_url("**/waiting?saved=*")
        (mail.item,) = self._waiting(page) - before
        mail.bytes_up = len(POST.encode())
        mail.at["saved"] = self.now()

    @staticmethod
    def _waiting(page: Page) -> set[bytes]:
        """The author's own items, as the page of what waits shows them."""
        page.goto("/waiting")
        return {bytes.fromhex(str(one.get_attribute("data-item"))) for one in page.locator("[data-item]").all()}

    def record(self, video: Path | None) -> None:
        page, mail = self.pages[self.author.id], self.travelled[1]
        page.goto("/group/writing")
        page.click("#record")
        page.wait_for_url("**/record?*")  # and its script has run
        page.fill("#text", VIDEO_TITLE)
        if video is None:
            page.click("#record-start")
            page.locator("#record-stop").wait_for(state="visible")
            page.wait_for_timeout(RECORD_SECONDS * 1000)
            page.click("#record-stop")
        else:
            page.set_input_files("#record-file", video)
        page.locator("#record-keep").wait_for(state="visible")
        page.click("#record-keep")
        page.wait_for_url("**/waiting?saved=*", timeout=STAGE_WAIT_S * 1000)
        mail.item = bytes.fromhex(page.url.split("saved=")[1][:64])
        mail.bytes_up = len(page.request.get(f"/own/{mail.item.hex()}").body())
        mail.at["saved"] = self.now()

    def hand_over(self) -> None:
        self.wing.seat(self.author)
        docked = self.now()
        wait_until("custody of everything", lambda: settled(self.author), STAGE_WAIT_S)
        for mail in self.travelled:
            mail.at["docked"], mail.at["custody"] = docked, self.now()
        carry_to_cell(self.wing, self.author)

    def approve_everything(self) -> None:
        moderators = [self.wing.account("moderator", number) for number in (0, 1)]

        def decided() -> bool:
            for account in moderators:
                self.moderate(account)
            return all(self._approved(mail) for mail in self.travelled)

        wait_until("every item approved by two people", decided, STAGE_WAIT_S, 1.0)
        for mail in self.travelled:
            mail.at["approved"] = self.now()

    def fetch(self) -> None:
        self.wing.seat(self.reader)
        wait_until("everything on the reader's device", lambda: self._arrived(), STAGE_WAIT_S)
        for mail in self.travelled:
            mail.at["delivered"] = self.now()

    def _arrived(self) -> bool:
        page = self.pages[self.reader.id]
        found = page.request.get("/group/writing").text()
        return settled(self.reader) and all(mail.item.hex() in found for mail in self.travelled)

    def watch(self) -> None:
        """The reader opens both; the video plays to its end or for three seconds."""
        page = self.pages[self.reader.id]
        post, video = self.travelled
        words = self._read_thread(page, post.item)
        post.digests["text"], post.bytes_down = hashlib.sha256(words).digest(), len(words)
        words = self._read_thread(page, video.item)
        video.digests["text"] = hashlib.sha256(words).digest()
        player = page.locator("video.message-video").first
        player.evaluate("video => { video.muted = true; return video.play(); }")
        watched = "video => video.currentTime > 3 || video.ended"
        wait_until("the video plays", lambda: player.evaluate(watched), BUSY_WAIT_S)
        body = page.request.get(player.get_attribute("src") or "").body()
        video.digests["video"], video.bytes_down = root_of(body), len(body)
        for mail in self.travelled:
            mail.at["seen"] = self.now()

    @staticmethod
    def _read_thread(page: Page, root: bytes) -> bytes:
        """The words of a thread's first message as the page shows them: its first line is the heading."""
        page.goto(f"/thread/{root.hex()}")
        rest = page.locator(f'[data-item="{root.hex()}"] .words')
        lines = [page.locator("h1").inner_text(), *(one.inner_text() for one in rest.all())]
        return "\n".join(lines).encode()

    # what the hub's database says, for the table

    def _approved(self, mail: Travelled) -> bool:
        store = Store(self.wing.hub_data / "hub.sqlite3")
        try:
            with store.read() as tx:
                found = items.get(tx, mail.item)
        finally:
            store.close()
        if found is not None and found.state == "refused":
            raise AssertionError(f"the hub refused the {mail.what}: {found.refusal}")
        return found is not None and found.state == "approved"

    def check(self) -> None:
        """What the reader's device holds is what two people signed, digest for digest."""
        store = Store(self.wing.hub_data / "hub.sqlite3")
        try:
            for mail in self.travelled:
                with store.read() as tx:
                    found = items.get(tx, mail.item)
                    signed = found and found.statement and items.statement(tx, found.statement)
                if not signed:
                    raise AssertionError(f"the {mail.what} has no decision")
                statement = Statement.decode(signed.body)
                decided = {rendition.role: rendition.digest for rendition in statement.renditions}
                for role, digest in mail.digests.items():
                    if decided.get(role) != digest:
                        raise AssertionError(f"the {mail.what}'s {role} on the device is not what staff signed")
        finally:
            store.close()


def on_page(staff: Page, learner: Learner) -> Locator:
    """What the enrolment page says of the window on this learner's bay; another bay's may still stand before it."""
    return staff.locator("[data-enrolment]").filter(has_text=f"Bay {learner.bay},")


def go(page: Page, path: str) -> None:
    """Open a page; once more where the page that is left was just looking again by itself."""
    try:
        page.goto(path)
    except Error as error:
        if "interrupted" not in str(error) and "ERR_ABORTED" not in str(error):
            raise
        page.goto(path)


def root_of(body: bytes) -> bytes:
    builder = Builder()
    builder.feed(body)
    return builder.finish().root


def play(wing: ProcessWing, browser: Browser, stages: Stages, video: Path | None) -> list[Travelled]:
    """Every stage in order; StageFailed names the one that did not work."""
    acts = Play(wing, browser, stages)
    with stages.stage("four members of staff log in"):
        for account in wing.accounts:
            acts.log_in(account)
    for learner in (acts.author, acts.reader):
        with stages.stage(f"{learner.name}'s device is enrolled: six digits, two administrators"):
            acts.enrol(learner)
            carry_to_cell(wing, learner)
    with stages.stage(f"{acts.author.name} writes a post in the cell"):
        acts.write()
    with stages.stage(f"{acts.author.name} records a video message"):
        acts.record(video)
    with stages.stage(f"{acts.author.name} docks: everything is in custody of the hub"):
        acts.hand_over()
    with stages.stage("two moderators look at both and approve them"):
        acts.approve_everything()
    with stages.stage(f"{acts.reader.name} docks: everything approved is on the device"):
        acts.fetch()
    with stages.stage(f"{acts.reader.name} reads the post and watches the video"):
        acts.watch()
    with stages.stage("the digests on the device are those that staff signed"):
        acts.check()
    return acts.travelled
