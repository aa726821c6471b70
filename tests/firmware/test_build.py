"""The build's own promises: what leaves names out or makes them shorter changes nothing that a program does."""

import ast

import pytest

from firmware import shake, shorten
from tests.kits import micropython

BASE = """class Base:
    def __init__(self):
        self._kept = 2

    def kept(self):
        return self._kept
"""
HEIR = """from base import Base

class Heir(Base):
    def main(self):
        self._own = 1
        return self.kept() * 10 + self._own
"""
NAMES_OF_TEXT_MAX = 0  # a text that is read and shown leaves no name behind


def short(**modules):
    sources = {name + ".py": text for name, text in modules.items()}
    return {name[:-3]: text for name, text in shorten.shorten(sources, {"main"}, set()).items()}


def result_of(text, call):
    place = {}
    exec(text, place)  # noqa: S102 - what the build made is run
    return eval(call, place)  # noqa: S307


def test_names_that_are_looked_up_by_name_stay():
    text = '''
class Table:
    def __init__(self):
        self.found_by_getattr = 1
        self.only_here = 2

    def main(self):
        return getattr(self, "found_by_getattr") + self.only_here


def main():
    return Table().main()
'''
    made = short(one=text)["one"]
    assert "found_by_getattr" in made and "only_here" not in made
    assert result_of(made, "main()") == 3


def test_arguments_that_are_passed_by_keyword_stay_and_others_are_shortened():
    text = '''
def helper(first, second, by_keyword=0):
    return first * 100 + second * 10 + by_keyword


def main():
    return helper(1, 2, by_keyword=3)
'''
    made = short(one=text)["one"]
    assert "by_keyword" in made and "first" not in made and "second" not in made
    assert result_of(made, "main()") == 123


def test_an_inner_function_keeps_the_argument_of_the_outer_one():
    text = '''
def main(value):
    def inner(other):
        value = other + 1
        return value

    def reader(other):
        return outer_default(value) + other

    return [inner(value), reader(value), [value for value in (7,)][0]]


def outer_default(value, more=5):
    return value + more
'''
    assert result_of(short(one=text)["one"], "main(1)") == result_of(text, "main(1)") == [2, 7, 7]


def test_private_names_of_a_module_whose_classes_are_inherited_elsewhere_stay():
    made = short(base=BASE, heir=HEIR)
    assert "_kept" in made["base"] and "_own" not in made["heir"]
    assert result_of(made["base"] + made["heir"].replace("from base import Base", ""), "Heir().main()") == 21


def test_a_name_of_the_short_form_in_a_source_is_refused():
    with pytest.raises(shorten.NameTaken):
        short(one="def main():\n    p0 = 1\n    return p0\n")


def test_what_nobody_can_reach_goes_and_what_a_string_names_stays():
    text = "def main():\n    return globals()['named']()\n\n"
    text += "def named():\n    return 4\n\ndef unreached():\n    return 5\n"
    made = shake.shake({"one.py": text}, {"main"})["one.py"]
    assert "unreached" not in made and result_of(made, "main()") == 4


def test_every_shortened_module_of_the_device_is_python_with_as_many_functions():
    from firmware import build

    whole = {name: path.read_text(encoding="utf-8") for path, name in build._sources()[0]}
    shaken = shake.shake(whole, build.ROOTS)
    made = shorten.shorten(shaken, build.ROOTS, set())
    assert made.keys() == shaken.keys()
    for name, text in made.items():
        assert functions(text) == functions(shaken[name]), name


def functions(text):
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    return sum(isinstance(node, kinds) for node in ast.walk(ast.parse(text)))


TEXTS = '''
import gc, micropython
from protocol import cbor
from protocol.records import text as texts
from firmware.page.html import esc, prose

def turn(number):
    for script in (0x0391, 0x0410, 0x05D0, 0x0621, 0x0905, 0x0E01, 0x3042, 0x4E00, 0xAC00, 0x1F600):
        word = "".join([chr(script + (number * 7 + i) % 24) for i in range(40)])
        texts.check(word)
        esc(word)
        prose(word)
        cbor.loads(cbor.dumps([word]))

turn(0)
micropython.qstr_info()
print("--")
for number in range(1, 12):
    turn(number)
micropython.qstr_info()
letters = [letter for letter in "".join([chr(0x13A0 + i) for i in range(40)])]
micropython.qstr_info()
'''


def test_text_in_many_scripts_leaves_no_names_behind():
    done = micropython.run_source(TEXTS, "1m")
    assert done.returncode == 0, done.stdout
    counts = [int(line.split("n_qstr=")[1].split(",")[0]) for line in done.stdout.splitlines() if "n_qstr=" in line]
    assert len(counts) == 3, done.stdout
    assert counts[2] >= counts[1] + 40, "this test sees a name that stays"
    assert counts[1] - counts[0] <= NAMES_OF_TEXT_MAX, counts
