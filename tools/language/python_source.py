"""Prose of Python files: comments, docstrings, test names and string literals."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

from tools.language.prose import Passage, comment_block, line_numbers, paragraphs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# The expression takes a string or a comment, the one that begins first. A "#" in a string is then not
# a comment, and a quote in a comment does not open a string.
_PYTHON_TOKEN = re.compile(
    r"(?P<string>'''(?:\\.|[^\\])*?'''|\"\"\"(?:\\.|[^\\])*?\"\"\"|'(?:\\.|[^'\\\n])*'|\"(?:\\.|[^\"\\\n])*\")"
    r"|(?P<comment>#[^\n]*)",
    re.DOTALL,
)


def python(path: Path, text: str) -> Iterator[Passage]:
    """Comments, docstrings and test names; string literals of files that are not tests."""
    lines = line_numbers(text)
    comments: list[tuple[int, str]] = []
    for match in _PYTHON_TOKEN.finditer(text):
        if match["comment"]:
            column_is_code = bool(text[text.rfind("\n", 0, match.start()) + 1 : match.start()].strip())
            line = lines(match.start())
            if column_is_code:
                yield from comment_block([(line, match["comment"])])
                continue
            if comments and comments[-1][0] != line - 1:
                yield from comment_block(comments)
                comments = []
            comments.append((line, match["comment"]))
    yield from comment_block(comments)
    tree = ast.parse(text)
    is_test = "tests" in path.parts
    yield from _definitions(tree, tests=is_test)
    if not is_test:
        yield from _strings(tree)


def _definitions(node: ast.AST, *, tests: bool) -> Iterator[Passage]:
    if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        docstring = ast.get_docstring(node, clean=False)
        if docstring:
            yield from paragraphs(node.body[0].lineno, _dedented(docstring))
        if tests and not isinstance(node, ast.Module) and node.name.lower().startswith("test_"):
            yield Passage(node.lineno, node.name, prose=False, name=True)
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            yield from _definitions(child, tests=tests)


def _strings(tree: ast.AST) -> Iterator[Passage]:
    """String literals of three words or more: error texts, log messages, text of pages."""
    left: list[Any] = [tree]
    while left:  # A loop instead of ast.walk, which takes three times as long.
        node = left.pop()
        if isinstance(node, (ast.Constant, ast.JoinedStr)):
            text = _literal(node)
            if len(text.split()) >= 3:
                yield Passage(node.lineno, text, prose=False)
        elif isinstance(node, list):
            left.extend(node)
        elif isinstance(node, ast.AST) and not isinstance(node, ast.Name) and not _is_docstring(node):
            left.extend(vars(node).values())


def _literal(node: ast.expr) -> str:
    """The text of a string; each value of an f-string is read as one word."""
    if isinstance(node, ast.JoinedStr):
        return "".join(_literal(part) for part in node.values)
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    return "code"


def _is_docstring(node: ast.AST) -> bool:
    """Whether a statement consists of a string only."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _dedented(docstring: str) -> str:
    first, *rest = docstring.split("\n")
    margin = min((len(line) - len(line.lstrip()) for line in rest if line.strip()), default=0)
    return "\n".join([first.lstrip(), *(line[margin:] for line in rest)])
