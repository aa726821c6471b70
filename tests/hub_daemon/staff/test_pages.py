"""The staff page in real Chromium: keys, undo, conflict, video, hostile text."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import expect

from hub_daemon import people
from hub_daemon.store import items, queue
from protocol.enrol import Request
from tests.hub_daemon.staff.wing_on_a_table import LEARNERS


def state(wing, item):
    with wing.store.read() as tx:
        return items.get(tx, item).state


def wait_for_state(wing, item, wanted, seconds=60):
    until = time.monotonic() + seconds
    while state(wing, item) != wanted:
        assert time.monotonic() < until, state(wing, item)
        time.sleep(0.05)


def until(page, script, seconds=60):
    """Ask again and again: the page's policy forbids the evaluation that wait_for_function uses."""
    end = time.monotonic() + seconds
    while not page.evaluate(script):
        assert time.monotonic() < end, script + " did not come true"
        page.wait_for_timeout(50)


def shown(one):
    return bytes.fromhex(one.page.get_attribute("#item", "data-item"))


def test_a_moderator_signs_in_is_dealt_an_item_and_approves_it(wing, desk):
    wing.acquaint()
    item = wing.post("Hello from cell 4")
    one = desk("ann")
    one.press("#deal")
    assert shown(one) == item
    expect(one.page.locator("#text")).to_contain_text("Hello from cell 4")
    one.press("#approve")
    one.page.wait_for_url(one.url + "/")
    expect(one.page.locator("body")).to_contain_text("Approved")
    assert wing.changed == [item] and one.violations == []


def test_keys_alone_take_a_moderator_from_login_to_the_next_item(wing, desk):
    """No mouse: tab, type, A; then a ground by its number, words, R."""
    wing.acquaint()
    first, second = wing.post("first", age_ms=2000), wing.post("second", age_ms=1000)
    one = desk()
    keys = one.page.keyboard
    one.page.goto(one.url + "/login")
    one.page.focus("#id_username")
    keys.type("ann")
    keys.press("Tab")
    keys.type("heron moss lantern quay")
    keys.press("Enter")
    one.page.wait_for_url(one.url + "/")
    for _ in range(20):
        keys.press("Tab")
        if one.page.evaluate("document.activeElement.id") == "deal":
            break
    keys.press("Enter")
    one.page.wait_for_selector(f'[data-item="{first.hex()}"][data-ready]')
    expect(one.page.locator("#approve")).to_be_visible()
    keys.press("a")
    one.page.wait_for_selector(f'[data-item="{second.hex()}"][data-ready]')
    assert state(wing, first) == "approved"
    keys.press("3")
    expect(one.page.locator("#reason-3")).to_be_checked()
    expect(one.page.locator("#preview")).to_contain_text("sexual")
    one.page.focus("#words")
    keys.type("arjs 1")
    expect(one.page.locator("#preview")).to_contain_text("arjs 1")
    keys.press("Escape")
    keys.press("r")
    one.page.wait_for_url(one.url + "/")
    assert state(wing, second) == "returned" and one.violations == []


def test_letters_typed_into_the_words_decide_nothing_and_the_keys_can_be_turned_off(wing, desk):
    wing.acquaint()
    item = wing.post("hello")
    one = desk("ann")
    one.press("#deal")
    one.page.wait_for_selector("#item[data-ready]")
    one.page.fill("#words", "")
    one.page.focus("#words")
    one.page.keyboard.type("as a rule")
    expect(one.page.locator("#words")).to_have_value("as a rule")
    one.page.uncheck("#keys")
    one.page.keyboard.press("a")
    one.page.wait_for_timeout(200)
    assert state(wing, item) == "claimed" and not [path for path in one.sent if path.startswith("/item/")]
    one.page.check("#keys")
    with one.page.expect_navigation():
        one.page.keyboard.press("a")  # the same key on the same page, now that it counts
    assert state(wing, item) == "approved"
    assert [path for path in one.sent if path.startswith("/item/")] == [f"/item/{item.hex()}/approve"]


def test_what_the_learner_will_read_is_shown_exactly(wing, desk):
    wing.post("hello")
    one = desk("ann")
    one.press("#deal")
    one.page.check("#reason-1", force=True)
    one.page.fill("#words", "Take the street out.")
    for box, language in (("#language-cy", "cy"), ("#language-en", "en")):
        one.page.check(box)
        expect(one.page.locator("#preview")).to_have_attribute("lang", language)
        said = one.page.evaluate("document.getElementById('preview').textContent")
        assert said == wing.moderation.words("return", 1, "Take the street out.", language)


def test_two_browsers_one_item_the_slower_one_is_told_and_keeps_the_note(wing, desk):
    wing.acquaint()
    item = wing.post("hello")
    ann = desk("ann")
    ann.press("#deal")
    assert shown(ann) == item
    wing.late_ms += 11 * 60 * 1000
    ben = desk("ben")
    ben.press("#deal")
    assert shown(ben) == item
    ben.page.check("#reason-4", force=True)
    ben.press("#return")
    ben.page.wait_for_url(ben.url + "/")
    ann.page.check("#reason-2", force=True)
    ann.page.fill("#words", "A note of some length")
    with ann.page.expect_response(re.compile("/reject$")) as answer:
        ann.page.click("#reject")
    assert answer.value.status == 409
    expect(ann.page.locator("#conflict-words")).to_have_text(
        re.compile(r"^Decided \d+ s ago by another moderator: returned, ground 4\. Nothing of yours was lost\.$")
    )
    expect(ann.page.locator("#kept-note")).to_have_value("A note of some length")
    assert state(wing, item) == "returned"
    with wing.store.read() as tx:
        assert len(queue.decisions_of(tx, item)) == 1


def test_a_decision_can_be_taken_back_before_it_is_signed_and_the_next_item_comes_at_once(wing, desk):
    wing.undo_s = 60
    wing.acquaint()
    first, second = wing.post("first", age_ms=2000), wing.post("second")
    one = desk("ann")
    one.press("#deal")
    one.press("#approve")
    one.page.wait_for_selector(f'[data-item="{second.hex()}"][data-ready]')
    expect(one.page.locator("#held")).to_contain_text("Undo for")
    assert state(wing, first) == "claimed"
    one.press("#held button:has-text('Undo')")
    one.page.wait_for_selector(f'[data-item="{first.hex()}"][data-ready]')
    one.page.wait_for_timeout(300)
    expect(one.page.locator("#held")).to_be_hidden()
    assert state(wing, first) == "claimed" and f"/item/{first.hex()}/approve" not in one.sent
    one.press("#approve")
    one.page.wait_for_selector(f'[data-item="{second.hex()}"][data-ready]')
    one.page.click("#held button:has-text('Sign now')")
    one.page.wait_for_selector('#held[data-state="done"]')
    assert state(wing, first) == "approved"


def test_a_held_decision_is_signed_by_itself_also_after_leaving_the_page(wing, desk):
    wing.undo_s = 60
    wing.acquaint()
    item = wing.post("hello")
    one = desk()
    one.page.clock.install()
    one.sign_in("ann")
    one.press("#deal")
    one.press("#approve")
    one.page.wait_for_url(one.url + "/")
    one.page.goto(one.url + "/queue")
    one.page.wait_for_selector('#held[data-state="held"]')
    assert state(wing, item) == "claimed"
    one.page.clock.fast_forward(60_000)
    wait_for_state(wing, item, "approved")


def test_a_held_decision_is_signed_before_signing_out(wing, desk):
    wing.undo_s = 60
    wing.acquaint()
    item = wing.post("hello")
    one = desk("ann")
    one.press("#deal")
    one.press("#approve")
    one.page.wait_for_selector("#held:not([hidden])")
    assert state(wing, item) == "claimed"
    one.page.click("#sign-out")
    one.page.wait_for_selector("#sign-in")
    assert state(wing, item) == "approved"


def test_a_held_decision_that_comes_too_late_leads_to_the_conflict_with_its_note(wing, desk):
    wing.undo_s = 60
    wing.acquaint()
    item = wing.post("hello")
    ann = desk()
    ann.page.clock.install()
    ann.sign_in("ann")
    ann.press("#deal")
    ann.page.check("#reason-2", force=True)
    ann.page.fill("#words", "kept words")
    ann.press("#return")
    ann.page.wait_for_selector('#held[data-state="held"]')
    wing.late_ms += 11 * 60 * 1000
    ann.page.clock.fast_forward(60_000)
    ann.page.wait_for_selector('#held[data-state="failed"]')
    ann.press("#held button:has-text('See what happened')")
    expect(ann.page.locator("#conflict #kept-note")).to_have_value("kept words")
    assert state(wing, item) == "claimed"


def test_an_approval_of_a_page_that_showed_other_readers_leads_back_to_the_item(wing, desk):
    wing.acquaint()
    item = wing.post("hello")
    one = desk("ann")
    one.press("#deal")
    expect(one.page.locator("#goes-to")).to_contain_text("3 people")
    wing.change(people.with_learner("hal", "Hal Y", ("writers",)))
    one.press("#approve")
    expect(one.page.locator("#conflict")).to_contain_text("Who gets this message changed since you saw it")
    assert state(wing, item) == "claimed"
    one.page.click("#conflict >> text=Back to the item")
    expect(one.page.locator("#goes-to")).to_contain_text("4 people")
    one.press("#approve")
    one.page.wait_for_url(one.url + "/")
    assert state(wing, item) == "awaiting_second", "one of the four is new to the author"


@pytest.fixture(scope="session")
def recording():
    """A second of picture and tone through the real media worker."""
    from hub_daemon.media import worker
    from tests.hub_daemon.staff.pictures import camera

    return worker.transcode(camera(2), "video/webm")


def test_a_video_begins_still_muted_and_grey_and_plays_to_two_people(wing, desk, recording):
    item = wing.video(recording.video, recording.contact_sheet, recording.still, recording.media_type, text="hi")
    one = desk("ann")
    one.press("#deal")
    page = one.page
    page.wait_for_selector("#item[data-ready]")
    expect(page.locator("#sheet")).to_be_visible()
    expect(page.locator("#video")).to_be_hidden()
    assert page.evaluate("document.getElementById('sheet').naturalWidth") > 100
    with wing.store.read() as tx:
        assert "video" not in {row["what"] for row in queue.readings_of(tx, item)}
    page.keyboard.press("Space")
    until(page, "document.getElementById('video').currentTime > 0.3")
    assert page.evaluate("document.getElementById('video').muted") is True
    assert "grayscale" in page.evaluate("getComputedStyle(document.getElementById('video')).filter")
    page.wait_for_selector('#wave[data-state="drawn"]')
    page.keyboard.press("]")
    assert page.evaluate("document.getElementById('video').playbackRate") == 1.5
    page.click("#sound")
    page.click("#colour")
    assert page.evaluate("document.getElementById('video').muted") is False
    assert page.evaluate("getComputedStyle(document.getElementById('video')).filter") == "none"
    one.press("#approve")
    page.wait_for_url(one.url + "/")
    assert state(wing, item) == "awaiting_second"
    two = desk("ben")
    two.press("#deal")
    expect(two.page.locator("#goes-to")).to_contain_text("first person has approved")
    two.press("#approve")
    two.page.wait_for_url(two.url + "/")
    assert state(wing, item) == "approved"
    assert one.violations == [] and two.violations == []


HOSTILE = (
    "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    "{{ 7|add:7 }} {% csrf_token %} &lt;b&gt; \" onmouseover=alert(1) '</textarea></title>"
)


def test_hostile_text_is_shown_and_does_nothing(wing, desk):
    """As text, name, group, mark, words and account name, on every page that shows them."""
    wing.change(
        people.with_learner("dai", "<b onclick=x>Dai</b>"),
        people.with_group("writers", "<script>1</script>", tuple(LEARNERS)),
    )
    item = wing.post(HOSTILE, marks=(("<i>mark</i>", HOSTILE),))
    one = desk()
    one.page.goto(one.url + "/login")
    one.page.fill("#id_username", '"><script>document.title="owned"</script>')
    one.page.fill("#id_password", "x")
    one.press("#sign-in")
    expect(one.page.locator(".govuk-error-summary")).to_be_visible()
    assert "owned" not in one.page.title()
    one.sign_in("ann")
    one.press("#deal")
    assert one.page.inner_text("#text") == HOSTILE
    paths = ["/", "/queue", "/people", "/history", "/log", "/enrol", f"/item/{item.hex()}"]
    for path in paths:
        one.page.goto(one.url + path)
        assert "owned" not in one.page.title(), path
        assert one.page.locator("main script, main [onclick], main [onerror], main b[onclick]").count() == 0, path
    assert one.violations == []


def test_what_cannot_be_seen_is_shown_as_its_code_point(wing, desk):
    wing.post("pass\u200bword \u202egnp.exe tag\U000e0041 nbsp\u00a0end")
    one = desk("ann")
    one.press("#deal")
    expect(one.page.locator("#text .perch-hidden")).to_have_text(["U+200B", "U+202E", "U+E0041", "U+00A0"])
    expect(one.page.locator("#text")).to_have_attribute("dir", "auto")


def test_right_to_left_text_reads_from_the_right(wing, desk):
    wing.post("مرحبا بالجميع")
    one = desk("ann")
    one.press("#deal")
    expect(one.page.locator("#text")).to_have_css("direction", "rtl")


def test_one_press_raises_an_alert_that_stands_on_top_of_start(wing, desk):
    item = wing.post("I cannot go on")
    one = desk("ann")
    one.press("#deal")
    one.page.wait_for_selector("#item[data-ready]")
    one.page.keyboard.press("s")
    one.page.wait_for_selector("[data-alert]")
    assert state(wing, item) == "escalated"
    one.press("text=I take this")
    one.page.fill("input[name=told]", "Orderly officer, 14:05")
    one.press("text=Close")
    expect(one.page.locator("button:has-text('Confirm')")).to_be_disabled()
    two = desk("cat")
    expect(two.page.locator("[data-alert]")).to_have_count(1)
    two.press("button:has-text('Confirm')")
    expect(two.page.locator("[data-alert]")).to_have_count(0)
    assert state(wing, item) == "pending"


def test_two_administrators_enrol_a_device_by_its_six_digits(wing, desk):
    import hashlib

    from protocol import crypto

    ann = desk("ann")
    ann.page.goto(ann.url + "/enrol")
    ann.page.select_option("#bay", "bay-1")
    ann.page.select_option("#learner", "dai")
    ann.page.click("#open-window")
    ann.page.wait_for_selector('[data-enrolment][data-state="open"]')
    window = wing.enrolment.window_of("bay-1")
    seed = hashlib.sha256(b"device").digest()
    public = crypto.default().public_key(seed)
    x25519 = crypto.default().x25519(seed, (9).to_bytes(32, "little"))
    wing.enrolment.offer(window.id, "492817", Request(ed25519=public, x25519=x25519, proof=b"x" * 100, model="test"))
    expect(ann.page.locator("#digits")).to_have_text("492817")
    ann.page.click("#confirm")
    confirmed = ann.page.locator('[data-enrolment][data-state="confirmed"]')
    expect(confirmed).to_contain_text("Another administrator has to countersign")
    ann.page.wait_for_load_state()
    expect(ann.page.locator("#countersign")).to_have_count(0)
    ben = desk("ben")
    ben.page.goto(ben.url + "/enrol")
    expect(ben.page.locator("#digits")).to_have_text("492817")
    ben.page.click("#countersign")
    ben.page.wait_for_selector('[data-enrolment][data-state="granted"]')
    wing.members.load()
    assert [device.learner for device in wing.members.register.devices] == ["dai"]
    assert wing.people.roster().version == 3


def test_two_administrators_add_staff_on_the_page_and_the_new_one_signs_in(wing, desk):
    ann = desk("ann")
    ann.page.goto(ann.url + "/people")
    for box, value in (("person", "dot"), ("name", "Dot Dean"), ("phrase", "otter willow anvil nine"),
                       ("again", "otter willow anvil nine")):
        ann.page.fill(f"#staff-{box}", value)
    ann.page.check("#role-moderator", force=True)
    ann.press("#add-staff")
    expect(ann.page.locator("body")).to_contain_text("Dot Dean is proposed")
    ben = desk("ben")
    ben.page.goto(ben.url + "/people")
    ben.press(".perch-sign")
    expect(ben.page.locator("body")).to_contain_text("Signed. Roster")
    dot = desk()
    dot.page.goto(dot.url + "/login")
    dot.page.fill("#id_username", "dot")
    dot.page.fill("#id_password", "otter willow anvil nine")
    dot.press("#sign-in")
    expect(dot.page.locator("#deal")).to_be_visible()
    expect(dot.page.locator("header")).to_contain_text("Dot Dean")


def test_pages_without_anything_say_what_to_do_next(wing, desk):
    one = desk("ann")
    for path, words in (
        ("/", "Everything is decided"), ("/queue", "Nothing waits"), ("/history", "No decision matches"),
        ("/enrol", "No window is open"),
    ):
        one.page.goto(one.url + path)
        expect(one.page.locator("main"), path).to_contain_text(words)
    one.press("text=Queue")
    one.press("#deal")
    expect(one.page.locator("body")).to_contain_text("Nothing waits for you now")
    one.page.goto(one.url + "/nowhere")
    expect(one.page.locator("main")).to_contain_text("There is no such page")


def test_every_control_has_a_name_and_every_page_one_heading_and_a_title(wing, desk):
    """What of WCAG 2.2 a script can see: names, labels, headings, titles, language, alternative texts."""
    wing.video(b"m" * 100, b"s" * 100, b"j" * 100, text="hi")
    one = desk("ann")
    one.press("#deal")
    titles = set()
    item = one.page.url[len(one.url) :]
    for path in ("/login", "/", "/queue", "/bays", "/people", "/enrol", "/history", "/log", item):
        one.page.goto(one.url + path)
        titles.add(one.page.title())
        nameless = one.page.evaluate(
            """[...document.querySelectorAll('main button, main a[href], main input:not([type=hidden]), main select,'
               + ' main textarea, main img, header button')].filter(e => {
                 const label = e.labels && e.labels.length ? e.labels[0].textContent : '';
                 const name = e.getAttribute('aria-label') || e.getAttribute('alt') || label || e.textContent;
                 return !name.trim();
               }).map(e => e.outerHTML)"""
        )
        assert nameless == [], path
        expect(one.page.locator("h1"), path).to_have_count(1)
        expect(one.page.locator("html"), path).to_have_attribute("lang", "en")
        ids = one.page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
        assert len(ids) == len(set(ids)), path
    assert len(titles) >= 8


def test_an_alert_appears_on_start_by_itself(wing, desk):
    item = wing.post("I cannot go on")
    one = desk("ann")
    one.page.mouse.click(5, 5)
    wing.moderation.safeguard("cat", item)
    one.page.wait_for_selector("[data-alert]", timeout=60_000)
    assert one.violations == []


def test_everything_a_form_can_do_works_without_script(wing, desk):
    """Also with a time to undo: without script a decision is sent at once."""
    wing.undo_s = 5
    wing.acquaint()
    first, second = wing.post("first", age_ms=2000), wing.post("second")
    one = desk("ann", java_script_enabled=False)
    one.press("#deal")
    one.press("#approve")
    expect(one.page.locator("body")).to_contain_text("Approved.")
    assert state(wing, first) == "approved"
    assert shown(one) == second
    one.page.check("#reason-5", force=True)
    one.press("#reject")
    expect(one.page.locator("body")).to_contain_text("Rejected.")
    assert state(wing, second) == "rejected"
    one.press("#sign-out")
    expect(one.page.locator("#sign-in")).to_be_visible()


def test_a_narrow_or_enlarged_page_needs_no_sideways_scrolling(wing, desk):
    """WCAG 1.4.10: 320 CSS pixels wide."""
    wing.post("a" * 200 + " words")
    one = desk("ann", screen={"width": 320, "height": 800})
    one.page.set_viewport_size({"width": 320, "height": 800})
    one.press("#deal")
    for path in (one.page.url[len(one.url) :], "/", "/enrol", "/people", "/account"):
        one.page.goto(one.url + path)
        wide = one.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 320, (path, wide)
