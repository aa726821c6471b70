"""Many modules made one do what they did, with their names sorted out; what cannot be sorted out is refused."""

import pytest

from firmware.flatten import CannotFlatten, flatten


def run(**sources: str) -> dict[str, object]:
    """The one module that these make, executed."""
    place: dict[str, object] = {"__name__": "builtins"}
    exec(flatten({name.replace("__", "/") + ".py": text for name, text in sources.items()}), place)  # noqa: S102
    return place


def test_names_that_two_modules_have_stay_apart() -> None:
    place = run(
        one="LIMIT = (1, 2)\ndef parse():\n    return LIMIT",
        two="LIMIT = (3, 4)\ndef parse():\n    return LIMIT",
        main="from one import parse\nimport struct\nfrom two import parse as other\ndef main():\n"
        "    return parse() + other() + struct.unpack('B', b'\\5')",
    )
    assert place["main"]() == (1, 2, 3, 4, 5)  # type: ignore[operator]


def test_a_modules_attribute_is_not_hidden_by_a_local_name() -> None:
    place = run(
        pkg__tool="def multiply(a, b):\n    return a * b",
        main="from pkg import tool\ndef main():\n    multiply = tool.multiply\n    return multiply(6, 7)",
    )
    assert place["main"]() == 42  # type: ignore[operator]


def test_numbers_stand_where_they_are_used_and_what_nobody_asks_for_goes() -> None:
    text = flatten(
        {
            "limits.py": "A = 4\nB = A * 1024\nLONG = 1 << 40\n",
            "main.py": "from limits import B, LONG\nclass Shape:\n    pass\nUNUSED = Shape()\n"
            "def helper():\n    return 1\ndef main(b=B):\n    B = 1\n    return b + B + LONG",
        }
    )
    assert "4096" in text and "UNUSED" not in text and "Shape" not in text and "helper" not in text
    assert "LONG" in text  # a long integer is made once
    place: dict[str, object] = {}
    exec(text, place)  # noqa: S102
    assert place["main"]() == 4097 + (1 << 40)  # type: ignore[operator]


def test_a_refusal_that_is_only_raised_is_made_then_and_caught_as_its_base() -> None:
    text = (
        "class Base(Exception):\n    pass\nclass Late(Base):\n    '''Rare.'''\nclass Asked(Base):\n    pass\n"
        "def fail(kind):\n    if kind:\n        raise Late('why')\n    raise Asked('how')\n"
        "def main(kind):\n    try:\n        fail(kind)\n    except Asked:\n        return 'asked'\n"
        "    except Base as found:\n        return type(found).__name__ + str(found)"
    )
    assert "class Late" not in flatten({"main.py": text}) and "class Asked" in flatten({"main.py": text})
    place = run(main=text)
    assert place["main"](True) == "Latewhy" and place["main"](False) == "asked"  # type: ignore[operator]


def test_what_would_change_its_meaning_is_refused() -> None:
    user = "def main():\n    return open('x')"
    hides = "def open(key):\n    return key\ndef use():\n    return open(1)"
    with pytest.raises(CannotFlatten):
        flatten({"box.py": hides, "main.py": "from box import use\n" + user})
    with pytest.raises(CannotFlatten):
        flatten({"a.py": "def f():\n    return 1", "main.py": "import a\ndef main():\n    return a.f()"})
    with pytest.raises(CannotFlatten):
        flatten({"a.py": "A = []", "b.py": "A = []", "main.py": "from a import A\ndef f():\n    from b import A\n"})
