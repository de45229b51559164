"""The alarms and the dashboard of the deployed stack."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from local.deploy import function_names
from tests.template.emitted import alarms_of_every_stack

if TYPE_CHECKING:
    from local.stack import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.integration]


def test_deployed_alarms_and_dashboard_use_real_names(cloud: Stack) -> None:
    """No placeholder remains, metrics belong to functions of the stack, and alarms notify one topic."""
    watch, names = cloud.emulator.client("cloudwatch"), set(function_names(cloud.emulator).values())
    deployed = watch.describe_alarms()["MetricAlarms"]
    (dashboard,) = watch.list_dashboards()["DashboardEntries"]
    body = watch.get_dashboard(DashboardName=dashboard["DashboardName"])["DashboardBody"]

    assert len(deployed) == len(alarms_of_every_stack())
    assert len({topic for alarm in deployed for topic in alarm["AlarmActions"] + alarm["OKActions"]}) == 1
    for alarm in deployed:
        dimensions = {each["Name"]: each["Value"] for each in alarm["Dimensions"]}
        assert all(dimensions.values())
        assert {dimensions[name] for name in ("function", "FunctionName") if name in dimensions} <= names
    assert json.loads(body)["widgets"]
    assert "${" not in body
    shown = re.findall(r"arn:aws:cloudwatch:[^\"]+", body)
    assert sorted(shown) == sorted(alarm["AlarmArn"] for alarm in deployed)
