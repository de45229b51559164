from __future__ import annotations

import pytest

from tests.mutation.modules import MODULES, source_of
from tests.mutation.mutants import Mutant, mutants_of
from tests.mutation.report import Tried, as_markdown, reasons, unexplained
from tests.mutation.trial import Verdict


def names(source: str) -> list[str]:
    """The changes that are made to it."""
    return [mutant.name for mutant in mutants_of(source)]


@pytest.mark.parametrize(
    ("source", "changes"),
    [
        ("x = 1", ["1 -> 2", "1 -> 0"]),
        ("x = 'a'", ["'a' -> 'aX'"]),
        ("x = True", ["True -> False"]),
        ("x = a < b", ["a < b -> a <= b", "a < b -> a >= b"]),
        ("x = a < b <= c", [f"a < b <= c -> a {two} c" for two in ("<= b <=", ">= b <=", "< b <", "< b >")]),
        ("x = a + b", ["a + b -> a - b"]),
        ("x = not a", ["not a -> a"]),
        ("x = a and b", ["a and b -> a or b", "a and b -> a", "a and b -> b"]),
        ("x = a if b else c", ["a if b else c -> a", "a if b else c -> c"]),
        ("x = min(a, key=b)", ["min(a, key=b) -> max(a, key=b)", "min(a, key=b) -> min(a)"]),
        ("x = a[b:]", ["a[b:] -> a"]),
        ("x = a[b]", []),
        ("f(x)", ["f(x) -> pass"]),
        ("def f():\n    return x", ["return x -> return None"]),
        ("if a:\n    b = c", ["if a: -> if not a:"]),
    ],
)
def test_every_kind_of_node_is_mutated(source: str, changes: list[str]) -> None:
    """Each kind of expression and statement has its mutants."""
    assert names(source) == changes


def test_code_that_is_not_executed_is_not_mutated() -> None:
    """Annotations, imports, docstrings and exception texts have no mutants."""
    source = (
        'import a\nT = Literal["b"]\ndef f(x: "int | None") -> "int":\n """One."""\n raise ValueError("2")\n'
    )

    assert names(source) == ["raise ValueError('2') -> pass"]


def test_each_mutant_has_one_change() -> None:
    """The module is unchanged for the next mutant."""
    sources = [mutant.source for mutant in mutants_of("x = 1\ny = 2")]

    assert sources == ["x = 2\ny = 2", "x = 0\ny = 2", "x = 1\ny = 3", "x = 1\ny = 1"]


def test_a_survivor_without_a_reason_is_reported() -> None:
    """A reason covers one change of one line of one module."""
    survivor, killed = (
        Tried("m", Mutant(1, "x = 1", "1", becomes, ""), verdict)
        for becomes, verdict in (("2", Verdict.SURVIVED), ("0", Verdict.KILLED))
    )

    assert unexplained([survivor, killed], {}) == [survivor]
    assert unexplained([survivor, killed], {("m", "x = 1", "1 -> 2"): "why"}) == []
    assert "| all | 2 | 1 | 50.0 % |" in as_markdown([survivor, killed], {})


def test_every_reason_belongs_to_an_existing_mutant() -> None:
    """A reason for code that has changed would explain nothing."""
    explained = reasons().keys()
    modules = {module for module, _, _ in explained}
    there_are = {
        (module, mutant.line, mutant.name) for module in modules for mutant in mutants_of(source_of(module))
    }

    assert modules <= MODULES.keys()
    assert explained <= there_are
