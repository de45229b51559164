"""The limits in the code: constants and defaults, found by their names and types."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from local.paths import CHECKOUT
from tests.support.template_document import resource, template

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CORE = CHECKOUT / "layers/core"
_PACKAGE = _CORE / "bg_ingest"
_CONSTANT = re.compile(r"_?[A-Z][A-Z0-9_]*")
_LIMIT = re.compile(r"(^|_)(MAX|MIN|S|MS|DAYS|TTL|KEPT|KEPT_FOR|FOR|HORIZON|OVERLAP|AHEAD|DEFAULT|PER_HOUR)$")
_CLASS = re.compile(r"(Limits|Rules|Policy|Backoff|Timeouts|Budget)$")
_UNITS_S = {"s": 1, "min": 60, "h": 3_600, "days": 86_400}


class Limit(NamedTuple):
    """A limit, and the file that defines it."""

    where: str  # Below bg_ingest, or template.yaml.
    name: str


def limits_in_code() -> Iterator[Limit]:
    """Every constant and default of the package that its name or its type marks as a limit."""
    for path in sorted(_PACKAGE.rglob("*.py")):
        module = _module(path)
        where = str(path.relative_to(_PACKAGE))
        for name in _assigned(path):
            value = getattr(module, name)
            if isinstance(value, timedelta) or (_LIMIT.search(name) and _is_number(value)):
                yield Limit(where, name)
        for owner in vars(module).values():
            if (
                isinstance(owner, type)
                and owner.__module__ == module.__name__
                and _CLASS.search(owner.__name__)
            ):
                for field in _fields(owner):
                    yield Limit(where, f"{owner.__name__}.{field.name}")


def value_of(limit: Limit) -> Any:
    """The value of a limit; LookupError or AttributeError if the name does not exist."""
    first, *rest = limit.name.split(".")
    if limit.where == "template.yaml":
        found: Any = resource(first)
        for key in rest:
            found = found[key]
        if isinstance(found, dict) and "Ref" in found:
            found = template()["Parameters"][found["Ref"]]["Default"]
        return found
    found = getattr(_module(_PACKAGE / limit.where), first)
    if not rest:
        return found
    return next(field.default for field in _fields(found) if field.name == rest[0])


def same(shown: str, value: Any) -> bool:
    """Whether a value as the page writes it, such as "150 s" or "1,000 readings", is this number."""
    number, _, unit = shown.replace(",", "").partition(" ")
    if isinstance(value, timedelta):
        return timedelta(seconds=float(number) * _UNITS_S[unit]) == value
    return float(number) * _UNITS_S.get(unit, 1) == float(value)


def _module(path: Path) -> Any:
    parts = path.relative_to(_CORE).with_suffix("").parts
    return importlib.import_module(".".join(part for part in parts if part != "__init__"))


def _assigned(path: Path) -> Iterator[str]:
    for statement in ast.parse(path.read_text()).body:
        if isinstance(statement, ast.Assign | ast.AnnAssign):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            for name in (
                node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)
            ):
                if _CONSTANT.fullmatch(name):
                    yield name


def _fields(owner: Any) -> Iterator[Any]:
    for field in dataclasses.fields(owner) if dataclasses.is_dataclass(owner) else ():
        if _is_number(field.default) or isinstance(field.default, timedelta):
            yield field


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
