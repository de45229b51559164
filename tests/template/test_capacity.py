"""The tables' capacity: on demand, or provisioned and scaled."""

from __future__ import annotations

import pytest

from benchmarks.price import UTILISATION
from tests.support.template_document import resource, template

_TABLES = {
    "Readings": "ReadingsTable",
    "Users": "UsersTable",
    "Seat": "UsersTable",
    "Intake": "IntakeTable",
}


def test_on_demand_is_the_default() -> None:
    """A stack is not throttled unless its operator chooses a capacity."""
    parameter = template()["Parameters"]["TableCapacity"]

    assert (parameter["Default"], parameter["AllowedValues"]) == ("on-demand", ["on-demand", "provisioned"])


@pytest.mark.parametrize("table", sorted(set(_TABLES.values())))
def test_the_parameter_decides_how_a_table_is_paid(table: str) -> None:
    """Table and indexes start with the minimum if they are provisioned, and name no capacity otherwise."""
    start = {
        "ReadCapacityUnits": {"Ref": "ProvisionedUnitsMin"},
        "WriteCapacityUnits": {"Ref": "ProvisionedUnitsMin"},
    }
    given = {"Fn::If": ["IsProvisioned", start, {"Ref": "AWS::NoValue"}]}

    assert resource(table)["BillingMode"] == {"Fn::If": ["IsProvisioned", "PROVISIONED", "PAY_PER_REQUEST"]}
    for part in (resource(table), *resource(table).get("GlobalSecondaryIndexes", [])):
        assert part["ProvisionedThroughput"] == given


@pytest.mark.parametrize("way", ["Read", "Write"])
@pytest.mark.parametrize("name", sorted(_TABLES))
def test_every_table_and_index_is_scaled(name: str, way: str) -> None:
    """For reads and for writes, to the utilisation that the bill assumes."""
    target, policy = (template()["Resources"][f"{name}{way}{kind}"] for kind in ("Target", "Policy"))
    kind = "index" if name == "Seat" else "table"
    scaled = policy["Properties"]["TargetTrackingScalingPolicyConfiguration"]

    assert target["Condition"] == policy["Condition"] == "IsProvisioned"
    assert target["Properties"]["ScalableDimension"] == f"dynamodb:{kind}:{way}CapacityUnits"
    assert _TABLES[name] in target["Properties"]["ResourceId"]["Fn::Sub"]
    assert policy["Properties"]["ScalingTargetId"] == {"Ref": f"{name}{way}Target"}
    assert (
        scaled["PredefinedMetricSpecification"]["PredefinedMetricType"] == f"DynamoDB{way}CapacityUtilization"
    )
    assert scaled["TargetValue"] == UTILISATION * 100


def test_no_table_or_index_is_left_out() -> None:
    """Each has a target of its own."""
    tables = [name for name, one in template()["Resources"].items() if one["Type"] == "AWS::DynamoDB::Table"]
    indexes = [index for table in tables for index in resource(table).get("GlobalSecondaryIndexes", [])]
    targets = [one for one in template()["Resources"].values() if one["Type"].endswith("::ScalableTarget")]

    assert len(targets) == 2 * (len(tables) + len(indexes))
