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


def test_the_tree_in_the_docstring_is_the_tree_in_the_code() -> None:
    """Who reads the top of the file knows every error there is, and under which it falls."""
    drawn: list[tuple[str, str]] = []
    over: dict[int, str] = {}
    for bullet, name in re.findall(r"^( *[*x-] )(\w+)", errors.__doc__ or "", re.MULTILINE):
        over[len(bullet)] = name
        drawn.append((name, over.get(len(bullet) - 2, "Exception")))

    assert sorted(drawn) == sorted((kind.__name__, kind.__bases__[0].__name__) for kind in KINDS)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_survives_a_copy(kind: type[ProviderError]) -> None:
    """Errors cross thread and process borders, in an executor for example, and stay what they are."""
    error = copy.copy(kind("egvs: 500"))

    assert (type(error), str(error)) == (kind, "egvs: 500")


def test_how_long_to_wait_survives_too() -> None:
    """The one fact that travels with an error."""
    error = copy.copy(Throttled("egvs: 429", retry_after_s=7.0))

    assert isinstance(error, TryLater)
    assert error.retry_after_s == 7.0
