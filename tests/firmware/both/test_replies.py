"""Replies to own threads, on both interpreters: none waits for a thread that nobody will ever read."""

from tests.kits.device import again, deliver, enrolled, refused


def test_a_reply_to_an_own_thread_that_came_back_comes_back_with_it_in_words():
    for state in (5, 6):
        wing, device = enrolled()
        root = device.write_post("reading", None, "a thread")
        reply = device.write_post("reading", root, "and something more")
        device.custody(root, None, 1)
        deliver(wing, device, [], [], [(root, state)])
        for each in (device, again(device)):
            found = {row["item"]: row["code"] for row in each.returned()}
            assert found == {root: "", reply: "ThreadUnknown"} and each.waiting() == []
            assert each.outbox.unsent() == [] and each.threads("reading") == []


def test_a_reply_to_an_own_thread_that_the_hub_refused_comes_back_as_well():
    wing, device = enrolled()
    root = device.write_post("reading", None, "a thread")
    reply = device.write_post("reading", root, "and something more")
    other = device.write_post("reading", None, "another thread")
    device.custody(root, "TextRefused", 1)
    assert [row["item"] for row in device.waiting()] == [other]
    assert {row["item"] for row in device.returned()} == {root, reply}


def test_nobody_is_let_reply_to_an_own_thread_that_was_taken_back():
    wing, device = enrolled()
    root = device.write_post("reading", None, "a thread")
    answer = wing.statement(b"r" * 32, "ben", text="answer", parent=root)
    deliver(wing, device, [answer], [wing.bundle(answer, "answer")], [(root, 4)])
    assert device.write_post("reading", root, "fine")
    deliver(wing, device, [answer], [], [(root, 6)])
    refused("NotShown", lambda: device.write_post("reading", root, "too late"))
    refused("NotShown", lambda: device.begin_video("reading", root, "", "video/webm"))
