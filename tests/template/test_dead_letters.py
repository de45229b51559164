"""Dead letters wake somebody, who is told where to read what to do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from local.paths import CHECKOUT
from tests.support.documents import sections
from tests.support.template_document import resource, template

if TYPE_CHECKING:
    from collections.abc import Iterator


def _dead_letter_queues() -> set[str]:
    """Every queue that another one, a function or a rule names as the place for what it gives up."""
    return set(_given_up_to(template()["Resources"]))


def _given_up_to(part: Any) -> Iterator[str]:
    if isinstance(part, list):
        for each in part:
            yield from _given_up_to(each)
    if not isinstance(part, dict):
        return
    for name, value in part.items():
        if name == "RedrivePolicy":
            yield value["deadLetterTargetArn"]["Fn::GetAtt"][0]
        elif name == "OnFailure":
            yield value["Destination"]["Fn::GetAtt"][0]
        elif name == "DeadLetterConfig":
            yield value["Arn"]["Fn::GetAtt"][0]
        else:
            yield from _given_up_to(value)


def test_every_dead_letter_queue_is_found() -> None:
    """Or the tests below would be about fewer, and nobody would notice; they are named for what they are."""
    named = {name for name in template()["Resources"] if re.fullmatch(r"Dead\w+Queue", name)}

    assert _dead_letter_queues() == named


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
    named = re.search(r"docs/operations\.md#([\w-]+)$", str(_alarm_on(queue)["AlarmDescription"]))

    assert named
    below = sections(CHECKOUT / "docs" / "operations.md")[named[1]]
    assert queue in below or queue.replace("Queue", "Alarm") in below


@pytest.mark.parametrize("queue", sorted(_dead_letter_queues()))
def test_dead_letters_keep_for_fourteen_days(queue: str) -> None:
    """The longest there is, and the queue's address is among the stack's outputs."""
    assert resource(queue)["MessageRetentionPeriod"] == 14 * 86_400
    assert template()["Outputs"][f"{queue}Url"] == {"Value": {"Ref": queue}}
