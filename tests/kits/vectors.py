"""Published vectors for tests on either interpreter."""

import json

_FOLDER = __file__.replace("\\", "/").rsplit("/", 2)[0] + "/protocol/vectors/"


def load(name):
    """The parsed JSON of tests/protocol/vectors/<name>."""
    with open(_FOLDER + name) as file:
        return json.load(file)


def raises(kind, function, *arguments):
    """Whether the call raises this kind of error; any other error comes out."""
    try:
        function(*arguments)
    except kind:
        return True
    return False
