"""Beside the device, after shake.py: many modules made one, as a linker does.

For a program that never lets go of a module, what keeps modules apart is only a cost: each has an object, a table of
names that is never full, and an entry for every name that it imports. On a board with 64 KiB of heap that is a tenth of
it. Four steps, on syntax trees:

1. the modules follow each other in one, in the order of their imports; names that two of them have at the top get new
   ones, names from the other modules become the names that they have there. A module that is used as a value (a crypto
   backend) keeps its names, and the whole takes its place;
2. whole numbers with a name, given once, stand where they are used;
3. what only makes a name that nobody asks for goes;
4. refusals that are only ever raised are made when they are raised: most never are.

It is strict: what it does not understand raises CannotFlatten, and a program that is flattened is tested as such.
"""

import ast
import builtins
import operator
from collections import Counter

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
WHOLE = "_whole"  # this module, as a value
MADE = "_made"  # makes a refusal's class
OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.FloorDiv: operator.floordiv,
             ast.LShift: operator.lshift, ast.BitOr: operator.or_}  # fmt: skip


class CannotFlatten(Exception):
    """A source does something with its names that is lost when modules become one."""


def flatten(sources: dict[str, str]) -> str:
    """The text of one module, from modules by their paths; what is left out of them is imported as before."""
    tree = _Linker(sources).link()
    _inline_numbers(tree)
    while _drop_unused(tree):
        pass
    _make_refusals_late(tree)
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"


def bound_in(body: "list[ast.stmt]") -> set[str]:
    """The names that these statements bind in their own scope."""
    found: set[str] = set()
    outer: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            found.add(node.name)
            return
        if isinstance(node, (ast.Lambda, *COMPREHENSIONS)):
            return
        if isinstance(node, ast.Name) and isinstance(node.ctx, (ast.Store, ast.Del)):
            found.add(node.id)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            found.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            found.update((alias.asname or alias.name).split(".")[0] for alias in node.names)
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            outer.update(node.names)
        for child in ast.iter_child_nodes(node):
            visit(child)

    for node in body:
        visit(node)
    return found - outer


def _arguments(spec: ast.arguments) -> set[str]:
    every = [*spec.posonlyargs, *spec.args, *spec.kwonlyargs, spec.vararg, spec.kwarg]
    return {one.arg for one in every if one is not None}


class _Linker:
    """Step 1."""

    def __init__(self, sources: dict[str, str]) -> None:
        self.trees = {_module(path): ast.parse(text) for path, text in sources.items()}
        self.imported: dict[str, dict[str, tuple[str, str]]] = {}  # module -> name -> (module, name there or "")
        self._needs: dict[str, list[str]] = {}
        self.own: dict[str, set[str]] = {}
        for module, tree in self.trees.items():
            self.imported[module] = {}
            self._needs[module] = []
            _Imports(self, module).visit(tree)
            self.own[module] = bound_in(tree.body)
        self._used_as_values = {
            value[1]
            for module, tree in self.trees.items()
            for name in _bare_names(tree)
            if (value := self.resolve(module, name)) and not value[0]
        }
        self._names = self._give_names()

    def target(self, module: str, source: str, name: str) -> "tuple[str, str] | None":
        """Where an imported name comes from, if it is one of these modules."""
        if f"{source}.{name}" in self.trees:
            return f"{source}.{name}", ""
        return (source, name) if source in self.trees and source != module else None

    def need(self, module: str, other: str) -> None:
        self._needs[module].append(other)

    def resolve(self, module: str, name: str) -> "tuple[str, str] | None":
        """(name, module) of what a name at the top of a module is; ("", module) for a module; None: not ours."""
        if name in self.imported[module]:
            source, there = self.imported[module][name]
            return self.resolve(source, there) if there else ("", source)
        return (name, module) if name in self.own[module] else None

    def name(self, value: "tuple[str, str]") -> str:
        return self._names[value]

    def _order(self) -> list[str]:
        done: list[str] = []

        def after(module: str, waiting: tuple[str, ...]) -> None:
            if module not in done and module not in waiting:
                for other in self._needs[module]:
                    after(other, (*waiting, module))
                done.append(module)

        for module in self.trees:
            after(module, ())
        return done

    def _give_names(self) -> dict[tuple[str, str], str]:
        used = {node.id for tree in self.trees.values() for node in ast.walk(tree) if isinstance(node, ast.Name)}
        local = {name for tree in self.trees.values() for name in _local(tree)}
        used |= local
        taken: dict[str, str] = {}  # name -> whose it is
        names: dict[tuple[str, str], str] = {}
        order = sorted(self._order(), key=lambda module: module not in self._used_as_values)
        for module in order:
            outside = _from_outside(self.trees[module])
            for name in sorted(self.own[module]):
                whose = "outside" if name in outside else module
                given, number = name, 1
                if name in local and whose == module not in self._used_as_values:
                    given, number = f"{name}_2", 2
                while taken.get(given, whose) != whose or (given != name and given in used):
                    number += 1
                    given = f"{name}_{number}"
                if module in self._used_as_values and given != name:
                    raise CannotFlatten(f"two modules that are used as values have {name}")
                if given == name and hasattr(builtins, name) and any(
                    name in _bare_names(tree) and not self.resolve(other, name) for other, tree in self.trees.items()
                ):  # fmt: skip
                    raise CannotFlatten(f"{module} hides {name}, which another module means as it is built in")
                taken[given] = whose
                names[name, module] = given
        return names

    def link(self) -> ast.Module:
        body: list[ast.stmt] = []
        seen: set[str] = set()
        if self._used_as_values:
            body = ast.parse(f"import sys\n{WHOLE} = sys.modules[__name__]").body
            seen = {"import sys"}
        for module in self._order():
            for node in _Renamed(self, module).visit(self.trees[module]).body:
                text = ast.unparse(node) if isinstance(node, (ast.Import, ast.ImportFrom)) else ""
                if text in seen or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
                    continue
                if text:
                    seen.add(text)
                body.append(node)
        return ast.Module(body, [])


def _module(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _local(tree: ast.AST) -> set[str]:
    """Names that functions bind for themselves: a name of another module would be hidden by them."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, (*FUNCTIONS, ast.Lambda)):
            found |= _arguments(node.args)
        if isinstance(node, FUNCTIONS):
            found |= bound_in(node.body)
        if isinstance(node, COMPREHENSIONS):
            found |= {one.id for part in node.generators for one in ast.walk(part.target) if isinstance(one, ast.Name)}
    return found


def _bare_names(tree: ast.AST) -> set[str]:
    """Names that are read, other than to get an attribute of them."""
    owners = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and id(node) not in owners
    }


def _from_outside(tree: ast.Module) -> set[str]:
    """What the module imports from elsewhere: the same thing under the same name in every module."""
    return {
        (alias.asname or alias.name).split(".")[0]
        for node in tree.body
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    }


class _Imports(ast.NodeTransformer):
    """Takes the imports of these modules out, those inside functions too, and notes what they bind."""

    def __init__(self, linker: _Linker, module: str) -> None:
        self._linker = linker
        self._module = module
        self._inside = 0

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self._inside += 1
        self.generic_visit(node)
        self._inside -= 1
        node.body = node.body or [ast.Pass()]
        return node

    def visit_Import(self, node: ast.Import) -> ast.AST:
        for alias in node.names:
            if alias.name in self._linker.trees:
                raise CannotFlatten(f"{self._module}: import {alias.name}")
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> "ast.AST | None":
        kept = []
        for alias in node.names:
            target = self._linker.target(self._module, node.module or "", alias.name)
            if target is None:
                kept.append(alias)
                continue
            bound = alias.asname or alias.name
            if self._linker.imported[self._module].setdefault(bound, target) != target:
                raise CannotFlatten(f"{self._module} imports two things as {bound}")
            if not self._inside:
                self._linker.need(self._module, target[0])
        node.names = kept
        return node if kept else None


class _Renamed(ast.NodeTransformer):
    """One module with the names that it has in the whole; knows which names are a function's own."""

    def __init__(self, linker: _Linker, module: str) -> None:
        self._linker = linker
        self._module = module
        self._scopes: list[set[str]] = []

    def _top(self, name: str) -> "tuple[str, str] | None":
        return None if any(name in scope for scope in self._scopes) else self._linker.resolve(self._module, name)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        value = self._top(node.id)
        if value is not None:
            node.id = self._seen(value) if value[0] else WHOLE
        return node

    def _seen(self, value: "tuple[str, str]") -> str:
        """The name that a value has in the whole, which nothing here may hide."""
        name = self._linker.name(value)
        if any(name in scope for scope in self._scopes):
            raise CannotFlatten(f"{self._module} has a {name} of its own where it means that of {value[1]}")
        return name

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if isinstance(node.value, ast.Name):
            value = self._top(node.value.id)
            if value is not None and not value[0]:
                there = self._linker.resolve(value[1], node.attr)
                if there is None or not there[0]:
                    raise CannotFlatten(f"{self._module}: {ast.unparse(node)}")
                return ast.copy_location(ast.Name(self._seen(there), node.ctx), node)
        return self.generic_visit(node)

    def visit_Global(self, node: ast.Global) -> ast.AST:
        node.names = [self._linker.name((name, self._module)) for name in node.names]
        return node

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.AST:
        if node.name and not self._scopes:
            raise CannotFlatten(f"{self._module}: an except with a name at the top")
        return self.generic_visit(node)

    def _inner(self, scope: set[str], nodes: "list[ast.stmt]") -> "list[ast.stmt]":
        self._scopes.append(scope)
        done = [self.visit(node) for node in nodes]
        self._scopes.pop()
        return done

    def _function(self, node: "ast.FunctionDef | ast.AsyncFunctionDef") -> ast.AST:
        node.decorator_list = [self.visit(one) for one in node.decorator_list]
        node.args.defaults = [self.visit(one) for one in node.args.defaults]
        node.args.kw_defaults = [self.visit(one) if one else None for one in node.args.kw_defaults]
        if not self._scopes:
            node.name = self._linker.name((node.name, self._module))
        shared = {name for inner in ast.walk(node) if isinstance(inner, ast.Global) for name in inner.names}
        node.body = self._inner((_arguments(node.args) | bound_in(node.body)) - shared, node.body)
        return node

    visit_FunctionDef = visit_AsyncFunctionDef = _function

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        node.args.defaults = [self.visit(one) for one in node.args.defaults]
        self._scopes.append(_arguments(node.args))
        node.body = self.visit(node.body)
        self._scopes.pop()
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.bases = [self.visit(one) for one in node.bases]
        node.decorator_list = [self.visit(one) for one in node.decorator_list]
        if not self._scopes:
            node.name = self._linker.name((node.name, self._module))
        own = bound_in(node.body)
        body: list[ast.stmt] = []
        for part in node.body:  # methods do not see the names of their class
            body += self._inner(set() if isinstance(part, FUNCTIONS) else own, [part])
        node.body = body
        return node

    def _comprehension(self, node: "ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp") -> ast.AST:
        own = {one.id for part in node.generators for one in ast.walk(part.target) if isinstance(one, ast.Name)}
        self._scopes.append(own)
        self.generic_visit(node)
        self._scopes.pop()
        return node

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension


class _Numbers(ast.NodeTransformer):
    def __init__(self, known: dict[str, int]) -> None:
        self._known = known

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if isinstance(node.ctx, ast.Load) and node.id in self._known:
            return ast.copy_location(ast.Constant(self._known[node.id]), node)
        return node


def _inline_numbers(tree: ast.Module) -> None:
    """Step 2. A name that anything else binds too, anywhere, stays."""
    count: Counter[str] = Counter()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            count[node.id] += 1
        elif isinstance(node, ast.arg):
            count[node.arg] += 1
        elif isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            count[node.name] += 1
        elif isinstance(node, ast.Global):
            count.update(node.names)
    known: dict[str, int] = {}
    kept: list[ast.stmt] = []
    for node in tree.body:
        found = _numbers_of(node, known) if isinstance(node, ast.Assign) and len(node.targets) == 1 else {}
        if found and all(count[name] == 1 for name in found):
            known.update(found)
        else:
            kept.append(node)
    tree.body = kept
    _Numbers(known).visit(tree)


def _numbers_of(node: ast.Assign, known: dict[str, int]) -> dict[str, int]:
    """{name: number} of `A = 1` and `A, B = 1, 2`; empty where anything in it is no number."""
    target, value = node.targets[0], node.value
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        pairs = list(zip(target.elts, value.elts, strict=True))
    else:
        pairs = [(target, value)]
    found: dict[str, int] = {}
    for name, one in pairs:
        number = _number(one, known)
        if not isinstance(name, ast.Name) or number is None:
            return {}
        found[name.id] = number
    return found


def _number(node: ast.expr, known: dict[str, int]) -> "int | None":
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    if isinstance(node, ast.Name):
        return known.get(node.id)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "const":
        return _number(node.args[0], known)
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        left, right = _number(node.left, known), _number(node.right, known)
        small = left is not None and right is not None and abs(left) < 1 << 30 and abs(right) < 1 << 30
        # a long integer is made once, where it is named, and not each time that it is used
        found = OPERATORS[type(node.op)](left, right) if small else None
        return found if found is not None and abs(found) < 1 << 30 else None
    return None


def _drop_unused(tree: ast.Module) -> bool:
    """Step 3, once: what makes nothing but a name that is never asked for goes; whether anything went."""
    asked = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    asked |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)} | {"main", WHOLE}
    classes = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    kept: list[ast.stmt] = []
    for node in tree.body:
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            name = node.name
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and _plain(node.value, classes):
            name = node.targets[0].id
        else:
            name = ""
        if not name or name in asked:
            kept.append(node)
    gone = len(tree.body) - len(kept)
    tree.body = kept
    return gone > 0


def _plain(node: ast.expr, classes: set[str]) -> bool:
    """Whether this only makes a value: constants, displays, and instances of classes of ours."""
    if isinstance(node, ast.Call):
        made = isinstance(node.func, ast.Name) and node.func.id in classes
        return made and all(_plain(one, classes) for one in [*node.args, *(one.value for one in node.keywords)])
    if isinstance(node, (ast.Tuple, ast.List)):
        return all(_plain(one, classes) for one in node.elts)
    if isinstance(node, ast.BinOp):
        return _plain(node.left, classes) and _plain(node.right, classes)
    return isinstance(node, (ast.Constant, ast.Name))


def _make_refusals_late(tree: ast.Module) -> None:
    """Step 4. `raise Late("...")` becomes `raise _made("Late", Base)("...")`."""
    uses: Counter[str] = Counter(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))
    raised = [
        node.exc
        for node in ast.walk(tree)
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name)
    ]
    raises = Counter(call.func.id for call in raised if isinstance(call.func, ast.Name))
    bases: dict[str, ast.expr] = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and len(node.bases) == 1 and uses[node.name] == raises[node.name] and all(
            isinstance(part, ast.Pass) or (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))
            for part in node.body
        ):  # fmt: skip
            bases[node.name] = node.bases[0]
    for call in raised:
        if isinstance(call.func, ast.Name) and call.func.id in bases:
            name = call.func.id
            call.func = ast.Call(ast.Name(MADE, ast.Load()), [ast.Constant(name), bases[name]], [])
    if bases:
        made = ast.parse(f"def {MADE}(name, base):\n    return type(name, (base,), {{}})").body
        tree.body = made + [node for node in tree.body if getattr(node, "name", "") not in bases]
