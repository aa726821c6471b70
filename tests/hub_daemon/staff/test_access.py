"""Who gets in, who may do what, and that nothing on the hub's disk can sign in anybody's name."""

from __future__ import annotations

import base64
import sqlite3

import pytest

from hub_daemon.staff import media
from hub_daemon.store import log, people, queue
from tests.hub_daemon.staff.visitor import Visitor
from tests.hub_daemon.staff.wing_on_a_table import PHRASES

OPEN_TO_ALL = {"login", "static"}
EXAMPLES = {"item": "ab" * 32, "name": "perch.css", "number": "1", "act": "sign", "role": "video"}


def every_url():
    """(name, path with example values) of every pattern there is."""
    from hub_daemon.staff.urls import urlpatterns

    for pattern in urlpatterns:
        route = str(pattern.pattern)
        for name in pattern.pattern.converters:
            for kind in ("item:", "int:", "str:", "path:"):
                route = route.replace(f"<{kind}{name}>", EXAMPLES[name])
        assert "<" not in route
        yield pattern.name, "/" + route


@pytest.fixture
def visitor(page_url):
    return Visitor(page_url)


@pytest.fixture
def ann(page_url):
    made = Visitor(page_url)
    assert made.sign_in("ann", PHRASES["ann"]).status == 200
    return made


def test_no_address_but_the_login_answers_a_stranger(visitor):
    seen = 0
    token = visitor.token("/login")
    for name, path in every_url():
        if name in OPEN_TO_ALL:
            continue
        seen += 1
        for data in (None, {"csrfmiddlewaretoken": token, "version": "2"}):
            answer = visitor.ask(path, data)
            assert "/login?next=" in answer.url and "Sign in" in answer.text, (name, path)
            assert 'id="item"' not in answer.text
    assert seen > 20


def test_every_post_needs_its_own_forms_token(ann):
    for name, path in every_url():
        if name in OPEN_TO_ALL:
            continue
        answer = ann.ask(path, {"version": "2"})
        assert answer.status in (403, 404, 405), (name, answer.status)
        if answer.status == 403:
            assert "no longer valid" in answer.text


def test_a_wrong_pass_phrase_an_unknown_name_and_an_account_off_the_roster_look_alike(wing, visitor):
    wing.people.create("new", "New Person", ("moderator",), "salmon ladder window brook")
    pages = [
        visitor.sign_in("ann", "not the right one").text,
        visitor.sign_in("nobody", "not the right one").text,
        visitor.sign_in("new", "salmon ladder window brook").text,
    ]
    assert all("The name or the pass phrase is not right" in page for page in pages)
    assert visitor.cookie("perch_key") is None


def test_five_wrong_pass_phrases_lock_the_account_and_stand_in_the_log(wing, visitor):
    for _ in range(4):
        assert visitor.sign_in("cat", "wrong").status == 401
    assert visitor.sign_in("cat", "wrong").status == 429
    locked = visitor.sign_in("cat", PHRASES["cat"])
    assert locked.status == 429 and "Too many tries" in locked.text
    with wing.store.read() as tx:
        rows = [entry for entry in log.since(tx, 0) if entry.action == "login failed"]
    assert len(rows) >= 5 and all(entry.detail == "cat" for entry in rows)


def test_a_disabled_account_is_out_at_once(wing, ann):
    assert "Sign out" in ann.ask("/").text
    wing.people.disable("ann", "ben")
    assert "/login" in ann.ask("/").url
    assert ann.sign_in("ann", PHRASES["ann"]).status == 401


def test_everything_on_the_disk_without_the_browsers_cookie_cannot_sign(wing, ann):
    """The seed is nowhere in the clear, and the sealed one opens with the cookie alone."""
    seed = wing.signer("ann").seed
    wing.store.close()
    for path in wing.data.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert seed not in data and seed.hex().encode() not in data, path
            assert base64.b64encode(seed) not in data and base64.urlsafe_b64encode(seed) not in data, path
            assert ann.cookie("perch_key").strip('"').encode() not in data, path
    rows = sqlite3.connect(wing.data / "staff.sqlite3").execute("SELECT session_data FROM django_session").fetchall()
    assert rows


def test_the_session_without_the_key_cookie_is_no_login(page_url, ann):
    thief = Visitor(page_url)
    for cookie in ann.jar:
        if cookie.name == "perch_session":
            thief.jar.set_cookie(cookie)
    assert "/login" in thief.ask("/").url
    assert "/login" in ann.ask("/").url  # and the theft ends the session


def test_signing_out_drops_the_sealed_key(wing, ann):
    ann.post("/logout")
    assert ann.cookie("perch_key") in (None, "")
    assert "/login" in ann.ask("/").url
    left = sqlite3.connect(wing.data / "staff.sqlite3").execute("SELECT COUNT(*) FROM django_session").fetchone()
    assert left == (0,)


def test_cookies_are_out_of_reach_of_scripts_and_other_sites(ann):
    for cookie in ann.jar:
        assert cookie.has_nonstandard_attr("HttpOnly"), cookie.name
        assert cookie.get_nonstandard_attr("SameSite") == "Strict", cookie.name
    assert {"perch_session", "perch_key", "perch_csrf"} <= {cookie.name for cookie in ann.jar}


def test_every_page_says_what_a_browser_may_not_do(ann):
    for path in ("/", "/queue", "/log", "/people", "/nowhere"):
        headers = ann.ask(path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Frame-Options"] == "DENY" and headers["X-Content-Type-Options"] == "nosniff"


def test_no_page_has_a_script_or_a_style_in_its_text(ann, wing):
    wing.post("hello")
    paths = ["/", "/queue", "/bays", "/people", "/enrol", "/history", "/log", "/login"]
    paths.append("/item/" + wing.moderation.deal("ann").hex())
    for path in paths:
        text = ann.ask(path).text
        assert " style=" not in text and "<style" not in text and " onclick" not in text, path
        assert text.count("<script") == text.count('<script type="module" src="/static/'), path


def test_media_open_to_their_holder_alone_and_each_reading_is_logged(wing, page_url, ann):
    item = wing.video(b"movie" * 3000, b"sheet", b"still")
    path = f"/item/{item.hex()}/video"
    assert ann.ask(path).status == 403
    assert wing.moderation.deal("ann") == item
    assert ann.ask(path).body == b"movie" * 3000
    ben = Visitor(page_url)
    ben.sign_in("ben", PHRASES["ben"])
    for role in ("video", "still", "contact"):
        assert ben.ask(f"/item/{item.hex()}/{role}").status == 403
    assert ann.ask(f"/item/{item.hex()}/text").status == 404
    with wing.store.read() as tx:
        assert {(row["person"], row["what"]) for row in queue.readings_of(tx, item)} == {("ann", "video")}


@pytest.mark.parametrize(
    ("header", "status", "part"),
    [
        ("bytes=0-4", 206, slice(0, 5)), ("bytes=5-", 206, slice(5, None)), ("bytes=-7", 206, slice(-7, None)),
        ("bytes=0-999999", 206, slice(0, None)), ("bytes=20000-", 416, None), ("bytes=9-3", 416, None),
        ("bytes=-0", 416, None), ("bytes=0-1,3-4", 416, None), ("lines=1-2", 416, None), ("bytes=-", 416, None),
    ],
)
def test_a_video_is_served_in_the_pieces_a_player_asks_for(wing, ann, header, status, part):
    movie = bytes(range(250)) * 60
    item = wing.video(movie, b"sheet", b"still")
    wing.moderation.deal("ann")
    answer = ann.ask(f"/item/{item.hex()}/video", headers={"Range": header})
    assert answer.status == status
    if part is not None:
        assert answer.body == movie[part]
        assert answer.headers["Content-Range"].endswith(f"/{len(movie)}")
    else:
        assert answer.headers["Content-Range"] == f"bytes */{len(movie)}"


def test_a_range_never_reaches_outside():
    for length in (1, 10):
        for first in range(0, 12):
            for last in range(0, 12):
                part = media.span(f"bytes={first}-{last}", length)
                assert part is None or 0 <= part[0] <= part[1] < length


def test_a_rendition_changed_on_the_disk_is_not_shown(wing, ann):
    item = wing.video(b"movie" * 3000, b"sheet", b"still")
    wing.moderation.deal("ann")
    path = next(p for p in (wing.data / "blobs").rglob("*") if p.is_file() and p.stat().st_size == 15000)
    path.write_bytes(b"other" * 3000)
    answer = ann.ask(f"/item/{item.hex()}/video")
    assert answer.status == 400 and b"other" not in answer.body


def test_static_files_do_not_lead_out_of_their_folder(visitor):
    assert visitor.ask("/static/perch.css").status == 200
    for path in ("../settings.py", "%2e%2e/settings.py", "..%2fsettings.py", "/etc/passwd", "govuk"):
        assert visitor.ask("/static/" + path).status in (400, 404)


def test_a_moderator_without_the_administrators_role_changes_nobody(page_url, wing):
    cat = Visitor(page_url)
    cat.sign_in("cat", PHRASES["cat"])
    for path in ("/people/learner", "/people/group", "/people/staff", "/people/change/1/sign", "/enrol/open"):
        assert cat.post(path, {"learner": "mal", "name": "Mal", "group": "g", "person": "mal"}).status == 403
    assert cat.ask("/enrol").status == 403
    assert wing.people.roster().version == 2 and wing.people.proposals() == []


def test_two_administrators_add_a_learner_and_one_alone_cannot(page_url, wing, ann):
    ann.post("/people/learner", {"learner": "hal", "name": "Hal H", "groups": "writers"}, form="/people")
    (proposal,) = wing.people.proposals()
    alone = ann.post(f"/people/change/{proposal.id}/sign", form="/people")
    assert alone.status == 409 and wing.people.roster().learner("hal") is None
    ben = Visitor(page_url)
    ben.sign_in("ben", PHRASES["ben"])
    assert ben.post(f"/people/change/{proposal.id}/sign", form="/people").status == 200
    assert wing.people.roster().learner("hal").name == "Hal H"
    assert "hal" in wing.people.roster().group("writers").members


def test_weak_pass_phrases_are_refused_on_the_page(wing, ann):
    for phrase in ("short", "password1234", "aaaaaaaaaaaaaaaa", "111111111111"):
        form = {"person": "new", "name": "New", "roles": "moderator", "pass_phrase": phrase}
        form["pass_phrase_again"] = phrase
        assert ann.post("/people/staff", form, form="/people").status == 400
    with wing.store.read() as tx:
        assert people.get(tx, "new") is None


def test_an_address_that_is_not_ours_is_refused(ann):
    assert ann.ask("/", headers={"Host": "evil.example"}).status == 400


def test_with_a_code_set_up_the_pass_phrase_alone_signs_nobody_in(wing, page_url, ann):
    import re
    import time

    from django_otp.oath import totp

    ann.post("/account/code/begin", form="/account")
    secret = re.search(r'id="secret">([^<]+)<', ann.ask("/account").text).group(1).replace(" ", "")
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    assert ann.post("/account/code/confirm", {"token": "000000"}, form="/account").status == 400
    time.sleep(1.1)  # a wrong code makes the next try wait
    now = f"{totp(key):06d}"
    assert ann.post("/account/code/confirm", {"token": now}, form="/account").status == 200
    other = Visitor(page_url)
    assert other.sign_in("ann", PHRASES["ann"]).status == 401
    assert other.cookie("perch_key") is None
    time.sleep(2.1)
    form = {"username": "ann", "password": PHRASES["ann"], "token": now}
    assert other.post("/login", form, form="/login").status == 401  # a code counts once
    time.sleep(4.1)
    later = f"{totp(key, t0=-30):06d}"
    assert other.post("/login", {**form, "token": later}, form="/login").status == 200
    assert "Sign out" in other.ask("/").text


def test_a_new_pass_phrase_keeps_the_key(wing, page_url, ann):
    new = {"old": PHRASES["ann"], "new": "walnut gravel osprey dew", "again": "walnut gravel osprey dew"}
    assert ann.post("/account/pass-phrase", {**new, "old": "wrong"}, form="/account").status == 400
    public = wing.signer("ann").public
    assert ann.post("/account/pass-phrase", new, form="/account").status == 200
    assert Visitor(page_url).sign_in("ann", PHRASES["ann"]).status == 401
    assert Visitor(page_url).sign_in("ann", new["new"]).status == 200
    assert wing.people.unlock("ann", new["new"]).public == public
