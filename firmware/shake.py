"""Beside the device, before the compiler: leaves out what a device can never reach, as a linker does.

protocol/ serves both ends of the wire; a device needs about two thirds of it, and every function,
class and name costs heap even when the bytecode lies in ROM. Three steps, on the syntax trees of
all modules together:

1. numbers named in limits.py are put where they are used, and the names go;
2. what is only for type checkers goes (`if TYPE_CHECKING`, bare annotations, `__all__`);
3. functions, classes, methods and plain values whose *name* appears nowhere in what is left go.

Names are compared as such, whatever they belong to, and every word of a string without blanks
counts as a name, so that getattr and tables of names keep what they need: it errs on the side of
keeping. Modules with machine code (`@micropython.viper`) are taken as they are.
"""

import ast
import re

WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
Unit = tuple[str, set[str]]  # a name, and the names that it needs when it is needed itself


class _Limits(ast.NodeTransformer):
    """Step 1 and 2 for one module."""

    def __init__(self, limits: dict[str, dict[str, int]]) -> None:
        self._limits = limits
        self._values: dict[str, int] = {}
        self._modules: dict[str, dict[str, int]] = {}

    def visit_ImportFrom(self, node: ast.ImportFrom) -> "ast.AST | None":
        if node.module == "protocol.compat":
            node.names = [alias for alias in node.names if alias.name not in ("TYPE_CHECKING", "const")]
        elif node.module in self._limits:
            for alias in node.names:
                self._values[alias.asname or alias.name] = self._limits[node.module][alias.name]
            return None
        kept = []
        for alias in node.names:
            whole = f"{node.module}.{alias.name}"
            if whole in self._limits:
                self._modules[alias.asname or alias.name] = self._limits[whole]
            else:
                kept.append(alias)
        node.names = kept
        return node if kept else None

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if isinstance(node.ctx, ast.Load) and node.id in self._values:
            return ast.copy_location(ast.Constant(self._values[node.id]), node)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if isinstance(node.value, ast.Name) and node.value.id in self._modules:
            return ast.copy_location(ast.Constant(self._modules[node.value.id][node.attr]), node)
        self.generic_visit(node)
        return node

    def visit_If(self, node: ast.If) -> "ast.AST | list[ast.stmt] | None":
        self.generic_visit(node)
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return node.orelse or None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> "ast.AST | None":
        self.generic_visit(node)
        if node.value is None:
            return None
        return ast.copy_location(ast.Assign([node.target], node.value), node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_Assign(self, node: ast.Assign) -> "ast.AST | None":
        self.generic_visit(node)
        first = node.targets[0]
        # MicroPython takes __slots__ and does nothing with it
        return None if isinstance(first, ast.Name) and first.id in ("__all__", "__slots__") else node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        node.returns = None
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        self.generic_visit(node)
        node.returns = None
        return node


def constants(tree: ast.Module) -> dict[str, int]:
    """NAME = const(expression) and NAME = expression, of whole numbers and names before it."""
    known: dict[str, int] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            value = node.value
            if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "const":
                value = value.args[0]
            known[node.targets[0].id] = _number(value, known)
    return known


def _number(node: ast.expr, known: dict[str, int]) -> int:
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return node.value
    if isinstance(node, ast.Name):
        return known[node.id]
    if isinstance(node, ast.BinOp):
        left, right = _number(node.left, known), _number(node.right, known)
        if isinstance(node.op, ast.Mult):
            return left * right
        if isinstance(node.op, ast.Add):
            return left + right
        if isinstance(node.op, ast.Sub):
            return left - right
        if isinstance(node.op, ast.FloorDiv):
            return left // right
        if isinstance(node.op, ast.LShift):
            return left << right
    raise ValueError("limits hold whole numbers only: " + ast.unparse(node))


def names_in(node: ast.AST) -> set[str]:
    """Every name that code may be reached by from here."""
    found: set[str] = set()
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name):
            found.add(inner.id)
        elif isinstance(inner, ast.Attribute):
            found.add(inner.attr)
        elif isinstance(inner, (ast.Import, ast.ImportFrom)) and inner is not node:
            found.update(alias.name for alias in inner.names)  # inside a function: it is wanted there
        elif isinstance(inner, ast.Constant) and isinstance(inner.value, str) and " " not in inner.value:
            found.update(WORD.findall(inner.value))
    return found


def _shell(node: ast.ClassDef) -> set[str]:
    """What a class needs as soon as it is made: bases, decorators and everything but its methods."""
    found: set[str] = set()
    for part in [*node.bases, *node.keywords, *node.decorator_list]:
        found |= names_in(part)
    for part in node.body:
        if not isinstance(part, FUNCTIONS) or part.name.startswith("__") or part.decorator_list:
            found |= names_in(part)
    return found


def _removable(node: ast.stmt) -> "str | None":
    """The name of a statement that may go when nobody uses that name."""
    if isinstance(node, ast.ClassDef) or (isinstance(node, FUNCTIONS) and not node.decorator_list):
        return node.name
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        plain = all(
            isinstance(inner, (ast.Constant, ast.Tuple, ast.List, ast.Dict, ast.BinOp, ast.operator, ast.Name,
                               ast.UnaryOp, ast.unaryop, ast.expr_context))
            or (isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name) and inner.func.id == "const")
            for inner in ast.walk(node.value)
        )  # fmt: skip
        return node.targets[0].id if plain else None
    return None


def live_names(trees: "list[ast.Module]", roots: set[str]) -> set[str]:
    """All names that are reachable from what the modules do when they are imported, and from `roots`."""
    live = set(roots)
    units: list[Unit] = []
    methods: list[tuple[str, str, set[str]]] = []
    for tree in trees:
        for node in tree.body:
            name = _removable(node)
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                for alias in node.names:
                    if alias.asname:
                        units.append((alias.asname, {alias.name}))
            elif name is None:
                live |= names_in(node)
            elif isinstance(node, ast.ClassDef):
                units.append((name, _shell(node)))
                for part in node.body:
                    if isinstance(part, FUNCTIONS):
                        methods.append((name, part.name, names_in(part)))
            else:
                units.append((name, names_in(node)))
    while True:
        before = len(live)
        for name, needs in units:
            if name in live:
                live |= needs
        for owner, name, needs in methods:
            if owner in live and (name in live or name.startswith("__")):
                live |= needs
        if len(live) == before:
            return live


def _strip(tree: ast.Module, live: set[str]) -> None:
    """Step 3 for one module."""
    kept: list[ast.stmt] = []
    for node in tree.body:
        name = _removable(node)
        if name is not None and name not in live:
            continue
        if isinstance(node, ast.ClassDef):
            body = [
                part
                for part in node.body
                if not isinstance(part, FUNCTIONS)
                or part.decorator_list
                or part.name.startswith("__")
                or part.name in live
            ]
            node.body = body or [ast.Pass()]
        kept.append(node)
    used: set[str] = set()
    for node in kept:
        if not isinstance(node, (ast.Import, ast.ImportFrom)):
            used |= names_in(node)
    tree.body = []
    for node in kept:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            node.names = [alias for alias in node.names if _bound(alias) in used or _bound(alias) in live]
            if not node.names:
                continue
        tree.body.append(node)


def _bound(alias: ast.alias) -> str:
    return alias.asname or alias.name.split(".")[0]


def without(text: str, units: set[str]) -> str:
    """A module without some of its functions, methods and values (`name`, `Class.name`)."""
    tree = ast.parse(text)
    tree.body = [node for node in tree.body if units.isdisjoint(_names_of(node))]
    for home in tree.body:
        if isinstance(home, ast.ClassDef):
            kept = [node for node in home.body if units.isdisjoint(home.name + "." + one for one in _names_of(node))]
            home.body = kept
    return ast.unparse(tree)


def _names_of(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    return [node.name] if isinstance(node, (*FUNCTIONS, ast.ClassDef)) else []


def shake(sources: dict[str, str], roots: set[str]) -> dict[str, str]:
    """Sources by their path, less what cannot be reached; modules that only hold limits are gone."""
    trees = {path: ast.parse(text) for path, text in sources.items()}
    limits = {
        path[:-3].replace("/", "."): constants(tree) for path, tree in trees.items() if path.endswith("/limits.py")
    }
    fixed = {path for path, text in sources.items() if "micropython.viper" in text}
    live = set(roots)
    for path in list(trees):
        if path.endswith("/limits.py"):
            del trees[path]
        elif path in fixed:
            live |= names_in(trees[path])
        else:
            trees[path] = ast.fix_missing_locations(_Limits(limits).visit(trees[path]))
    moving = [tree for path, tree in trees.items() if path not in fixed]
    live = live_names(moving, live)
    for tree in moving:
        _strip(tree, live)
    return {path: sources[path] if path in fixed else ast.unparse(ast.fix_missing_locations(tree)) + "\n"
            for path, tree in trees.items()}  # fmt: skip
