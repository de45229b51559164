"""The software bill of materials."""

from __future__ import annotations

import re

from bg_ingest.version import VERSION
from local.paths import CHECKOUT
from tools.sbom import bill_of_materials

REQUIREMENTS = """
Annotated_Types==0.8.0 \\
    --hash=sha256:{digest}
    # via pydantic
httpx[http2]==0.28.1 ; python_version >= "3.11"
""".format(digest="a" * 64)


def test_each_package_is_a_component() -> None:
    """It has its normalized name, its version, its package URL, and its hash if there is one."""
    document = bill_of_materials(REQUIREMENTS, "1.2.3")

    assert [each["purl"] for each in document["components"]] == [
        "pkg:pypi/annotated-types@0.8.0",
        "pkg:pypi/httpx@0.28.1",
    ]
    assert document["components"][0]["hashes"] == [{"alg": "SHA-256", "content": "a" * 64}]
    assert "hashes" not in document["components"][1]
    assert document["metadata"]["component"]["version"] == "1.2.3"
    assert document["dependencies"][0]["dependsOn"] == [each["purl"] for each in document["components"]]


def test_the_layer_s_packages_are_all_listed() -> None:
    """As many as the layer's pinned requirements."""
    requirements = (CHECKOUT / "layers" / "core" / "requirements.txt").read_text()
    pinned = re.findall(r"^[^\s#]+==", requirements, re.MULTILINE)

    assert len(bill_of_materials(requirements, VERSION)["components"]) == len(pinned) > 10
