"""The commands of SAM: parameters, failures, and the changes that save time."""

from __future__ import annotations

import json
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from local.deploy import SamCommand, overrides
from local.errors import CannotStart
from local.paths import CHECKOUT, SAM_BIN
from tests.support.template_document import template

if TYPE_CHECKING:
    from pathlib import Path

ENVIRON = {"PATH": "/usr/bin:/bin", "SAM_CLI_TELEMETRY": "0"}
# The template as SAM reads it, with the parser of pure Python or with libyaml.
PARSED = """
import json, sys
import yaml
if sys.argv[2] == "quick":
    yaml.SafeLoader = yaml.CSafeLoader
from samcli.yamlhelper import yaml_parse
print(json.dumps(yaml_parse(open(sys.argv[1]).read())))
"""
# A folder, packed by SAM's own function with each kind of archive.
PACKED = """
import json, sys, zipfile
from pathlib import Path
from quick_sam import QuickArchive
from samcli.lib.package.utils import make_zip_with_lambda_permissions
folder, found = Path(sys.argv[1]), []
(folder / "in").mkdir()
(folder / "in" / "app.py").write_text("".join(f"line {number}\\n" for number in range(5000)))
for kind in (zipfile.ZipFile, QuickArchive):
    zipfile.ZipFile = kind
    packed = make_zip_with_lambda_permissions(str(folder / kind.__name__), str(folder / "in"))
    archive = zipfile.ZipFile(packed)
    (entry,) = archive.infolist()
    found.append([archive.read(entry).decode(), entry.external_attr, entry.compress_size])
print(json.dumps(found))
"""


def _run(code: str, *arguments: str) -> Any:
    """Run code with SAM's Python and return the JSON that it prints."""
    ran = subprocess.run(  # noqa: S603 - our own code.
        [str(SAM_BIN / "python"), "-c", code, *arguments],
        env={**ENVIRON, "PYTHONPATH": str(CHECKOUT / "local")},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(ran.stdout)


def test_an_empty_parameter_gets_the_templates_default() -> None:
    """SAM rejects an empty value, for example the subscriptions path of another Dexcom."""
    given = overrides({"DexcomClientId": "ours", "DexcomSubscriptionsPath": ""})

    assert given == ["DexcomClientId=ours"]
    assert template()["Parameters"]["DexcomSubscriptionsPath"]["Default"] == ""


@pytest.mark.integration
@pytest.mark.parametrize("name", ["template.yaml", "monitoring.yaml"])
def test_sam_reads_the_same_template_with_libyaml(name: str) -> None:
    """`make up` deploys the same as `make deploy`."""
    slow, quick = (_run(PARSED, str(CHECKOUT / name), how) for how in ("slow", "quick"))

    assert slow == quick
    assert slow["Resources"]


def test_a_quick_archive_has_the_same_content(tmp_path: Path) -> None:
    """Its files and their permissions are the same; it is larger."""
    usual, quick = _run(PACKED, str(tmp_path))

    assert usual[:2] == quick[:2]
    assert usual[2] < quick[2]


def test_a_failed_command_shows_the_end_of_its_output(tmp_path: Path) -> None:
    """The message names the command and the file of the log."""
    log = tmp_path / "sam.log"

    with (
        SamCommand(["build", "--template", str(tmp_path / "none.yaml")], ENVIRON, log) as started,
        pytest.raises(CannotStart, match=r"'sam build' failed; the end of .*sam.log:[^$]*none.yaml"),
    ):
        started.wait()


def test_a_command_ends_with_its_block(tmp_path: Path) -> None:
    """A start that fails while SAM builds leaves no process behind."""
    log = tmp_path / "sam.log"

    with (
        pytest.raises(CannotStart, match="stopped"),
        SamCommand(["build", "--template", str(CHECKOUT / "template.yaml")], ENVIRON, log) as started,
    ):
        raise CannotStart("stopped")
    with pytest.raises(CannotStart, match="'sam build' failed"):
        started.wait()
    assert started.exit_code == -signal.SIGTERM
