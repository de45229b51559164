"""Alarms that can ring, about what is really measured, and that say what to do."""

from __future__ import annotations

import inspect
import json
import re

import pytest

from bg_ingest.providers import errors
from bg_ingest.sync.job import INTERNAL, NOT_CONNECTED, REAUTHORIZATION_NEEDED, JobKind, JobStatus
from bg_ingest.telemetry import metrics
from functions.webhook.app import OUTCOMES
from local.paths import CHECKOUT
from tests.support.documents import sections
from tests.support.template_document import resource, template
from tests.template.emitted import Series, alarms, dashboards, series

OURS = {metric.name: metric for metric in metrics.ALL}
# What AWS measures, of which kind of resource, by the dimension it documents; without one, of the account.
THEIRS = {
    ("AWS/SQS", "ApproximateAgeOfOldestMessage"): ("QueueName", "AWS::SQS::Queue"),
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): ("QueueName", "AWS::SQS::Queue"),
    ("AWS/Lambda", "Errors"): ("FunctionName", "AWS::Serverless::Function"),
    ("AWS/Lambda", "Throttles"): ("FunctionName", "AWS::Serverless::Function"),
    ("AWS/Lambda", "IteratorAge"): ("FunctionName", "AWS::Serverless::Function"),
    ("AWS/ApiGateway", "Count"): ("ApiId", "AWS::Serverless::HttpApi"),
    ("AWS/ApiGateway", "4xx"): ("ApiId", "AWS::Serverless::HttpApi"),
    ("AWS/ApiGateway", "5xx"): ("ApiId", "AWS::Serverless::HttpApi"),
    ("AWS/ApiGateway", "Latency"): ("ApiId", "AWS::Serverless::HttpApi"),
}
# What CloudFormation hands out for each, which is the dimension's value.
NAMED_BY = {"AWS::SQS::Queue": "GetAtt:{}.QueueName"}
ERRORS = {name for name, _ in inspect.getmembers(errors, inspect.isclass)}
# The values that a dimension of ours can have; a metric that is not here may have any.
VALUES = {
    "syncs": {*JobStatus, "busy", "over", "crashed"},
    "token_refreshes": {"succeeded", "failed"},
    "provider_errors": ERRORS,
    "sync_errors": ERRORS | {NOT_CONNECTED, REAUTHORIZATION_NEEDED, INTERNAL},
    "periods_served": {JobKind.INCREMENTAL, JobKind.RECONCILE},
    "users_dispatched": {JobKind.INCREMENTAL, JobKind.RECONCILE},
    "webhooks": {*OUTCOMES.values(), "failed"},
}
ALL = pytest.mark.parametrize("one", series(), ids=lambda one: f"{one.listener}-{one.metric}")


@pytest.mark.parametrize("name", alarms())
def test_an_alarm_names_a_heading_that_says_what_to_do(name: str) -> None:
    """Whoever is woken finds the page, the place on it, and more there than a heading."""
    named = re.search(r"docs/operations\.md#([\w-]+)", alarms()[name]["AlarmDescription"])
    assert named, f"{name} says nothing of docs/operations.md#its-heading"

    below = sections(CHECKOUT / "docs" / "operations.md")
    assert named[1] in below
    assert len(below[named[1]].split()) > 40


@pytest.mark.parametrize("name", alarms())
def test_an_alarm_is_heard_when_it_rings_and_when_it_rests(name: str) -> None:
    """By everybody who listens to the one topic."""
    topic = [{"Ref": "AlarmTopic"}]
    assert (alarms()[name]["AlarmActions"], alarms()[name]["OKActions"]) == (topic, topic)
    assert alarms()[name]["TreatMissingData"] in {"breaching", "notBreaching"}


@ALL
def test_what_is_listened_to_is_what_is_measured(one: Series) -> None:
    """Name, namespace and dimensions to the letter: CloudWatch never says that a series does not exist."""
    if one.namespace == metrics.NAMESPACE:
        metric = OURS[one.metric]
        wanted = ("function", metric.dimension) if metric.dimension else ("function",)
        assert tuple(name for name, _ in one.dimensions) == wanted
        assert template()["Resources"][one.function]["Type"] == "AWS::Serverless::Function"
        if one.metric in VALUES:
            assert one.dimensions[1][1] in VALUES[one.metric]
        return
    dimension, kind = THEIRS[one.namespace, one.metric]
    for name, value in one.dimensions:
        owner = re.split("[:.]", value)[1]
        assert (name, template()["Resources"][owner]["Type"]) == (dimension, kind)
        assert value == NAMED_BY.get(kind, "Ref:{}").format(owner)


@ALL
def test_a_statistic_fits_its_metric(one: Series) -> None:
    """Counts are added up, and a percentile needs the values themselves."""
    unit = OURS[one.metric].unit if one.namespace == metrics.NAMESPACE else None
    if unit == "Count":
        assert one.statistic == "Sum"
    if unit in {"Milliseconds", "Seconds"}:
        assert re.fullmatch(r"p\d+", one.statistic)
    if unit == "Percent":
        assert one.statistic in {"Average", "Maximum"}


def test_what_is_listened_to_is_there_whenever_its_listener_is() -> None:
    """A reference to what a deployment leaves out would end the deployment."""
    resources = template()["Resources"]
    for one in series():
        for _, value in one.dimensions:
            owner = re.split("[:.]", value)[1] if re.match("(Ref|GetAtt):", value) else None
            needed = resources[owner].get("Condition") if owner else None
            assert needed in {None, resources[one.listener].get("Condition")}, one


def test_both_sinks_ring_alike() -> None:
    """A broker of one's own is no reason to hear later, or of less."""
    by_sink = [
        {
            name.replace(sink, ""): {
                key: alarm[key] for key in ("MetricName", "Threshold", "Period", "EvaluationPeriods")
            }
            for name, alarm in alarms().items()
            if sink in name
        }
        for sink in ("EventBridge", "RabbitMQ")
    ]

    assert by_sink[0] == by_sink[1]
    assert len(by_sink[0]) == 3


def test_silence_rings_where_silence_is_the_fault() -> None:
    """A dispatcher that is gone measures nothing, and five minutes hold five ticks."""
    silent = alarms()["DispatcherAlarm"]

    assert silent["TreatMissingData"] == "breaching"
    assert (silent["Period"] / 60, silent["ComparisonOperator"]) == (5, "LessThanThreshold")


def test_alarms_are_encrypted_by_a_key_that_cloudwatch_may_use() -> None:
    """AWS's own key for SNS refuses CloudWatch, and nobody would hear of it."""
    key = resource("AlarmTopic")["KmsMasterKeyId"]["Ref"]
    ring = next(s for s in resource(key)["KeyPolicy"]["Statement"] if s["Sid"] == "Ring")

    assert ring["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert set(ring["Action"]) == {"kms:Decrypt", "kms:GenerateDataKey*"}
    allowed, denied = resource("AlarmTopicPolicy")["PolicyDocument"]["Statement"]
    assert (allowed["Principal"], allowed["Action"]) == (ring["Principal"], "sns:Publish")
    assert (denied["Effect"], denied["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_the_dashboard_shows_every_alarm_and_has_a_line_on_how_to_read_it() -> None:
    """One look says which ring, but for those that are not in every stack; titles are for people."""
    (body,) = dashboards().values()
    shown = set(re.findall(r"\$\{(\w+)\.Arn\}", json.dumps(body)))

    assert shown == {name for name in alarms() if "Condition" not in template()["Resources"][name]}
    assert "operations.md" in body["widgets"][0]["properties"]["markdown"]
    for widget in body["widgets"][1:]:
        assert widget["properties"]["title"][0].isupper()


def test_widgets_lie_side_by_side_and_not_on_each_other() -> None:
    """Twenty-four columns, each square in use once."""
    (body,) = dashboards().values()
    squares = [
        (column, row)
        for widget in body["widgets"]
        for column in range(widget["x"], widget["x"] + widget["width"])
        for row in range(widget["y"], widget["y"] + widget["height"])
    ]

    assert len(squares) == len(set(squares))
    assert max(column for column, _ in squares) == 23
