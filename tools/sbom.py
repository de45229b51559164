"""Writes the software bill of materials of the layer, in CycloneDX 1.6: the command of `make sbom`."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any

from bg_ingest.version import VERSION
from local.paths import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path

_PINNED = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(?:\[[^]]*])?==(?P<version>[^\s;\\]+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
SERVICE = "bg-ingest"


def bill_of_materials(requirements: str, version: str) -> dict[str, Any]:
    """The CycloneDX document of a pinned requirements file."""
    components = [_component(entry) for entry in _entries(requirements)]
    service = {"type": "application", "bom-ref": SERVICE, "name": SERVICE, "version": version}
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": service | {"licenses": [{"license": {"id": "Apache-2.0"}}]}},
        "components": components,
        "dependencies": [{"ref": SERVICE, "dependsOn": [each["bom-ref"] for each in components]}],
    }


def _entries(requirements: str) -> list[str]:
    """Each requirement with its hashes on one line."""
    lines = requirements.replace("\\\n", " ").splitlines()
    return [line for line in lines if _PINNED.match(line)]


def _component(entry: str) -> dict[str, Any]:
    pinned = _PINNED.match(entry)
    assert pinned  # noqa: S101 - `_entries` returns nothing else.
    name = re.sub(r"[-_.]+", "-", pinned["name"]).lower()
    purl = f"pkg:pypi/{name}@{pinned['version']}"
    component = {"type": "library", "bom-ref": purl, "name": name, "version": pinned["version"], "purl": purl}
    hashes = [{"alg": "SHA-256", "content": digest} for digest in _HASH.findall(entry)]
    # Several wheels have one hash each; the document has one entry per algorithm and file.
    return component | ({"hashes": hashes} if len(hashes) == 1 else {})


def write(checkout: Path) -> Path:
    """Write dist/sbom.cdx.json and return its path."""
    requirements = (checkout / "layers" / "core" / "requirements.txt").read_text(encoding="utf-8")
    file = checkout / "dist" / "sbom.cdx.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(bill_of_materials(requirements, VERSION), indent=2) + "\n", encoding="utf-8")
    return file


if __name__ == "__main__":
    sys.stdout.write(f"{write(CHECKOUT)}\n")
