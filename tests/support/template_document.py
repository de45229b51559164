"""The deployed templates as data, so that tests and benchmarks use the same values as the stack."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

CHECKOUT = Path(__file__).parents[2]
TEMPLATE_PATH = CHECKOUT / "template.yaml"
MONITORING_PATH = CHECKOUT / "monitoring.yaml"
DASHBOARD_PATH = CHECKOUT / "dashboard.yaml"


class _CloudFormationLoader(yaml.CSafeLoader):
    """YAML with CloudFormation's short forms: `!Ref X` becomes {"Ref": "X"}."""


def _short_form(loader: yaml.CSafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        if suffix == "GetAtt":
            value = value.split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    return {name: value}


_CloudFormationLoader.add_multi_constructor("!", _short_form)


@cache
def template() -> dict[str, Any]:
    """template.yaml, parsed once."""
    return _parsed(TEMPLATE_PATH)


@cache
def monitoring() -> dict[str, Any]:
    """monitoring.yaml, the nested stack of the alarms, parsed once."""
    return _parsed(MONITORING_PATH)


@cache
def dashboard() -> dict[str, Any]:
    """dashboard.yaml, which template.yaml includes, parsed once."""
    return _parsed(DASHBOARD_PATH)


def _parsed(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.load(path.read_text(), Loader=_CloudFormationLoader)  # noqa: S506 - a SafeLoader.
    return document


def resource(logical_id: str) -> dict[str, Any]:
    """The properties of one resource."""
    properties: dict[str, Any] = template()["Resources"][logical_id]["Properties"]
    return properties


def create_table(client: Any, logical_id: str, name: str) -> None:
    """Create a table with exactly the keys and indexes the template gives it, on demand."""
    wanted = {"AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes"}
    given = {key: value for key, value in resource(logical_id).items() if key in wanted}
    indexes = [
        {key: value for key, value in index.items() if key != "ProvisionedThroughput"}
        for index in given.pop("GlobalSecondaryIndexes", [])
    ]
    more = {"GlobalSecondaryIndexes": indexes} if indexes else {}
    client.create_table(TableName=name, BillingMode="PAY_PER_REQUEST", **given, **more)


def concurrency(source: str) -> int:
    """How many worker processes one of its queues gets, by default: Jobs, Polls or Bulk."""
    reference = resource("WorkerFunction")["Events"][source]["Properties"]["ScalingConfig"]
    processes: int = template()["Parameters"][reference["MaximumConcurrency"]["Ref"]]["Default"]
    return processes
