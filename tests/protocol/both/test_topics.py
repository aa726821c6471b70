"""The design's topics, and nothing like them."""

from protocol.errors import Refusal
from protocol.records import topics
from tests.kits import records as made


def raised(error, function, *arguments):
    """The refusal of exactly this class that the call raises."""
    try:
        function(*arguments)
    except Refusal as refusal:
        assert type(refusal) is error, f"{type(refusal).__name__}: {refusal}"
        return refusal
    raise AssertionError("taken, where it must be " + error.__name__)


def test_topics_are_built_and_parsed_to_the_same():
    device = made.keys("slate-1").kid
    for direction, kinds in (("up", topics.UP_KINDS), ("down", topics.DOWN_KINDS)):
        for kind in kinds:
            topic = topics.build(made.WING, device, direction, kind)
            assert topics.parse(topic) == (made.WING, device, direction, kind)
            assert topic == topics.prefix(made.WING, device) + topics.own(direction, kind)
            assert topics.parse_own(topics.own(direction, kind)) == (direction, kind)
    assert topics.build("b", bytes(8), "up", "hello") == "wing/b/device/0000000000000000/up/hello"
    assert topics.own("up", "hello") == "up/hello" and topics.own_filter("down") == "down/+"
    assert topics.hub("b", "health") == "wing/b/hub/health"


def test_any_other_topic_is_refused():
    good = "wing/b/device/00000000000000ab/up/hello"
    for bad in (
        "",
        "/" + good,
        good + "/",
        good.upper(),
        good.replace("up", "down/x"),
        good.replace("hello", "roster"),
        good.replace("ab", "AB"),
        good.replace("00ab", "ab"),
        good.replace("ab", "abcd"),
        good.replace("/b/", "/+/"),
        good.replace("/b/", "//"),
        "wing/b/hub/health",
        good.replace("hello", "#"),
        "wing/" + "b" * 200,
        good + "\x00",
        good.replace("up", "sideways"),
        good.replace("00ab", "00 b"),
        good.replace("00ab", "-0ab"),
    ):
        raised(topics.TopicRefused, topics.parse, bad)


def test_on_its_own_wire_a_device_cannot_name_another():
    whole = topics.build("b", bytes(8), "up", "hello")
    for bad in ("", "/", "up", "up/", "/hello", "up/hello/", "/up/hello", "up/roster", "down/want/x", "sideways/hello",
                "UP/hello", "up/+", "up/#", "#", "../up/hello", "up/hello\x00", "up/" + "h" * 200, whole):  # fmt: skip
        raised(topics.TopicRefused, topics.parse_own, bad)
