"""Names and folders of the code: one name for one thing, and folders with few files."""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from functools import cache
from typing import TYPE_CHECKING

import pytest

from local.paths import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

PACKAGE = [*(CHECKOUT / "layers/core/bg_ingest").rglob("*.py"), *(CHECKOUT / "functions").rglob("*.py")]
TESTS = list((CHECKOUT / "tests").rglob("*.py"))
TEST_NAME_LENGTH_MAX = 60
MODULES_PER_FOLDER_MAX = 16
# Names that Python or the layout of functions/ gives.
GIVEN_MODULES = {"__init__", "app"}


@cache
def _definitions(path: Path) -> tuple[ast.ClassDef | ast.FunctionDef, ...]:
    """The classes and functions of a module, at any depth; expressions are not searched."""
    return tuple(_defined_in(ast.parse(path.read_text(encoding="utf-8")).body))


def _defined_in(statements: Iterable[ast.AST]) -> Iterator[ast.ClassDef | ast.FunctionDef]:
    for node in statements:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield node
        if not isinstance(node, ast.expr):
            yield from _defined_in(ast.iter_child_nodes(node))


def _classes(paths: Iterable[Path]) -> Iterator[tuple[str, Path]]:
    for path in paths:
        for node in _definitions(path):
            if isinstance(node, ast.ClassDef):
                yield node.name, path


def _used_twice(names: Iterable[tuple[str, Path]]) -> dict[str, list[str]]:
    places = defaultdict(list)
    for name, path in names:
        places[name].append(str(path.relative_to(CHECKOUT)))
    return {name: found for name, found in places.items() if len(found) > 1}


@pytest.mark.parametrize("paths", [PACKAGE, TESTS], ids=["package", "tests"])
def test_no_two_classes_have_the_same_name(paths: list[Path]) -> None:
    """A reader who searches for a class finds one."""
    assert _used_twice(_classes(paths)) == {}


def test_no_two_modules_have_the_same_name() -> None:
    """A module is known by its name alone, wherever it is in the package."""
    assert _used_twice((path.stem, path) for path in PACKAGE if path.stem not in GIVEN_MODULES) == {}


def test_no_folder_of_the_core_has_too_many_modules() -> None:
    """Subpackages group what belongs together."""
    per_folder = Counter(path.parent for path in PACKAGE)

    too_many = {folder.name: count for folder, count in per_folder.items() if count > MODULES_PER_FOLDER_MAX}

    assert too_many == {}


def test_test_names_are_short() -> None:
    """A name has at most 60 characters."""
    names = [
        node.name
        for path in TESTS
        for node in _definitions(path)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]

    assert len(names) > 1_000
    assert [name for name in names if len(name) > TEST_NAME_LENGTH_MAX] == []


CORE = "layers/core/bg_ingest"
# Outside of these, no code names the provider; comments may, because they cite its documentation.
NAME_DEXCOM = {
    f"{CORE}/providers/dexcom/": "the provider itself",
    f"{CORE}/settings.py": "its settings",
    f"{CORE}/wiring/": "binds it",
    f"{CORE}/http_api/answers/login_responses.py": "an example in the API document",
    "functions/export/app.py": "an example in the API document",
    "functions/status/app.py": "an example in the API document",
}


def test_only_a_few_files_name_dexcom() -> None:
    """A second provider needs its own folder, settings and wiring, and no other file."""
    found = {
        str(path.relative_to(CHECKOUT))
        for folder in (CORE, "functions")
        for path in (CHECKOUT / folder).rglob("*.py")
        if _names_dexcom(path)
    }

    assert f"{CORE}/providers/dexcom/provider.py" in found
    assert {name for name in found if not name.startswith(tuple(NAME_DEXCOM))} == set()


def _names_dexcom(path: Path) -> bool:
    """Whether the code names it, outside of comments and docstrings."""
    text = path.read_text(encoding="utf-8")
    return "dexcom" in text.lower() and "dexcom" in _without_docstrings(text).lower()


def _without_docstrings(text: str) -> str:
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and ast.get_docstring(node) is not None
        ):
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)
