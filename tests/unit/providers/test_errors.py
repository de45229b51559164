from __future__ import annotations

import copy
import inspect
import re

import pytest

from bg_ingest.providers import errors
from bg_ingest.providers.errors import ProviderError, Throttled, TryLater

KINDS = [
    kind for _, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__
]


def test_docstring_draws_the_tree_of_the_code() -> None:
    """The module docstring names every error class, below its base class."""
    drawn: list[tuple[str, str]] = []
    over: dict[int, str] = {}
    for bullet, name in re.findall(r"^( *[*+-] )(\w+)", errors.__doc__ or "", re.MULTILINE):
        over[len(bullet)] = name
        drawn.append((name, over.get(len(bullet) - 2, "Exception")))

    assert sorted(drawn) == sorted((kind.__name__, kind.__bases__[0].__name__) for kind in KINDS)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_error_can_be_copied(kind: type[ProviderError]) -> None:
    """An error keeps its class and text when it crosses a thread or a process."""
    error = copy.copy(kind("egvs: 500"))

    assert (type(error), str(error)) == (kind, "egvs: 500")


def test_copy_keeps_retry_after() -> None:
    """A copied error keeps the time to wait before a retry."""
    error = copy.copy(Throttled("egvs: 429", retry_after_s=7.0))

    assert isinstance(error, TryLater)
    assert error.retry_after_s == 7.0
