"""All small mutations of a module, one at a time.

Code that is never executed or only read by people is not mutated: annotations, imports, docstrings,
exception texts. A condition of a comprehension is not dropped as a whole; each of its comparisons is
changed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

_COMPARED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_CALCULATED: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Add,),
    ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Mult, ast.Div),
    ast.Mod: (ast.FloorDiv,),
    ast.Pow: (ast.Mult,),
    ast.BitOr: (ast.BitAnd,),
    ast.BitAnd: (ast.BitOr,),
}
_CALLED = {"min": "max", "max": "min", "any": "all", "all": "any", "bisect_right": "bisect_left"}
_UNTOUCHED_FIELDS = {"annotation", "returns", "decorator_list", "type_comment"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One module with one change."""

    number: int  # The number of the line.
    line: str
    was: str
    becomes: str
    source: str

    @property
    def name(self) -> str:
        """Return the change as survivors.toml names it."""
        return f"{self.was} -> {self.becomes}"


def mutants_of(source: str) -> Iterator[Mutant]:
    """Return all mutants, from top to bottom."""
    tree, lines = ast.parse(source), source.splitlines()
    for parent, name, place in _places(tree):
        node = _at(parent, name, place)
        for other in _instead_of(node):
            was, becomes = _first_line(node), _first_line(other)
            _put(parent, name, place, other)
            number: int = node.lineno
            yield Mutant(number, lines[number - 1].strip(), was, becomes, ast.unparse(tree))
            _put(parent, name, place, node)


def _places(parent: ast.AST) -> Iterator[tuple[ast.AST, str, int | None]]:
    for name, value in ast.iter_fields(parent):
        if name in _UNTOUCHED_FIELDS:
            continue
        for place, child in enumerate(value) if isinstance(value, list) else ((None, value),):
            if isinstance(child, ast.AST) and not _untouched(child):
                if hasattr(child, "lineno"):
                    yield parent, name, place
                if not isinstance(child, ast.Raise):
                    yield from _places(child)


def _untouched(node: ast.AST) -> bool:
    match node:
        case ast.Import() | ast.ImportFrom() | ast.JoinedStr():
            return True
        case ast.Subscript(value=ast.Name(id="Literal")):
            return True
        case ast.Expr(value=ast.Constant()) | ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
        case ast.Assign(targets=[ast.Name(id="__all__")]):
            return True
    return False


@singledispatch
def _instead_of(_node: ast.AST) -> Iterator[ast.AST]:
    """Return the possible replacements of a node."""
    return iter(())


@_instead_of.register
def _constant(node: ast.Constant) -> Iterator[ast.AST]:
    match node.value:
        case bool():
            yield ast.Constant(not node.value)
        case int() | float():
            yield ast.Constant(node.value + 1)
            yield ast.Constant(node.value - 1)
        case str():
            yield ast.Constant(f"{node.value}X")


@_instead_of.register
def _compare(node: ast.Compare) -> Iterator[ast.AST]:
    for n, operator in enumerate(node.ops):
        for other in _COMPARED[type(operator)]:
            yield ast.Compare(node.left, [*node.ops[:n], other(), *node.ops[n + 1 :]], node.comparators)


@_instead_of.register
def _calculation(node: ast.BinOp) -> Iterator[ast.AST]:
    for other in _CALCULATED.get(type(node.op), ()):
        yield ast.BinOp(node.left, other(), node.right)


@_instead_of.register
def _unary(node: ast.UnaryOp) -> Iterator[ast.AST]:
    yield node.operand


@_instead_of.register
def _boolean(node: ast.BoolOp) -> Iterator[ast.AST]:
    yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
    yield from node.values


@_instead_of.register
def _choice(node: ast.IfExp) -> Iterator[ast.AST]:
    yield node.body
    yield node.orelse


@_instead_of.register
def _call(node: ast.Call) -> Iterator[ast.AST]:
    if isinstance(node.func, ast.Name) and node.func.id in _CALLED:
        yield ast.Call(ast.Name(_CALLED[node.func.id], ast.Load()), node.args, node.keywords)
    for n in range(len(node.keywords)):
        yield ast.Call(node.func, node.args, node.keywords[:n] + node.keywords[n + 1 :])


@_instead_of.register
def _slice(node: ast.Subscript) -> Iterator[ast.AST]:
    if isinstance(node.slice, ast.Slice):
        yield node.value


@_instead_of.register
def _if(node: ast.If) -> Iterator[ast.AST]:
    yield ast.If(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)


@_instead_of.register
def _while(node: ast.While) -> Iterator[ast.AST]:
    yield ast.While(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)


@_instead_of.register
def _return(node: ast.Return) -> Iterator[ast.AST]:
    if node.value is not None and ast.unparse(node.value) != "None":
        yield ast.Return(ast.Constant(None))


@_instead_of.register
def _statement(_: ast.Expr | ast.AugAssign | ast.Raise | ast.Continue | ast.Break) -> Iterator[ast.AST]:
    yield ast.Pass()


@_instead_of.register
def _handler(node: ast.ExceptHandler) -> Iterator[ast.AST]:
    kinds = node.type.elts if isinstance(node.type, ast.Tuple) else []
    for n in range(len(kinds)):
        fewer = ast.Tuple(kinds[:n] + kinds[n + 1 :], ast.Load())
        yield ast.ExceptHandler(fewer, node.name, node.body)


def _first_line(node: ast.AST) -> str:
    return ast.unparse(node).partition("\n")[0]


def _at(parent: ast.AST, name: str, place: int | None) -> Any:
    value = getattr(parent, name)
    return value if place is None else value[place]


def _put(parent: ast.AST, name: str, place: int | None, node: ast.AST) -> None:
    if place is None:
        setattr(parent, name, node)
    else:
        getattr(parent, name)[place] = node
