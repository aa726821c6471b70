"""The staff page in real Chromium: keys, undo, conflict, video, hostile text."""

from __future__ import annotations

import re
import time

import pytest

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


def shown(one):
    return bytes.fromhex(one.page.get_attribute("#item", "data-item"))


def test_a_moderator_signs_in_is_dealt_an_item_and_approves_it(wing, desk):
    wing.acquaint()
    item = wing.post("Hello from cell 4")
    one = desk("ann")
    one.page.click("#deal")
    assert shown(one) == item
    assert "Hello from cell 4" in one.page.inner_text("#text")
    one.page.click("#approve")
    one.page.wait_for_url(one.url + "/")
    assert "Approved" in one.page.inner_text("body")
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
    one.page.wait_for_selector("#deal")
    for _ in range(20):
        keys.press("Tab")
        if one.page.evaluate("document.activeElement.id") == "deal":
            break
    keys.press("Enter")
    one.page.wait_for_selector("#approve")
    assert shown(one) == first
    one.page.wait_for_selector("#item[data-ready]")
    keys.press("a")
    one.page.wait_for_selector(f'[data-item="{second.hex()}"][data-ready]')
    assert state(wing, first) == "approved"
    keys.press("3")
    assert one.page.is_checked("#reason-3") and "sexual" in one.page.inner_text("#preview")
    one.page.focus("#words")
    keys.type("arjs 1")
    assert "arjs 1" in one.page.inner_text("#preview")
    keys.press("Escape")
    keys.press("r")
    one.page.wait_for_url(one.url + "/")
    assert state(wing, second) == "returned" and one.violations == []


def test_letters_typed_into_the_words_decide_nothing_and_the_keys_can_be_turned_off(wing, desk):
    wing.acquaint()
    item = wing.post("hello")
    one = desk("ann")
    one.page.click("#deal")
    one.page.fill("#words", "")
    one.page.focus("#words")
    one.page.keyboard.type("as a rule")
    one.page.uncheck("#keys")
    one.page.keyboard.press("a")
    one.page.wait_for_timeout(200)
    assert state(wing, item) == "claimed"


def test_what_the_learner_will_read_is_shown_exactly(wing, desk):
    wing.post("hello")
    one = desk("ann")
    one.page.click("#deal")
    one.page.check("#reason-1", force=True)
    one.page.fill("#words", "Take the street out.")
    for box, language in (("#language-cy", "cy"), ("#language-en", "en")):
        one.page.check(box)
        said = one.page.evaluate("document.getElementById('preview').textContent")
        assert said == wing.moderation.words("return", 1, "Take the street out.", language)


def test_two_browsers_one_item_the_slower_one_is_told_and_keeps_the_note(wing, desk):
    wing.acquaint()
    item = wing.post("hello")
    ann = desk("ann")
    ann.page.click("#deal")
    assert shown(ann) == item
    wing.late_ms += 11 * 60 * 1000
    ben = desk("ben")
    ben.page.click("#deal")
    assert shown(ben) == item
    ben.page.check("#reason-4", force=True)
    ben.page.click("#return")
    ben.page.wait_for_url(ben.url + "/")
    ann.page.check("#reason-2", force=True)
    ann.page.fill("#words", "A note of some length")
    with ann.page.expect_response(re.compile("/reject$")) as answer:
        ann.page.click("#reject")
    assert answer.value.status == 409
    words = ann.page.inner_text("#conflict-words")
    assert re.fullmatch(
        r"Decided \d+ s ago by another moderator: returned, ground 4\. Nothing of yours was lost\.", words
    )
    assert ann.page.input_value("#kept-note") == "A note of some length"
    assert state(wing, item) == "returned"
    with wing.store.read() as tx:
        assert len(queue.decisions_of(tx, item)) == 1


def test_a_decision_can_be_taken_back_before_it_is_signed_and_the_next_item_comes_at_once(wing, desk):
    wing.undo_s = 5
    wing.acquaint()
    first, second = wing.post("first", age_ms=2000), wing.post("second")
    one = desk("ann")
    one.page.click("#deal")
    one.page.click("#approve")
    one.page.wait_for_selector(f'[data-item="{second.hex()}"]')
    assert "Undo for" in one.page.inner_text("#held") and state(wing, first) == "claimed"
    one.page.click("#held button:has-text('Undo')")
    one.page.wait_for_selector(f'[data-item="{first.hex()}"]')
    one.page.wait_for_timeout(300)
    assert state(wing, first) == "claimed" and one.page.is_hidden("#held")
    one.page.click("#approve")
    one.page.wait_for_selector(f'[data-item="{second.hex()}"]')
    one.page.click("#held button:has-text('Sign now')")
    one.page.wait_for_selector('#held[data-state="done"]')
    assert state(wing, first) == "approved"


def test_a_held_decision_is_signed_by_itself_also_after_leaving_the_page(wing, desk):
    wing.undo_s = 2
    wing.acquaint()
    item = wing.post("hello")
    one = desk("ann")
    one.page.click("#deal")
    one.page.click("#approve")
    one.page.wait_for_url(one.url + "/")
    one.page.goto(one.url + "/queue")
    assert state(wing, item) == "claimed"
    wait_for_state(wing, item, "approved")


def test_a_held_decision_is_signed_before_signing_out(wing, desk):
    wing.undo_s = 60
    wing.acquaint()
    item = wing.post("hello")
    one = desk("ann")
    one.page.click("#deal")
    one.page.click("#approve")
    one.page.wait_for_selector("#held:not([hidden])")
    one.page.click("#sign-out")
    one.page.wait_for_selector("#sign-in")
    assert state(wing, item) == "approved"


def test_a_held_decision_that_comes_too_late_leads_to_the_conflict_with_its_note(wing, desk):
    wing.undo_s = 1
    wing.acquaint()
    item = wing.post("hello")
    ann = desk("ann")
    ann.page.click("#deal")
    ann.page.check("#reason-2", force=True)
    ann.page.fill("#words", "kept words")
    ann.page.click("#return")
    wing.late_ms += 11 * 60 * 1000
    ann.page.wait_for_selector('#held[data-state="failed"]')
    ann.page.click("#held button:has-text('See what happened')")
    ann.page.wait_for_selector("#conflict")
    assert ann.page.input_value("#kept-note") == "kept words" and state(wing, item) == "claimed"


@pytest.fixture(scope="session")
def recording():
    """A second of picture and tone through the real media worker."""
    from hub_daemon.media import worker
    from tests.hub_daemon.staff.pictures import camera

    return worker.transcode(camera(2), "video/webm")


def test_a_video_begins_still_muted_and_grey_and_plays_to_two_people(wing, desk, recording):
    item = wing.video(recording.video, recording.contact_sheet, recording.still, recording.media_type, text="hi")
    one = desk("ann")
    one.page.click("#deal")
    page = one.page
    page.wait_for_selector("#item[data-ready]")
    assert page.is_visible("#sheet") and page.is_hidden("#video")
    assert page.evaluate("document.getElementById('sheet').naturalWidth") > 100
    with wing.store.read() as tx:
        assert "video" not in {row["what"] for row in queue.readings_of(tx, item)}
    page.keyboard.press("Space")
    until = time.monotonic() + 60
    while page.evaluate("document.getElementById('video').currentTime") <= 0.3:
        assert time.monotonic() < until, "the video does not play"
        page.wait_for_timeout(50)
    assert page.evaluate("document.getElementById('video').muted") is True
    assert "grayscale" in page.evaluate("getComputedStyle(document.getElementById('video')).filter")
    page.wait_for_selector('#wave[data-state="drawn"]')
    page.keyboard.press("]")
    assert page.evaluate("document.getElementById('video').playbackRate") == 1.5
    page.click("#sound")
    page.click("#colour")
    assert page.evaluate("document.getElementById('video').muted") is False
    assert page.evaluate("getComputedStyle(document.getElementById('video')).filter") == "none"
    page.click("#approve")
    page.wait_for_url(one.url + "/")
    assert state(wing, item) == "awaiting_second"
    two = desk("ben")
    two.page.click("#deal")
    assert "first person has approved" in two.page.inner_text("#goes-to")
    two.page.click("#approve")
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
    one.page.click("#sign-in")
    assert "owned" not in one.page.title()
    one.sign_in("ann")
    one.page.click("#deal")
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
    one.page.click("#deal")
    boxes = one.page.locator("#text .perch-hidden").all_inner_texts()
    assert boxes == ["U+200B", "U+202E", "U+E0041", "U+00A0"]
    assert one.page.get_attribute("#text", "dir") == "auto"


def test_right_to_left_text_reads_from_the_right(wing, desk):
    wing.post("مرحبا بالجميع")
    one = desk("ann")
    one.page.click("#deal")
    assert one.page.evaluate("getComputedStyle(document.getElementById('text')).direction") == "rtl"


def test_one_press_raises_an_alert_that_stands_on_top_of_start(wing, desk):
    item = wing.post("I cannot go on")
    one = desk("ann")
    one.page.click("#deal")
    one.page.wait_for_selector("#item[data-ready]")
    one.page.keyboard.press("s")
    one.page.wait_for_selector("[data-alert]")
    assert state(wing, item) == "escalated"
    one.page.click("text=I take this")
    one.page.fill("input[name=told]", "Orderly officer, 14:05")
    one.page.click("text=Close")
    assert one.page.locator("button:has-text('Confirm')").is_disabled()
    two = desk("cat")
    two.page.click("button:has-text('Confirm')")
    assert two.page.locator("[data-alert]").count() == 0
    assert state(wing, item) == "pending"


def test_two_administrators_enrol_a_device_by_its_six_digits(wing, desk):
    import hashlib

    from protocol import crypto

    ann = desk("ann")
    ann.page.goto(ann.url + "/enrol")
    ann.page.select_option("#bay", "bay-1")
    ann.page.select_option("#learner", "dai")
    ann.page.click("#open-window")
    window = wing.enrolment.window_of("bay-1")
    seed = hashlib.sha256(b"device").digest()
    public = crypto.default().public_key(seed)
    x25519 = crypto.default().x25519(seed, (9).to_bytes(32, "little"))
    wing.enrolment.offer(window.id, "492817", Request(ed25519=public, x25519=x25519, proof=b"x" * 100, model="test"))
    ann.page.wait_for_selector("#digits", timeout=5000)
    assert ann.page.inner_text("#digits") == "492817"
    ann.page.click("#confirm")
    assert ann.page.locator("#countersign").count() == 0
    ben = desk("ben")
    ben.page.goto(ben.url + "/enrol")
    assert ben.page.inner_text("#digits") == "492817"
    ben.page.click("#countersign")
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
    ann.page.click("#add-staff")
    ben = desk("ben")
    ben.page.goto(ben.url + "/people")
    ben.page.click(".perch-sign")
    dot = desk()
    dot.page.goto(dot.url + "/login")
    dot.page.fill("#id_username", "dot")
    dot.page.fill("#id_password", "otter willow anvil nine")
    dot.page.click("#sign-in")
    dot.page.wait_for_selector("#deal")
    assert "Dot Dean" in dot.page.inner_text("header")


def test_pages_without_anything_say_what_to_do_next(wing, desk):
    one = desk("ann")
    for path, words in (
        ("/", "Everything is decided"), ("/queue", "Nothing waits"), ("/history", "No decision matches"),
        ("/enrol", "No window is open"),
    ):
        one.page.goto(one.url + path)
        assert words in one.page.inner_text("main"), path
    one.page.click("text=Queue")
    one.page.click("#deal")
    assert "Nothing waits for you now" in one.page.inner_text("body")
    one.page.goto(one.url + "/nowhere")
    assert "There is no such page" in one.page.inner_text("main")


def test_every_control_has_a_name_and_every_page_one_heading_and_a_title(wing, desk):
    """What of WCAG 2.2 a script can see: names, labels, headings, titles, language, alternative texts."""
    wing.video(b"m" * 100, b"s" * 100, b"j" * 100, text="hi")
    one = desk("ann")
    one.page.click("#deal")
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
        assert one.page.locator("h1").count() == 1, path
        assert one.page.get_attribute("html", "lang") == "en"
        ids = one.page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
        assert len(ids) == len(set(ids)), path
    assert len(titles) >= 8


def test_an_alert_appears_on_start_by_itself(wing, desk):
    item = wing.post("I cannot go on")
    one = desk("ann")
    one.page.mouse.click(5, 5)
    wing.moderation.safeguard("cat", item)
    one.page.wait_for_selector("[data-alert]", timeout=20000)
    assert one.violations == []


def test_everything_a_form_can_do_works_without_script(wing, desk):
    """Also with a time to undo: without script a decision is sent at once."""
    wing.undo_s = 5
    wing.acquaint()
    first, second = wing.post("first", age_ms=2000), wing.post("second")
    one = desk("ann", java_script_enabled=False)
    one.page.click("#deal")
    one.page.click("#approve")
    assert "Approved." in one.page.inner_text("body") and state(wing, first) == "approved"
    assert shown(one) == second
    one.page.check("#reason-5", force=True)
    one.page.click("#reject")
    assert "Rejected." in one.page.inner_text("body") and state(wing, second) == "rejected"
    one.page.click("#sign-out")
    assert one.page.is_visible("#sign-in")


def test_a_narrow_or_enlarged_page_needs_no_sideways_scrolling(wing, desk):
    """WCAG 1.4.10: 320 CSS pixels wide."""
    wing.post("a" * 200 + " words")
    one = desk("ann", screen={"width": 320, "height": 800})
    one.page.set_viewport_size({"width": 320, "height": 800})
    one.page.click("#deal")
    for path in (one.page.url[len(one.url) :], "/", "/enrol", "/people", "/account"):
        one.page.goto(one.url + path)
        wide = one.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 320, (path, wide)
