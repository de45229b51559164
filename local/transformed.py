"""
Prints template.yaml after SAM's transform: plain CloudFormation with every role, policy and route.

Run it with the Python that has SAM's translator: `.venv-aws/bin/python local/transformed.py`. Parameters have
their defaults.
"""

import json
import os
from pathlib import Path
from typing import Any

import yaml
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

TEMPLATE = Path(__file__).parents[1] / "template.yaml"


class _NoManagedPolicies:
    """The translator needs it for policies that are named by a managed policy; the template has none."""

    def load(self) -> dict[str, str]:
        """No managed policies."""
        return {}


def _as_uploaded(template: dict[str, Any]) -> dict[str, Any]:
    """The template as `sam package` returns it, because the translator accepts code in S3 only."""
    for entry in template["Resources"].values():
        for name in ("CodeUri", "ContentUri"):
            if name in entry.get("Properties", {}):
                entry["Properties"][name] = "s3://uploaded/code"
    return template


if __name__ == "__main__":
    os.environ.setdefault("AWS_DEFAULT_REGION", "eu-west-1")  # noqa: TID251 - the translator requires it.
    yaml.SafeLoader = yaml.CSafeLoader  # type: ignore[assignment, misc]  # libyaml returns the same in a tenth of the time.
    # Via JSON, which copies YAML anchors. Otherwise the translator would change a shared value twice.
    written = _as_uploaded(json.loads(json.dumps(yaml_parse(TEMPLATE.read_text()))))
    print(json.dumps(transform(written, {}, _NoManagedPolicies()), indent=1))
