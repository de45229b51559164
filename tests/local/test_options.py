"""The options of `make up`: its command line, the environment, and a file .env."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from bg_ingest.settings import Settings
from local.__main__ import _options
from local.errors import CannotStart
from local.paths import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLE = (CHECKOUT / ".env.example").read_text()
MAKEFILE = (CHECKOUT / "Makefile").read_text()


@pytest.fixture(autouse=True)
def dotenv(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The file .env of a folder without one, and an environment without options."""
    for name in _exported():
        monkeypatch.delenv(name, raising=False)
    return tmp_path / ".env"


def _exported() -> list[str]:
    """The options that the Makefile passes on."""
    (names,) = re.findall(r"^export (PORT .*)$", MAKEFILE, re.MULTILINE)
    return str(names).split()


def _examples() -> dict[str, str]:
    """The lines of .env.example, with their values."""
    return dict(re.findall(r"^#?([A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE))


def test_an_option_may_be_a_line_of_a_file(dotenv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment, to which the command line belongs, takes precedence."""
    dotenv.write_text("PORT=5011\nLOG_LEVEL=DEBUG\n")
    monkeypatch.setenv("LOG_LEVEL", "ERROR")

    assert (_options(dotenv.parent).port, _options(dotenv.parent).log_level) == (5011, "ERROR")


def test_origins_and_return_addresses_reach_the_template(dotenv: Path) -> None:
    """A front end of another origin can then use the local stack."""
    dotenv.write_text("CORS_ORIGINS=http://localhost:3000\nRETURN_URLS=http://localhost:3000/connected\n")

    assert _options(dotenv.parent).parameters == {
        "CorsOrigins": "http://localhost:3000",
        "ReturnUrls": "http://localhost:3000/connected",
    }


@pytest.mark.parametrize("port", ["many", "0", "65536", "-1"])
def test_an_invalid_port_is_one_line(port: str, dotenv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a traceback."""
    monkeypatch.setenv("PORT", port)

    with pytest.raises(CannotStart, match=f"PORT is '{port}'; it must be a number from 1 to 65535"):
        _options(dotenv.parent)


def test_make_does_not_hide_the_file(dotenv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`make` exports each option, also one without a value."""
    for name, value in _environment_of_make("LOG_LEVEL=ERROR").items():
        monkeypatch.setenv(name, value)
    dotenv.write_text(
        "PORT=5011\nLOG_LEVEL=DEBUG\nNIGHTSCOUT=1\nRETURN_URLS=http://localhost:3000/connected\n"
    )
    options = _options(dotenv.parent)

    assert (options.port, options.log_level, options.nightscout_port) == (5011, "ERROR", 5013)
    assert options.parameters == {"ReturnUrls": "http://localhost:3000/connected"}


def _environment_of_make(*given: str) -> dict[str, str]:
    """The options in the environment of a recipe."""
    ran = subprocess.run(  # noqa: S603 - our own Makefile.
        ["make", "--silent", "--eval=print-environment: ; @env", "print-environment", *given],  # noqa: S607 - wherever make is.
        cwd=CHECKOUT,
        env={"PATH": os.environ["PATH"]},  # noqa: TID251 - the PATH of the test.
        capture_output=True,
        text=True,
        check=True,
    )
    passed_on = dict(line.partition("=")[::2] for line in ran.stdout.splitlines())
    assert passed_on["LOG_LEVEL"] == "ERROR"
    return {name: passed_on[name] for name in _exported() if name in passed_on}


def test_every_example_is_an_option_or_a_setting(dotenv: Path) -> None:
    """And the values of the examples are valid."""
    dotenv.write_text(re.sub(r"^#(?=[A-Z_]+=)", "", EXAMPLE, flags=re.MULTILINE))

    assert _examples().keys() <= {*_exported(), *(name.upper() for name in Settings.model_fields)}
    assert _options(dotenv.parent).port == int(_examples()["PORT"])
    assert _options(dotenv.parent).provider_url == _examples()["DEXCOM_API_BASE_URL"]
