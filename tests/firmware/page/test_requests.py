"""What the page takes and what it refuses, asked without a browser."""

import http.client
import json
import urllib.parse

import pytest

from firmware.page import app, guard
from firmware.page.app import GET, POST
from firmware.page.media import range_of
from firmware.page.upload import BadMediaType, media_type_of
from protocol.blob import PLAIN_BYTES
from tests.firmware.page.serving import Served
from tests.kits.device import enrolled
from tests.kits.full_storage import FullStorage


def ask(site, method, path, body=None, headers=None, host=None):
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=10)
    own = {"Host": host or f"127.0.0.1:{site.port}"}
    if method == "POST" and headers is None:
        own["Origin"] = site.url
    connection.request(method, path, body, own | (headers or {}))
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    return answer, data


def form(**fields):
    return urllib.parse.urlencode(fields)


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def mine(site, **more):
    return {"Origin": site.url, **FORM, **more}


def test_every_page_carries_the_policy_and_is_not_kept_by_the_browser(cell, site):
    root = cell.receive("A title\nwords")
    paths = {"thread": "thread/" + root.hex(), "group": "group/reading", "write": "write?group=reading",
             "record": "record?group=reading", "media": None, "own": None, "appeal": None}
    for name in GET:
        path = paths.get(name, name)
        if path is None:
            continue
        answer, _ = ask(site, "GET", "/" + path)
        assert answer.status == 200, path
        assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"


CHANGES = ["/" + name for name in POST] + ["/record/begin", "/record/x/append", "/record/x/save"]


@pytest.mark.parametrize("path", CHANGES)
@pytest.mark.parametrize("headers", [
    {"Origin": "http://elsewhere.test"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": "SAME", "Sec-Fetch-Site": "same-site"},
    {},
])
def test_every_change_from_a_foreign_origin_is_refused(cell, site, path, headers):
    sent = {name: site.url if value == "SAME" else value for name, value in headers.items()}
    before = cell.device.journal.next_seq
    answer, _ = ask(site, "POST", path, form(group="reading", text="Hello", colour="dark"), {**FORM, **sent})
    assert answer.status == 403
    assert cell.device.waiting() == [] and cell.device.journal.next_seq == before
    assert cell.device.draft("settings") == "" and cell.device.draft("new-reading") == ""


@pytest.mark.parametrize("host", ["elsewhere.test", "127.0.0.1.elsewhere.test", "dead.beef", "", "[]", "a"])
def test_a_page_asked_for_under_another_name_is_refused(site, host):
    answer, _ = ask(site, "GET", "/", headers={"Host": host})
    assert answer.status == 421


def test_a_slice_that_is_too_large_is_refused_by_name_and_nothing_is_kept(cell, site):
    begun = begin(site)
    path = f"/record/{begun['draft']}/append?offset=0"
    answer, data = ask(site, "POST", path, bytes(guard.SLICE_BYTES_MAX + 1))
    assert (answer.status, json.loads(data)["refused"]) == (413, "SliceTooLarge")
    answer, data = ask(site, "POST", path, bytes(60_000))
    assert (answer.status, json.loads(data)["refused"]) == (413, "SliceTooLarge")
    answer, data = ask(site, "POST", path, bytes(guard.SLICE_BYTES_MAX))
    assert json.loads(data) == {"size": guard.SLICE_BYTES_MAX}


def begin(site, **more):
    fields = {"group": "reading", "to": "", "text": "Me", "type": "video/webm;codecs=vp8"} | more
    answer, data = ask(site, "POST", "/record/begin", form(**fields), mine(site))
    assert answer.status == 200, data
    return json.loads(data)


def test_a_recording_that_comes_in_slices_twice_and_out_of_order_is_stored_once_and_whole(cell, site):
    recording = bytes(range(256)) * 100
    name = begin(site)["draft"]

    def append(offset, piece):
        answer, data = ask(site, "POST", f"/record/{name}/append?offset={offset}", piece)
        return answer.status, json.loads(data)

    assert append(0, recording[:8000]) == (200, {"size": 8000})
    assert append(0, recording[:8000]) == (200, {"size": 8000})
    assert append(9000, recording[9000:10000]) == (409, {"refused": "OutOfOrder", "size": 8000})
    assert append(0, b"something else") == (409, {"refused": "OutOfOrder", "size": 8000})
    at = 8000
    while at < len(recording):
        status, body = append(at, recording[at : at + 8192])
        assert status == 200
        at = body["size"]
    _, first = ask(site, "POST", f"/record/{name}/save", "")
    _, again = ask(site, "POST", f"/record/{name}/save", "")
    assert first == again
    item = json.loads(first)["item"]
    assert [row["item"].hex() for row in cell.device.waiting()] == [item]
    answer, data = ask(site, "GET", "/own/" + item)
    assert data == recording and answer.headers["Content-Type"] == "video/webm"


@pytest.mark.parametrize("error", [MemoryError, OSError])
def test_a_recording_that_the_device_could_not_take_whole_is_discarded_never_kept_torn(cell, site, error, monkeypatch):
    name = begin(site)["draft"]
    monkeypatch.setattr(cell.device.storage, "blob_write", lambda *_: (_ for _ in ()).throw(error("full")))
    path = f"/record/{name}/append?offset="
    assert ask(site, "POST", path + "0", bytes(PLAIN_BYTES - 1))[0].status == 200
    status = 400 if error is OSError else 500  # a full card has a name
    assert ask(site, "POST", path + str(PLAIN_BYTES - 1), bytes(PLAIN_BYTES))[0].status == status
    monkeypatch.undo()
    answer, data = ask(site, "POST", f"/record/{name}/save", "")
    assert (answer.status, json.loads(data)["refused"]) == (400, "NoSuchDraft")
    assert cell.device.waiting() == [] and cell.device.recording is None


def test_a_recording_is_given_in_the_ranges_that_were_asked_for(cell, site):
    video = bytes(range(256)) * 80
    root = cell.receive("A film\nof me", video=video)
    path = "/media/" + cell.device.thread(root)[0]["video"].hex()
    answer, data = ask(site, "GET", path)
    assert (answer.status, data) == (200, video)
    for asked, first, end in (("0-99", 0, 100), ("5000-", 5000, len(video)), ("-7", len(video) - 7, len(video))):
        answer, data = ask(site, "GET", path, headers={"Range": "bytes=" + asked})
        assert (answer.status, data) == (206, video[first:end])
        assert answer.headers["Content-Range"] == f"bytes {first}-{end - 1}/{len(video)}"
    answer, _ = ask(site, "GET", path, headers={"Range": f"bytes={len(video)}-"})
    assert answer.status == 416


def test_ranges_that_make_no_sense_mean_the_whole_body():
    for header in ("", "bytes=", "bytes=-", "bytes=a-b", "lines=1-2", "bytes=1-2,5-6", "bytes=" + "9" * 40 + "-"):
        assert range_of(header, 100) == (0, 100), header
    assert range_of("bytes=100-", 100) is None
    assert range_of("bytes=9-3", 100) is None
    assert range_of("bytes=-0", 100) is None
    assert range_of("bytes=90-200", 100) == (90, 100)


def test_media_that_was_not_approved_is_not_there(cell, site):
    nothing = "00" * 32
    for path in ("/media/" + nothing, "/own/" + nothing, "/media/x", "/own/../keys", "/static/../app.py", "/static/x"):
        answer, _ = ask(site, "GET", path)
        assert answer.status == 404, path


def test_media_whose_stored_bytes_were_changed_is_refused(cell, site):
    root = cell.receive("A film\nof me", video=b"v" * 9000)
    video = cell.device.thread(root)[0]["video"].hex()
    (cell.folder / "blob" / video).write_bytes(b"w" * 9000)
    answer, data = ask(site, "GET", "/media/" + video)
    assert answer.status == 400 and json.loads(data) == {"refused": "BlobDiffers"}


@pytest.mark.parametrize("data", [
    b"text=%", b"text=%4", b"text=%zz", b"text=%ED%A0%80", b"text=%C0%80", b"text=%F4%90%80%80", b"text=%ff",
    b"text=%E2%82", b"&".join(b"f%d=1" % i for i in range(40)),
])
def test_a_form_that_is_not_one_is_refused(cell, site, data):
    answer, _ = ask(site, "POST", "/write", b"group=reading&" + data, mine(site))
    assert answer.status == 400
    assert cell.device.waiting() == []


def test_text_of_every_script_comes_through_a_form_unchanged(cell, site):
    text = "Teitl\nŵyl, مرحبا بالعالم, zażółć, 你好, 👨\u200d👩\u200d👧 & <b>%41</b> + ="
    fields = form(group="reading", text=text.replace("\n", "\r\n"), token="t")
    answer, _ = ask(site, "POST", "/write", fields, mine(site))
    assert (answer.status, answer.headers["Location"]) == (303, "/waiting?saved=1")
    item = cell.device.waiting()[0]["item"]
    assert cell.device.outbox.text(item) == text


def test_a_form_that_is_sent_twice_is_saved_once(cell, site):
    for _ in range(2):
        answer, _ = ask(site, "POST", "/write", form(group="reading", text="Once", token="same"), mine(site))
        assert answer.headers["Location"] == "/waiting?saved=1"
    assert len(cell.device.waiting()) == 1


def test_the_longest_text_in_the_longest_spelling_fits_a_form_and_one_byte_more_is_kept_as_a_draft(cell, site):
    longest = "ب" * 2000
    answer, _ = ask(site, "POST", "/write", form(group="reading", text=longest, token="1", do="send"), mine(site))
    assert answer.status == 303
    answer, data = ask(site, "POST", "/write", form(group="reading", text=longest + "b", token="2"), mine(site))
    assert answer.status == 422 and b'id="wrong"' in data
    assert cell.device.draft("new-reading") == longest + "b"
    assert len(cell.device.waiting()) == 1


def test_words_that_cannot_be_sent_are_kept_and_the_reason_is_said(cell, site):
    answer, data = ask(site, "POST", "/write", form(group="reading", text="a\u202eb", token="1"), mine(site))
    assert answer.status == 422 and "hidden sign" in data.decode()
    assert cell.device.draft("new-reading") == "a\u202eb"


def test_a_group_or_thread_that_is_not_ones_own_is_not_available(cell, site):
    for fields in ({"group": "secret"}, {"group": "reading", "to": "ab" * 32}, {"to": "x"}):
        answer, _ = ask(site, "POST", "/write", form(text="Hello", token="1", **fields), mine(site))
        assert answer.status == 404
    assert cell.device.waiting() == []


@pytest.mark.parametrize(
    "kind", ["", "text/html", "video/", "video/web m", "video/\r\nx", "audio/ogg", "video/" + "x" * 41]
)
def test_a_media_type_that_is_no_video_is_refused(kind):
    with pytest.raises(BadMediaType):
        media_type_of(kind)


def test_settings_take_only_what_exists_and_last(cell, site):
    ask(site, "POST", "/settings", form(size="xl", colour="pink", language="cy", space="w"), mine(site))
    _, data = ask(site, "GET", "/")
    assert b'<html lang="cy" class="size-xl space-w colour-light">' in data
    again = app.Page(cell.device, app.__file__.rsplit("/", 1)[0])
    assert again.site.choice == {"language": "cy", "size": "xl", "space": "w", "colour": "light", "read": "no"}


@pytest.mark.parametrize("back", ["//elsewhere.test", "http://elsewhere.test", "/a\r\nSet-Cookie: x", "\\\\x", ""])
def test_changing_the_language_leads_nowhere_else(site, back):
    answer, _ = ask(site, "POST", "/language", form(language="cy", back=back), mine(site))
    assert answer.headers["Location"] == "/" and "Set-Cookie" not in answer.headers


def test_before_enrolment_only_the_first_page_help_and_settings_are_there(tmp_path):
    from tests.firmware.page.serving import Cell, Served

    new = Cell(tmp_path / "new", enrolled=False)
    with Served(new.device) as site:
        _, data = ask(site, "GET", "/")
        assert b"not set up yet" in data and b'id="digits"' in data
        for path in ("/help", "/settings", "/recorded", "/status.json"):
            assert ask(site, "GET", path)[0].status == 200
        for path in ("/groups", "/write?group=reading", "/waiting", "/media/x"):
            assert ask(site, "GET", path)[0].headers["Location"] == "/"
        new.device.digits = "402817"
        _, data = ask(site, "GET", "/")
        assert b"402 817" in data
        assert json.loads(ask(site, "GET", "/status.json")[1])["digits"] == "402817"


def test_the_digits_are_confirmed_by_a_plain_form_in_both_languages_and_only_those_shown(tmp_path):
    from tests.firmware.page.serving import Cell, Served

    new = Cell(tmp_path / "new", enrolled=False)
    with Served(new.device) as site:
        assert b"digits-same" not in ask(site, "GET", "/")[1], "there is nothing to compare yet"
        new.device.digits = "402817"
        data = ask(site, "GET", "/")[1].decode()
        assert "They are the same" in data and 'id="digits-same"' in data and 'id="digits-differ"' in data
        assert "<noscript><meta" not in data, "no reload under somebody's finger"
        ask(site, "POST", "/language", form(language="cy", back="/"), mine(site))
        assert "Maen nhw yr un fath" in ask(site, "GET", "/")[1].decode()
        ask(site, "POST", "/language", form(language="en", back="/"), mine(site))
        answer, _ = ask(site, "POST", "/digits", form(digits="402817", do="same"), {"Origin": "http://elsewhere.test"})
        assert answer.status == 403 and new.device.agreed is None
        ask(site, "POST", "/digits", form(digits="111111", do="same"), mine(site))
        assert new.device.agreed is None, "the page was about other digits"
        answer, _ = ask(site, "POST", "/digits", form(digits="402817", do="same"), mine(site))
        assert answer.headers["Location"] == "/" and new.device.agreed is True
        data = ask(site, "GET", "/")[1].decode()
        assert "digits-same" not in data and "Now staff must say so too" in data and "<noscript><meta" in data
        ask(site, "POST", "/digits", form(digits="402817", do="no"), mine(site))
        assert new.device.agreed is False and "You said they differ" in ask(site, "GET", "/")[1].decode()
        assert "You said that the six numbers differ" in ask(site, "GET", "/recorded")[1].decode()
        ask(site, "POST", "/digits", form(digits="402817", do="same"), mine(site))
        assert new.device.agreed is False, "a no is final"


def test_what_is_said_of_the_digits_changes_nothing_on_an_enrolled_device(cell, site):
    ask(site, "POST", "/digits", form(digits="402817", do="no"), mine(site))
    assert cell.device.agreed is None and cell.device.journal_entries(0, 9)[-1].action == "enrolled"


def test_the_dots_are_never_ahead_of_the_hub(cell, site):
    item = cell.device.write_post("reading", None, "Mine\nwords")
    for state, done in ((0, 1), (1, 2), (2, 3), (3, 3), (4, 4)):
        if state:
            cell.states({item: state})
        _, data = ask(site, "GET", "/waiting")
        assert data.count(b'<li class="done">') == done, state
        assert f'data-state="{state}"'.encode() in data


def test_what_came_back_says_why_in_words_and_offers_to_change_it(cell, site):
    item = cell.device.write_post("reading", None, "Ring my brother\nHis number is 0770 900 123")
    cell.send_back(item, 1, "Take <b>the</b> number out.")
    _, data = ask(site, "GET", "/back")
    text = data.decode()
    assert "could point to a real person" in text and "Take &lt;b&gt;the&lt;/b&gt; number out." in text
    _, data = ask(site, "GET", "/write?again=" + item.hex())
    assert "His number is 0770 900 123</textarea>" in data.decode()
    _, data = ask(site, "GET", "/appeal/" + item.hex())
    assert item.hex()[:12].upper() in data.decode() and "paper" in data.decode()


def test_what_the_hub_refused_after_custody_says_why_in_both_languages_and_can_be_changed(cell, site):
    draft = cell.device.begin_video("reading", None, "My poem", "video/webm")
    draft.append(b"no video at all")
    item = draft.save()
    cell.device.custody(item, None, 5)
    cell.states({item: 5})
    cell.device.custody(item, "NotAVideo", 6)
    text = ask(site, "GET", "/back")[1].decode()
    assert "The file was not a video that can be played." in text and "My poem" in text
    assert f'src="/own/{item.hex()}"' in text and f'href="/record?again={item.hex()}"' in text
    assert ask(site, "GET", f"/own/{item.hex()}")[1] == b"no video at all"
    assert 'value="My poem"' in ask(site, "GET", f"/record?again={item.hex()}")[1].decode()
    ask(site, "POST", "/language", form(language="cy", back="/"), mine(site))
    assert "Nid oedd y ffeil yn fideo y gellir ei chwarae." in ask(site, "GET", "/back")[1].decode()


def test_a_refusal_that_the_page_has_no_words_for_is_said_by_name(cell, site):
    item = cell.device.write_post("reading", None, "Mine")
    cell.device.custody(item, "Some<b>thing", 6)
    text = ask(site, "GET", "/back")[1].decode()
    assert "The word for it is Some&lt;b&gt;thing." in text and f'href="/write?again={item.hex()}"' in text
    assert "Mine</textarea>" in ask(site, "GET", f"/write?again={item.hex()}")[1].decode()


def test_the_learner_can_read_the_whole_journal(cell, site):
    for number in range(70):
        cell.device.log("open", f"entry-{number}")
    seen, path = [], "/recorded"
    while path:
        _, data = ask(site, "GET", path)
        text = data.decode()
        seen += [line.split("<")[0] for line in text.split("<tr><td>")[1:]]
        at = text.find('href="/recorded?before=')
        path = text[at + 6 : text.find('"', at + 6)] if at >= 0 else None
    assert [int(number) for number in seen] == list(range(cell.device.journal.next_seq - 1, -1, -1))


def test_nothing_unexpected_in_a_request_breaks_the_page(site):
    for method, path in (("GET", "/%00"), ("GET", "/thread/" + "f" * 64), ("GET", "/recorded?before=-1"), ("PUT", "/"),
                         ("GET", "/recorded?before=99999999999999"), ("GET", "/write"), ("GET", "/write?again=zz"),
                         ("DELETE", "/write"), ("POST", "/"), ("POST", "/record/none/append?offset=x")):
        answer, _ = ask(site, method, path, headers={"Origin": site.url})
        assert 400 <= answer.status < 500 or answer.status == 200, (path, answer.status)
    assert ask(site, "GET", "/")[0].status == 200


def test_a_full_card_leaves_the_words_on_the_screen_and_a_second_try_posts_them_once():
    for more in range(6):
        _, device = enrolled(storage=FullStorage())
        device.save_draft("new-reading", "Hello")
        device.storage.fill(more)
        with Served(device) as site:
            sent = form(group="reading", text="Hello all", token="1", do="send")
            answer, data = ask(site, "POST", "/write", sent, mine(site))
            kept = len(device.waiting())
            assert answer.status == (303 if kept else 422)
            if not kept:
                assert b"Hello all" in data and b"no room left" in data and device.draft("new-reading") == "Hello"
            answer, data = ask(site, "GET", "/status.json")
            assert "no room left" in json.loads(data)["line"] or kept
            device.storage.fill()
            answer, data = ask(site, "POST", "/draft?group=reading", b"Hello and more")
            assert (answer.status, json.loads(data)["refused"]) == (400, "CardFull")
            answer, data = ask(site, "POST", "/settings", form(colour="dark"), mine(site))
            assert answer.status == 400 and b"no room left" in data
            device.storage.fill(None)
            answer, _ = ask(site, "POST", "/write", sent, mine(site))
            assert answer.status == 303 and len(device.waiting()) == 1
