"""
Prints template.yaml as SAM makes it: plain CloudFormation, with every role, policy and route.

Run by the Python that has SAM's own translator: `.venv-aws/bin/python local/transformed.py`. Parameters have
their defaults.
"""

import json
import os
from pathlib import Path
from typing import Any

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

TEMPLATE = Path(__file__).parents[1] / "template.yaml"


class _NoManagedPolicies:
    """Only needed for policies named by a managed policy's name; the template has none."""

    def load(self) -> dict[str, str]:
        """None."""
        return {}


def _as_uploaded(template: dict[str, Any]) -> dict[str, Any]:
    """As `sam package` leaves it: the translator takes code from S3 only."""
    for entry in template["Resources"].values():
        for name in ("CodeUri", "ContentUri"):
            if name in entry.get("Properties", {}):
                entry["Properties"][name] = "s3://uploaded/code"
    return template


if __name__ == "__main__":
    os.environ.setdefault("AWS_DEFAULT_REGION", "eu-west-1")  # noqa: TID251 - the translator asks for it.
    # By way of JSON: what YAML wrote once and referred to twice, the translator would change twice.
    written = _as_uploaded(json.loads(json.dumps(yaml_parse(TEMPLATE.read_text()))))
    print(json.dumps(transform(written, {}, _NoManagedPolicies()), indent=1))
