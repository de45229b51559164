"""Every dead-letter queue has an alarm and a section in docs/operations.md."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from local.paths import CHECKOUT
from tests.support.documents import sections
from tests.support.template_document import resource, template
from tests.template.emitted import alarms

if TYPE_CHECKING:
    from collections.abc import Iterator


def _dead_letter_queues() -> set[str]:
    """Every queue that another queue, a function or a rule uses for failed messages."""
    return set(_targets_of_failures(template()["Resources"]))


def _targets_of_failures(part: Any) -> Iterator[str]:
    if isinstance(part, list):
        for each in part:
            yield from _targets_of_failures(each)
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
            yield from _targets_of_failures(value)


def test_every_queue_named_dead_is_a_dead_letter_queue() -> None:
    """The search above finds exactly the queues whose names say so, so no queue is left untested."""
    named = {name for name in template()["Resources"] if re.fullmatch(r"Dead\w+Queue", name)}

    assert _dead_letter_queues() == named


def _alarm_on(queue: str) -> dict[str, Any]:
    name = {"Name": "QueueName", "Value": {"Fn::GetAtt": [queue, "QueueName"]}}
    alarm: dict[str, Any]
    (alarm,) = (each for each in alarms().values() if each.get("Dimensions") == [name])
    return alarm


@pytest.mark.parametrize("queue", sorted(_dead_letter_queues()))
def test_one_dead_letter_fires_the_alarm(queue: str) -> None:
    """The alarm fires within a minute, on the number that SQS reports; missing data does not fire it."""
    alarm = _alarm_on(queue)

    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/SQS", "ApproximateNumberOfMessagesVisible")
    assert (alarm["Statistic"], alarm["Period"], alarm["EvaluationPeriods"]) == ("Maximum", 60, 1)
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("GreaterThanOrEqualToThreshold", 1)
    assert alarm["TreatMissingData"] == "notBreaching"


@pytest.mark.parametrize("queue", sorted(_dead_letter_queues()))
def test_alarm_section_names_the_queue_or_the_alarm(queue: str) -> None:
    """The description's heading exists in docs/operations.md, and its text names the queue or the alarm."""
    named = re.search(r"docs/operations\.md#([\w-]+)$", str(_alarm_on(queue)["AlarmDescription"]))

    assert named
    below = sections(CHECKOUT / "docs" / "operations.md")[named[1]]
    assert queue in below or queue.replace("Queue", "Alarm") in below


@pytest.mark.parametrize("queue", sorted(_dead_letter_queues()))
def test_dead_letter_queue_retains_messages_for_14_days(queue: str) -> None:
    """Fourteen days is the longest retention of SQS; the queue's URL is an output of the stack."""
    assert resource(queue)["MessageRetentionPeriod"] == 14 * 86_400
    assert template()["Outputs"][f"{queue}Url"] == {"Value": {"Ref": queue}}
