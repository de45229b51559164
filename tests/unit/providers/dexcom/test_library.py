from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import bg_ingest
from bg_ingest.providers import dexcom

_LAYER = Path(bg_ingest.__file__).parents[1]


def imported_by(statement: str) -> set[str]:
    """The modules a fresh Python has loaded after that statement."""
    program = f"import sys; sys.path.insert(0, {str(_LAYER)!r}); {statement}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603 - our own program.
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_the_library_works_without_aws() -> None:
    """In a notebook nobody has boto3, and nobody should need it."""
    loaded = imported_by("from bg_ingest.providers.dexcom import *")

    assert not loaded & {"boto3", "botocore", "aws_lambda_powertools", "pydantic"}
    assert "httpx" in loaded


def test_the_errors_cost_no_http_client() -> None:
    """A function that only sorts failures starts without a hundred milliseconds of httpx."""
    loaded = imported_by("from bg_ingest.providers.errors import TryLater")

    assert "httpx" not in loaded


@pytest.mark.parametrize("name", dexcom.__all__)
def test_every_public_name_is_there(name: str) -> None:
    """The names are the library's promise."""
    assert getattr(dexcom, name).__module__.startswith("bg_ingest.providers.")


def test_other_names_are_not() -> None:
    """A typo is an AttributeError, as in any module."""
    with pytest.raises(AttributeError, match="no DexcomKlient"):
        dexcom.__getattr__("DexcomKlient")
