"""The learner's page in a real browser: keyboard, hostile text, drafts, recording, and what one can see."""

import hashlib
import re
import time

import pytest
from playwright.sync_api import Error, expect

from tests.firmware.page.serving import STILL, Cell, Served

HOSTILE = (
    '<script>window.owned=1</script><img src=x onerror="window.owned=2">'
    "\" onmouseover='x' </p></textarea>&lt;b&gt; {0} %s ' OR 1=1"
)


def test_one_can_write_and_send_with_the_keyboard_alone(cell, site, tab):
    tab.goto(site.url + "/")
    press_to(tab, "Groups")
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/groups")
    press_to(tab, "reading")
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/group/reading")
    press_to(tab, "Write something new")
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/write?*")
    press_to(tab, None, "text")
    tab.keyboard.type("A plan for spring\nWe could grow beans.")
    press_to(tab, "Send when I dock")
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/waiting?saved=1")
    expect(tab.locator("#saved")).to_contain_text("Nobody sees it until you dock")
    item = cell.device.waiting()[0]["item"]
    assert cell.device.outbox.text(item) == "A plan for spring\nWe could grow beans."


def until(tab, script, seconds=60):
    """Ask again and again: the page's policy forbids the evaluation that wait_for_function uses."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if tab.evaluate(script):
                return
        except Error:
            pass  # the page is just being loaded again
        tab.wait_for_timeout(50)
    raise AssertionError(script + " did not come true")


def press_to(tab, words, identity=None):
    """Tab on until the control with these words or this id has the focus, which must be visible."""
    for _ in range(40):
        tab.keyboard.press("Tab")
        here = tab.evaluate(
            "() => { const e = document.activeElement, s = getComputedStyle(e);"
            " return [e.innerText || '', e.id, s.outlineStyle, parseFloat(s.outlineWidth)]; }"
        )
        if (words is not None and here[0].strip().startswith(words)) or (identity is not None and here[1] == identity):
            assert here[2] != "none" and here[3] >= 2, here
            return
    raise AssertionError(f"{words or identity} cannot be reached with the Tab key")


def test_the_skip_link_is_first_and_leads_to_the_page(site, tab):
    tab.goto(site.url + "/help")
    tab.keyboard.press("Tab")
    expect(tab.locator(".skip")).to_be_focused()
    tab.keyboard.press("Enter")
    expect(tab.locator("#main")).to_be_focused()


def test_hostile_text_is_inert_everywhere(cell, site, tab):
    root = cell.receive(HOSTILE + "\n" + HOSTILE)
    cell.receive(HOSTILE, parent=root)
    back = cell.device.write_post("reading", None, HOSTILE)
    cell.send_back(back, 9, HOSTILE)
    cell.device.save_draft("new-reading", HOSTILE)
    cell.device.log("open", HOSTILE[:100])
    for path in ("/", "/group/reading", "/thread/" + root.hex(), "/back", "/appeal/" + back.hex(), "/waiting",
                 "/write?group=reading", "/write?to=" + root.hex(), "/write?again=" + back.hex(), "/recorded",
                 "/record?to=" + root.hex()):
        tab.goto(site.url + path)
        assert tab.title().endswith("– Perch") and tab.evaluate("window.owned === undefined"), path
        assert tab.locator("main img[src='x'], main script:not([src])").count() == 0, path
    tab.goto(site.url + "/thread/" + root.hex())
    assert HOSTILE in tab.locator(".words").first.inner_text()
    tab.goto(site.url + "/write?group=reading")
    assert tab.input_value("#text") == HOSTILE


def test_arabic_runs_from_the_right_and_english_from_the_left(cell, site, tab):
    root = cell.receive("مرحبا بالعالم\nكيف حالك اليوم؟")
    cell.receive("Fine, thank you.", parent=root)
    tab.goto(site.url + "/thread/" + root.hex())
    ways = tab.locator(".words").evaluate_all("all => all.map(e => getComputedStyle(e).direction)")
    assert ways == ["rtl", "ltr"]


def test_a_draft_survives_reloading_and_a_new_start_of_the_device(cell, site, tab):
    tab.goto(site.url + "/write?group=reading")
    tab.fill("#text", "Not finished yet: ŵyl مرحبا")
    expect(tab.locator("#kept")).to_have_text(re.compile("^Kept"))
    tab.reload()
    expect(tab.locator("#text")).to_have_value("Not finished yet: ŵyl مرحبا")
    again = Cell.__new__(Cell)
    again.device = type(cell.device)(cell.device.storage, cell.device.random, cell.device.clock_s)
    with Served(again.device) as other:
        tab.goto(other.url + "/write?group=reading")
        expect(tab.locator("#text")).to_have_value("Not finished yet: ŵyl مرحبا")


def test_words_typed_a_moment_before_leaving_are_kept(cell, site, tab):
    tab.goto(site.url + "/write?group=reading")
    tab.locator("#text").press_sequentially("Gone")
    tab.goto(site.url + "/help")
    end = time.monotonic() + 60
    while cell.device.draft("new-reading") != "Gone":  # nothing says when what a page sends as it is left has come
        assert time.monotonic() < end, cell.device.draft("new-reading")
        tab.wait_for_timeout(50)
    tab.goto(site.url + "/write?group=reading")
    expect(tab.locator("#text")).to_have_value("Gone")


def test_sending_leaves_no_draft_behind(cell, site, tab):
    for number in range(3):
        tab.goto(site.url + "/write?group=reading")
        tab.locator("#text").press_sequentially(f"Post {number}")
        tab.wait_for_timeout(450)  # a draft is just under way when the button is pressed
        tab.click("#send")
        tab.wait_for_url("**/waiting?saved=1")
        tab.goto(site.url + "/write?group=reading")
        expect(tab.locator("#text")).to_have_value("")
    assert len(cell.device.waiting()) == 3


def test_a_post_that_is_empty_or_too_long_says_so_and_keeps_the_words(cell, site, tab):
    tab.expected.append("422")  # Chromium reports the status itself
    tab.goto(site.url + "/write?group=reading")
    with tab.expect_navigation():
        tab.click("#send")
    expect(tab.locator("#wrong")).to_contain_text("no words yet")
    tab.fill("#text", "ب" * 2001)
    expect(tab.locator("#room")).to_have_text("Room left: -2")
    with tab.expect_navigation():
        tab.click("#send")
    expect(tab.locator("#wrong")).to_contain_text("too long")
    expect(tab.locator("#text")).to_have_value("ب" * 2001)


def test_recording_three_seconds_and_keeping_them_shows_them_waiting_byte_for_byte(cell, site, tab):
    tab.add_init_script(
        "const made = URL.createObjectURL;"
        "URL.createObjectURL = (blob) => { window.kept = blob; return made.call(URL, blob); };"
        "addEventListener('DOMContentLoaded', () => {"
        "  const big = document.getElementById('big');"
        "  window.counted = [];"
        "  if (big) new MutationObserver(() => counted.push(big.textContent)).observe(big, { childList: true }); });"
    )
    tab.goto(site.url + "/record?group=reading")
    expect(tab.locator("#live")).to_be_hidden()
    tab.fill("#text", "Me at the door")
    began = time.monotonic()
    tab.click("#record-start")
    tab.wait_for_selector("#live", state="visible")
    tab.wait_for_selector("#record-stop", state="visible")
    until(tab, "counted.length > 3")
    assert tab.evaluate("counted.slice(0, 4)") == ["3", "2", "1", "30"]
    tab.wait_for_timeout(3000)
    until(tab, "document.getElementById('ring').getAttribute('stroke-dasharray').split(' ')[0] > 8")
    tab.click("#record-stop")
    seconds = time.monotonic() - began - 3  # it counts three, then records
    tab.wait_for_selector("#record-keep", state="visible")
    expect(tab.locator("#live")).to_be_hidden()
    digest = tab.evaluate(
        "async () => [...new Uint8Array(await crypto.subtle.digest('SHA-256', await kept.arrayBuffer()))]"
        ".map(b => b.toString(16).padStart(2, '0')).join('')"
    )
    tab.click("#record-keep")
    tab.wait_for_url("**/waiting?saved=*")
    row = cell.device.waiting()[0]
    expect(tab.locator(".card.waiting")).to_have_attribute("data-item", row["item"].hex())
    expect(tab.locator(".card.waiting")).to_contain_text("Me at the door")
    media_type, size, read = cell.device.own_media(row["item"])
    stored = read(0, size)
    assert (media_type, hashlib.sha256(stored).hexdigest()) == ("video/webm", digest)
    assert 20_000 < size < max(3, seconds) / 30 * 1_048_576 * 2
    until(tab, "document.querySelector('.message-video').readyState >= 1")
    tab.evaluate("document.querySelector('.message-video').play()")
    until(tab, "document.querySelector('.message-video').currentTime > 0.3")


def test_a_file_goes_up_in_slices_and_a_lost_answer_changes_nothing(cell, site, tab):
    data = bytes(range(256)) * 300
    lost = []

    def lose(route):
        if len(lost) < 3 and "offset" in route.request.url:
            lost.append(route.request.url)
            route.fetch()
            route.abort()
        else:
            route.continue_()

    tab.expected += ["ERR_FAILED", "DEMUXER"]
    tab.route("**/append?*", lose)
    tab.goto(site.url + "/record?group=reading")
    tab.set_input_files("#record-file", {"name": "me.webm", "mimeType": "video/webm", "buffer": data})
    tab.click("#record-keep")
    tab.wait_for_url("**/waiting?saved=*")
    item = cell.device.waiting()[0]["item"]
    _, size, read = cell.device.own_media(item)
    assert read(0, size) == data and len(lost) == 3
    assert cell.device.waiting()[0]["text"] == "A video message"


def test_a_file_that_is_no_video_or_too_large_is_refused_in_words(site, tab):
    tab.goto(site.url + "/record?group=reading")
    tab.set_input_files("#record-file", {"name": "me.txt", "mimeType": "text/plain", "buffer": b"hello"})
    expect(tab.locator("#say")).to_contain_text("not a video")
    large = bytes(4 * 1024 * 1024 + 1)
    tab.set_input_files("#record-file", {"name": "me.webm", "mimeType": "video/webm", "buffer": large})
    expect(tab.locator("#say")).to_contain_text("too big")


def test_without_a_camera_the_page_offers_a_file(chromium, site):
    context = chromium.new_context()
    page = context.new_page()
    page.add_init_script("navigator.mediaDevices.getUserMedia = () => Promise.reject(new Error('none'));")
    page.goto(site.url + "/record?group=reading")
    page.click("#record-start")
    expect(page.locator("#say")).to_contain_text("no camera")
    expect(page.locator("#record-file")).to_be_focused()
    context.close()


def test_an_approved_video_plays_from_the_device(cell, site, tab, recording):
    root = cell.receive("A film\nof me", video=recording, still=STILL)
    tab.goto(site.url + "/thread/" + root.hex())
    video = tab.locator("video.message-video")
    expect(video).to_have_attribute("poster", re.compile("^/media/"))
    video.evaluate("v => v.play()")
    until(tab, "document.querySelector('video').currentTime > 0.3")
    assert [entry.action for entry in cell.device.journal_entries(0, 99)][-1] == "play"


@pytest.fixture(scope="module")
def recording(chromium, tmp_path_factory):
    """A second of Chromium's own picture, made by the page as a learner makes it."""
    cell = Cell(tmp_path_factory.mktemp("camera") / "ann")
    with Served(cell.device) as site:
        page = chromium.new_page()
        page.goto(site.url + "/record?group=reading")
        page.click("#record-start")
        page.wait_for_selector("#record-stop", state="visible")
        page.wait_for_timeout(1500)
        page.click("#record-stop")
        page.click("#record-keep")
        page.wait_for_url("**/waiting?saved=*")
        page.close()
        _, size, read = cell.device.own_media(cell.device.waiting()[0]["item"])
        return read(0, size)


def test_the_dock_is_live_in_words_picture_and_bar(cell, site, tab):
    tab.goto(site.url + "/")
    expect(tab.locator(".dock-lifted")).to_be_visible()
    expect(tab.locator(".dock-docked")).to_be_hidden()
    cell.device.docked, cell.device.can_lift, cell.device.progress = True, False, (300_000, 1_000_000)
    expect(tab.locator("#status")).to_contain_text("do not lift")
    expect(tab.locator("#status")).to_contain_text("293 KB of 977 KB")
    expect(tab.locator(".dock-docked")).to_be_visible()
    expect(tab.locator("#bar")).to_have_js_property("value", 300_000)
    cell.device.can_lift, cell.device.sent, cell.device.new = True, 3, 2
    cell.device.saved_at_s = cell.wing.now_s
    expect(tab.locator("#status")).to_contain_text("You can lift the device")
    expect(tab.locator("#status")).to_have_text(re.compile(r"^3 sent, 0 waiting for review, 2 new\. Saved at "))


def test_the_six_digits_come_up_by_themselves(tmp_path, tab):
    new = Cell(tmp_path / "new", enrolled=False)
    with Served(new.device) as site:
        tab.goto(site.url + "/")
        expect(tab.locator("#digits")).to_be_hidden()
        new.device.digits = "402817"
        expect(tab.locator("#digits")).to_have_text("402 817")
        expect(tab.locator("#digits")).to_be_visible()
        until(tab, "parseFloat(getComputedStyle(document.getElementById('digits')).fontSize) >= 50")
        tab.focus("#digits-same")
        with tab.expect_navigation():
            tab.keyboard.press("Enter")
        expect(tab.locator("#digits")).to_be_visible()
        expect(tab.locator("#digits-same")).to_have_count(0)
        assert new.device.agreed is True
        new.device.agreed, new.device.digits = None, "111222"  # in this order: the page looks at the digits
        expect(tab.locator("#digits")).to_have_text("111 222")
        expect(tab.locator("#digits-same")).to_be_visible()


def test_everything_but_recording_works_without_javascript(chromium, cell, site):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(site.url + "/group/reading")
    page.click("#write")
    page.fill("#text", "Kept without a script")
    page.click("#keep-draft")
    page.click("#write")
    expect(page.locator("#text")).to_have_value("Kept without a script")
    page.click("#send")
    page.wait_for_url("**/waiting?saved=1")
    assert [row["text"] for row in cell.device.waiting()] == ["Kept without a script"]
    page.goto(site.url + "/settings")
    page.check("#colour-dark")
    page.click("#settings-save")
    expect(page.locator("html")).to_have_class(re.compile(r"\bcolour-dark\b"))
    page.click("footer button")
    expect(page.locator("html")).to_have_attribute("lang", "cy")
    cell.device.docked, cell.device.can_lift = True, False
    page.goto(site.url + "/")
    expect(page.locator("meta[http-equiv=refresh]")).to_have_count(1)
    context.close()


def test_reading_aloud_is_offered_to_who_asked_for_it_only(cell, site, tab):
    root = cell.receive("A title\nWords to hear")
    tab.goto(site.url + "/thread/" + root.hex())
    expect(tab.locator(".say")).to_have_count(0)
    tab.goto(site.url + "/settings")
    tab.check("#read-yes")
    tab.click("#settings-save")
    tab.wait_for_url("**/settings?saved=1")
    tab.goto(site.url + "/thread/" + root.hex())
    tab.evaluate("window.heard = []; speechSynthesis.speak = (said) => window.heard.push([said.text, said.lang]); 0")
    tab.locator(".message .say").click()
    assert tab.evaluate("window.heard") == [["Words to hear", "en-GB"]]
