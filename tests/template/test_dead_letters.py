"""Dead letters wake somebody, who is told where to read what to do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.template_document import resource, template

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"


def _dead_letter_queues() -> set[str]:
    """Every queue that another one names as the place for what it gives up."""
    return {
        entry["Properties"]["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]
        for entry in template()["Resources"].values()
        if "RedrivePolicy" in entry.get("Properties", {})
    }


def _alarm_on(queue: str) -> dict[str, Any]:
    name = {"Name": "QueueName", "Value": {"Fn::GetAtt": [queue, "QueueName"]}}
    alarm: dict[str, Any]
    (alarm,) = (
        entry["Properties"]
        for entry in template()["Resources"].values()
        if entry["Type"] == "AWS::CloudWatch::Alarm" and entry["Properties"].get("Dimensions") == [name]
    )
    return alarm


@pytest.mark.parametrize("queue", sorted(_dead_letter_queues()))
def test_one_dead_letter_rings(queue: str) -> None:
    """Within a minute, on the number that SQS itself reports; silence is no alarm."""
    alarm = _alarm_on(queue)

    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/SQS", "ApproximateNumberOfMessagesVisible")
    assert (alarm["Statistic"], alarm["Period"], alarm["EvaluationPeriods"]) == ("Maximum", 60, 1)
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("GreaterThanOrEqualToThreshold", 1)
    assert alarm["TreatMissingData"] == "notBreaching"


@pytest.mark.parametrize("queue", sorted(_dead_letter_queues()))
def test_the_alarm_names_what_to_read(queue: str) -> None:
    """A heading of docs/operations.md, as it is linked to."""
    headings = re.findall(r"^## (.+)$", OPERATIONS.read_text(), re.MULTILINE)
    anchors = {heading.lower().replace(" ", "-") for heading in headings}
    named = re.search(r"docs/operations\.md#([\w-]+)$", str(_alarm_on(queue)["AlarmDescription"]))

    assert named
    assert named[1] in anchors


@pytest.mark.parametrize("queue", sorted(_dead_letter_queues()))
def test_dead_letters_keep_for_fourteen_days(queue: str) -> None:
    """The longest there is, and the queue's address is among the stack's outputs."""
    assert resource(queue)["MessageRetentionPeriod"] == 14 * 86_400
    assert template()["Outputs"][f"{queue}Url"] == {"Value": {"Ref": queue}}
