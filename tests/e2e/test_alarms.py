"""The alarms and the dashboard, as they are deployed."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from local.deploy import function_names
from tests.template.emitted import alarms

if TYPE_CHECKING:
    from local.stack import Stack

pytestmark = pytest.mark.e2e


def test_alarms_and_dashboard_are_deployed_with_real_names(cloud: Stack) -> None:
    """What stood for something in the template is its name now, and all alarms tell one topic."""
    watch, names = cloud.emulator.client("cloudwatch"), set(function_names(cloud.emulator).values())
    deployed = watch.describe_alarms()["MetricAlarms"]
    (dashboard,) = watch.list_dashboards()["DashboardEntries"]
    body = watch.get_dashboard(DashboardName=dashboard["DashboardName"])["DashboardBody"]

    assert 0 < len(deployed) <= len(alarms())
    assert len({topic for alarm in deployed for topic in alarm["AlarmActions"] + alarm["OKActions"]}) == 1
    for alarm in deployed:
        dimensions = {each["Name"]: each["Value"] for each in alarm["Dimensions"]}
        assert {dimensions[name] for name in ("function", "FunctionName") if name in dimensions} <= names
    assert json.loads(body)["widgets"]
    assert "${" not in body
    assert set(re.findall(r"arn:aws:cloudwatch:[^\"]+", body)) <= {alarm["AlarmArn"] for alarm in deployed}
