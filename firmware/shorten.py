"""Beside the device, after shake.py and before the compiler: fewer different names.

MicroPython keeps every name that a program mentions in one table on the heap, eleven bytes each, and
doubles the table when it is full: past 1,260 names the next step costs 14 KiB of a 256 KiB heap. So
names that only one module can see are used again in the next one. Four steps, on syntax trees:

1. arguments that nobody passes by keyword are called p0, p1, ... in the order of their function;
2. names that a module keeps to itself become _0, _1, ... there: functions and values that nobody
   imports, and what objects are only asked for by themselves (`self.x`). Public classes keep their
   names: refusals are told by them.

3. the words of refusals go: a device journals and shows their names, and nobody reads its console;
4. strings of at most ten characters are names to MicroPython, kept for ever: in modules that come and
   go they are made from bytes, which go with them.

Names are compared as such, and a string of nothing but words counts as a use by name, so that getattr,
tables of names and the paths of pages keep what they need. Names in a module whose classes are
inherited elsewhere stay, so that an heir's cannot meet them; modules with machine code
(`@micropython.viper`) are taken as they are.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterator

LIST = re.compile(r"\w+([ .]\w+)*\Z", re.ASCII)
WORD = re.compile(r"\w+", re.ASCII)
PATH_NAME = re.compile(r"<(?:\w+:)?(\w+)>")  # of a page's path: its handler gets it by keyword
INTERNED_CHARS = 10  # MicroPython, MICROPY_ALLOC_PARSE_INTERN_STRING_LEN
SPOKEN = ("OSError", "ValueError")  # their words are for whoever starts the device by hand
BUILDS_NAMES = "microdot.py"  # asks objects for names that it puts together
MADE = re.compile(r"(p|_)\d+\Z")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


class NameTaken(Exception):
    """A source file uses a name of the form p0 or _0, which is for this module to give."""


def shorten(sources: dict[str, str], roots: set[str], passing: set[str]) -> dict[str, str]:
    """The modules by their paths, with the same behaviour and fewer names.

    `roots` are called from outside; `passing` are the modules that are loaded and dropped again.
    """
    sources = {name: ast.unparse(_Silent().visit(ast.parse(text))) for name, text in sources.items()}
    trees = {name: ast.parse(text) for name, text in sources.items() if "micropython.viper" not in text}
    mentions = {name: names_in(tree) for name, tree in trees.items()}
    for name, found in mentions.items():
        if taken := [one for one in found if MADE.match(one)]:
            raise NameTaken(f"{name} uses the name {taken[0]}")
    by_name = _by_name(sources) | roots
    modules = Counter(one for text in sources.values() for one in names_in(ast.parse(text)))
    names = set(modules)
    everything = [ast.parse(text) for text in sources.values()]
    others = by_name | {one for tree in everything for one in _asked_of_others(tree)}
    others |= {one for name in _inherited(trees) for one in mentions[name]}
    for name, tree in trees.items():
        own = {one for one in _values(tree) if modules[one] == 1 and one not in by_name}
        if not name.startswith(BUILDS_NAMES):
            own |= {one for one in _of_self(tree) if one not in others and (modules[one] == 1 or one[0] == "_")}
        _Arguments(by_name).visit(tree)
        _Renamed({one: f"_{number}" for number, one in enumerate(sorted(own))}).visit(tree)
    for name in passing:
        _Passing(names | by_name).visit(trees[name])
    texts = {name: ast.unparse(ast.fix_missing_locations(tree)) for name, tree in trees.items()}
    return {name: texts.get(name, text) for name, text in sources.items()}


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


def _asked_of_others(tree: ast.AST) -> Iterator[str]:
    """Names that some object is asked for by another one, or that are imported."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and not _is_self(node.value):
            yield node.attr
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from (alias.name for alias in node.names)


def _of_self(tree: ast.AST) -> set[str]:
    """Attributes that objects of this module set on themselves, and methods that they ask of themselves."""
    nodes = list(ast.walk(tree))
    asked = {node.attr for node in nodes if isinstance(node, ast.Attribute) and _is_self(node.value)}
    made = {node.attr for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)}
    for node in nodes:
        if isinstance(node, ast.ClassDef):
            made.update(one.name for one in node.body if isinstance(one, FUNCTIONS))
    return {one for one in asked & made if not one.startswith("__")}


def _values(tree: ast.Module) -> set[str]:
    """Functions and values of the module that are never asked of an object."""
    found: set[str] = set()
    asked = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in tree.body:
        if isinstance(node, FUNCTIONS):
            found.add(node.name)
        for target in node.targets if isinstance(node, ast.Assign) else []:
            found.update(one.id for one in ast.walk(target) if isinstance(one, ast.Name))
    for one in ast.walk(tree):
        if isinstance(one, ast.ClassDef):
            found.update([one.name] if one.name.startswith("_") else [])
            asked.update(inner.name for inner in one.body if isinstance(inner, FUNCTIONS))
    return {one for one in found - asked if not one.startswith("__")}


def names_in(tree: ast.AST) -> set[str]:
    """Every identifier that a module mentions, whatever for."""
    found: set[str] = set()
    for node in ast.walk(tree):
        for field in ("id", "attr", "name", "arg", "asname"):
            value = getattr(node, field, None)
            if isinstance(value, str):
                found.update(value.split("."))
        if isinstance(node, (ast.Global, ast.Nonlocal)):
            found.update(node.names)
    return found


def _by_name(sources: dict[str, str]) -> set[str]:
    """Names that may be looked up while the program runs: keywords of calls, and words of strings."""
    found: set[str] = set()
    for text in sources.values():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.keyword) and node.arg:
                found.add(node.arg)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.update((WORD if LIST.match(node.value) else PATH_NAME).findall(node.value))
    return found


def _inherited(trees: dict[str, ast.Module]) -> set[str]:
    """Modules that define a class from which a class of another module is made."""
    home: dict[str, set[str]] = {}
    bases: dict[str, set[str]] = {}
    for name, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                home.setdefault(node.name, set()).add(name)
                for base in node.bases:
                    last = base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "")
                    bases.setdefault(last, set()).add(name)
    return {place for base, heirs in bases.items() for place in home.get(base, ()) if heirs != {place}}


class _Silent(ast.NodeTransformer):
    """Step 3. `raise TooLong(f"{n} bytes")` becomes `raise TooLong("")`; what is printed keeps its words."""

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        error = node.exc
        if isinstance(error, ast.Call) and getattr(error.func, "id", "") not in SPOKEN:
            error.args = [ast.Constant("") if self._words(one) else one for one in error.args]
        return node

    @classmethod
    def _words(cls, node: ast.expr) -> bool:
        if isinstance(node, ast.BinOp):
            return cls._words(node.left) or cls._words(node.right)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            return node.func.attr == "format" and cls._words(node.func.value)
        return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


class _Passing(ast.NodeTransformer):
    """Step 4. Strings that are parts of longer ones, and those that are names anyway, stay."""

    def __init__(self, names: set[str]) -> None:
        self._names = names

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                part.value = self.visit(part.value)
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        return node if isinstance(node.value, ast.Constant) else self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if not isinstance(node.value, str) or not 1 < len(node.value) <= INTERNED_CHARS or node.value in self._names:
            return node
        return ast.Call(ast.Attribute(ast.Constant(node.value.encode()), "decode", ast.Load()), [], [])


class _Renamed(ast.NodeTransformer):
    """Every mention of some names in one subtree gets another name."""

    def __init__(self, names: dict[str, str]) -> None:
        self._names = names

    def generic_visit(self, node: ast.AST) -> ast.AST:
        for field in ("id", "attr", "name", "arg", "asname"):
            value = getattr(node, field, None)
            if isinstance(value, str) and value in self._names and not isinstance(node, ast.keyword):
                setattr(node, field, self._names[value])
        if isinstance(node, (ast.Global, ast.Nonlocal)):
            node.names = [self._names.get(name, name) for name in node.names]
        return super().generic_visit(node)


class _Variables(ast.NodeTransformer):
    """Like _Renamed, but for variables only: attributes, keywords and functions keep their names."""

    def __init__(self, names: dict[str, str]) -> None:
        self._names = names

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = self._names.get(node.id, node.id)
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.arg = self._names.get(node.arg, node.arg)
        return node

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.AST:
        if node.name in self._names:
            node.name = self._names[node.name]
        return self.generic_visit(node)


class _Arguments(ast.NodeTransformer):
    """Step 1. Inner functions first; a name that an inner scope binds for itself is left alone."""

    def __init__(self, by_name: set[str]) -> None:
        self._by_name = by_name

    def _function(self, node: Function) -> ast.AST:
        self.generic_visit(node)
        bound = _bound_within(node)
        names: dict[str, str] = {}
        for number, argument in enumerate([*node.args.posonlyargs, *node.args.args]):
            name = argument.arg
            if name in ("self", "cls") or name in self._by_name or name in bound or MADE.match(name):
                continue
            short = f"p{number}"
            if short not in bound:
                names[name] = short
        if names:
            inner = _Variables(names)
            _rename_arguments(node.args, inner)
            if isinstance(node, ast.Lambda):
                node.body = inner.visit(node.body)
            else:
                node.body = [inner.visit(one) for one in node.body]
        return node

    visit_FunctionDef = visit_AsyncFunctionDef = visit_Lambda = _function


def _rename_arguments(spec: ast.arguments, renamed: _Variables) -> None:
    """Default values belong to the scope outside and keep their names."""
    for argument in [*spec.posonlyargs, *spec.args]:
        renamed.visit(argument)


def _bound_within(node: Function) -> set[str]:
    """Names that functions and classes inside `node` bind, and what is declared global or nonlocal."""
    found: set[str] = set()
    for inner in ast.walk(node):
        if isinstance(inner, (*FUNCTIONS, ast.Lambda)) and inner is not node:
            spec = inner.args
            every = [*spec.posonlyargs, *spec.args, *spec.kwonlyargs, spec.vararg, spec.kwarg]
            found.update(one.arg for one in every if one is not None)
        if isinstance(inner, (*FUNCTIONS, ast.ClassDef)) and inner is not node:
            found.add(inner.name)
            names = [one for one in ast.walk(inner) if isinstance(one, ast.Name)]
            found.update(one.id for one in names if isinstance(one.ctx, ast.Store))
        if isinstance(inner, (ast.Global, ast.Nonlocal)):
            found.update(inner.names)
        if isinstance(inner, (ast.Import, ast.ImportFrom)):
            found.update((alias.asname or alias.name).split(".")[0] for alias in inner.names)
    return found
