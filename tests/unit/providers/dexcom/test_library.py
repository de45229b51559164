from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import bg_ingest
from bg_ingest.providers import dexcom

_LAYER = Path(bg_ingest.__file__).parents[1]


def imported_by(statement: str) -> set[str]:
    """The modules that a new Python process has imported after this statement."""
    program = f"import sys; sys.path.insert(0, {str(_LAYER)!r}); {statement}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603 - the program is this test's own.
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_library_imports_nothing_of_aws() -> None:
    """The library can be used in a notebook without boto3."""
    loaded = imported_by("from bg_ingest.providers.dexcom import *")

    assert not loaded & {"boto3", "botocore", "aws_lambda_powertools", "pydantic"}
    assert "httpx" in loaded


def test_errors_do_not_import_httpx() -> None:
    """A function that needs only the errors starts without the import time of httpx."""
    loaded = imported_by("from bg_ingest.providers.errors import TryLater")

    assert "httpx" not in loaded


@pytest.mark.parametrize("name", dexcom.__all__)
def test_public_name_can_be_imported(name: str) -> None:
    """Every name in `__all__` exists."""
    assert getattr(dexcom, name).__module__.startswith("bg_ingest.providers.")


def test_unknown_name_raises_attribute_error() -> None:
    """A misspelled name raises AttributeError, as in any module."""
    with pytest.raises(AttributeError, match="no DexcomKlient"):
        dexcom.__getattr__("DexcomKlient")
