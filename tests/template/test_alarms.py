"""Alarms and dashboard: their metrics exist, and each alarm links to its runbook."""

from __future__ import annotations

import inspect
import re

import pytest

from bg_ingest.providers import errors
from bg_ingest.settings import PROVIDER_NAMES
from bg_ingest.sync.job import INTERNAL, NOT_CONNECTED, REAUTHORIZATION_NEEDED, JobKind, JobStatus
from bg_ingest.telemetry import metrics
from functions.webhook.app import OUTCOMES
from local.paths import CHECKOUT
from tests.support.documents import sections
from tests.support.template_document import DASHBOARD_PATH, MONITORING_PATH, monitoring, resource, template
from tests.template.emitted import DASHBOARD, Series, alarms, alarms_of_every_stack, series, widgets

OURS = {metric.name: metric for metric in metrics.ALL}
# Metrics that AWS writes: the documented dimension and the type of the resource. Without one: the account.
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
# The dimension's value: Ref for every type but these.
NAMED_BY = {"AWS::SQS::Queue": "GetAtt:{}.QueueName"}
ERRORS = {name for name, _ in inspect.getmembers(errors, inspect.isclass)}
# The possible values of our own dimensions. A metric that is not listed may have any value.
VALUES = {
    "syncs": {*JobStatus, "busy", "over", "crashed"},
    "token_refreshes": {"succeeded", "failed"},
    "provider_errors": ERRORS,
    "sync_errors": ERRORS | {NOT_CONNECTED, REAUTHORIZATION_NEEDED, INTERNAL},
    "periods_served": {JobKind.INCREMENTAL, JobKind.RECONCILE},
    "users_dispatched": {JobKind.INCREMENTAL, JobKind.RECONCILE},
    "webhooks": {*OUTCOMES.values(), "failed"},
    "failure_of_provider_percent": {*PROVIDER_NAMES},
    "data_age_of_provider_s": {*PROVIDER_NAMES},
}


@pytest.mark.parametrize("name", alarms())
def test_alarm_description_ends_with_runbook_heading(name: str) -> None:
    """The description links to a heading of docs/operations.md that has more than 40 words below it."""
    named = re.search(r"docs/operations\.md#([\w-]+)$", alarms()[name]["AlarmDescription"])
    assert named, f"the description of {name} does not end with docs/operations.md#heading"

    below = sections(CHECKOUT / "docs" / "operations.md")
    assert named[1] in below
    assert len(below[named[1]].split()) > 40
    assert f"`{name}`" in below[named[1]]


@pytest.mark.parametrize("name", alarms())
def test_alarm_notifies_one_topic_when_it_fires_and_ends(name: str) -> None:
    """Every alarm notifies the same topic, and states how it treats missing data."""
    topic = [{"Ref": "AlarmTopic"}]
    assert (alarms()[name]["AlarmActions"], alarms()[name]["OKActions"]) == (topic, topic)
    assert alarms()[name]["TreatMissingData"] in {"breaching", "notBreaching"}


def test_monitoring_parameters_are_named_after_resources() -> None:
    """template.yaml passes every parameter, and each value refers to the resource of that name."""
    passed = resource("Monitoring")["Parameters"]

    assert passed.keys() == monitoring()["Parameters"].keys()
    for name, value in passed.items():
        assert re.search(rf"'(?:Ref|Fn::GetAtt)': \[?'{name}'", str(value)), name


def test_series_is_one_that_the_stack_writes() -> None:
    """Namespace, name and dimensions match exactly, since CloudWatch accepts a series that does not exist."""
    for one in series():
        if one.namespace == metrics.NAMESPACE:
            _is_ours(one)
        else:
            _is_of_aws(one)


def _is_ours(one: Series) -> None:
    metric = OURS[one.metric]
    wanted = ("function", metric.dimension) if metric.dimension else ("function",)
    assert tuple(name for name, _ in one.dimensions) == wanted, one
    assert template()["Resources"][one.function]["Type"] == "AWS::Serverless::Function", one
    if one.metric in VALUES:
        assert one.dimensions[1][1] in VALUES[one.metric], one


def _is_of_aws(one: Series) -> None:
    dimension, kind = THEIRS[one.namespace, one.metric]
    for name, value in one.dimensions:
        owner = re.split("[:.]", value)[1]
        assert (name, template()["Resources"][owner]["Type"]) == (dimension, kind), one
        assert value == NAMED_BY.get(kind, "Ref:{}").format(owner), one


def test_statistic_fits_the_unit_of_its_metric() -> None:
    """Counts are summed, durations are read as percentiles, and percentages as average or maximum."""
    for one in series():
        unit = OURS[one.metric].unit if one.namespace == metrics.NAMESPACE else None
        if unit == "Count":
            assert one.statistic == "Sum", one
        if unit in {"Milliseconds", "Seconds"}:
            assert re.fullmatch(r"p\d+", one.statistic), one
        if unit == "Percent":
            assert one.statistic in {"Average", "Maximum"}, one


def test_series_exists_whenever_its_listener_exists() -> None:
    """A reference to a resource whose condition is false would fail the deployment."""
    for one in series():
        has_rabbitmq = one.listener != DASHBOARD and "Condition" in monitoring()["Resources"][one.listener]
        for _, value in one.dimensions:
            owner = re.split("[:.]", value)[1] if re.match("(Ref|GetAtt):", value) else None
            needed = template()["Resources"][owner].get("Condition") if owner else None
            assert needed in {None, "HasRabbitMq" if has_rabbitmq else None}, one


def test_rabbitmq_alarms_exist_with_the_rabbitmq_publisher() -> None:
    """monitoring.yaml gets an empty name where template.yaml leaves the publisher out."""
    passed = resource("Monitoring")["Parameters"]["PublishRabbitMQFunction"]["Fn::If"]

    assert passed == ["HasRabbitMq", {"Ref": "PublishRabbitMQFunction"}, ""]
    assert template()["Resources"]["PublishRabbitMQFunction"]["Condition"] == "HasRabbitMq"
    is_empty = {"Fn::Equals": [{"Ref": "PublishRabbitMQFunction"}, ""]}
    assert monitoring()["Conditions"] == {"HasRabbitMq": {"Fn::Not": [is_empty]}}


def test_canary_is_scheduled_by_its_parameter() -> None:
    """It is off by default. Two failed checks in a row fire its alarm."""
    schedule = resource("CanaryFunction")["Events"]["Tick"]
    assert (schedule["Type"], schedule["Properties"]["State"]) == ("ScheduleV2", {"Ref": "Canary"})
    assert template()["Parameters"]["Canary"]["Default"] == "DISABLED"

    alarm = monitoring()["Resources"]["CanaryAlarm"]["Properties"]
    assert alarm["Dimensions"] == [{"Name": "FunctionName", "Value": {"Ref": "CanaryFunction"}}]
    assert (alarm["MetricName"], alarm["EvaluationPeriods"]) == ("Errors", 2)


def test_both_publishers_have_the_same_alarms() -> None:
    """EventBridge and RabbitMQ have three alarms each, with equal thresholds and periods."""
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


@pytest.mark.parametrize("metric", ["failure_of_provider_percent", "data_age_of_provider_s"])
def test_each_provider_has_alarms_of_its_own(metric: str) -> None:
    """A provider that fails alone, or has old data alone, does not move the figures of all."""
    watched = [one.dimensions[1][1] for one in series() if one.metric == metric and one.listener != DASHBOARD]

    assert sorted(watched) == sorted(PROVIDER_NAMES)


def test_only_dispatcher_alarm_fires_on_missing_data() -> None:
    """A dispatcher that does not run writes no metric; five minutes contain five ticks."""
    fires_on_missing_data = [
        name for name, each in alarms().items() if each["TreatMissingData"] == "breaching"
    ]
    dispatcher = alarms()["DispatcherAlarm"]

    assert fires_on_missing_data == ["DispatcherAlarm"]
    assert (dispatcher["Period"] / 60, dispatcher["ComparisonOperator"]) == (5, "LessThanThreshold")


def test_cloudwatch_may_use_the_key_of_the_alarm_topic() -> None:
    """CloudWatch may not use the key that AWS manages for SNS: its alarms would be lost without an error."""
    key = resource("AlarmTopic")["KmsMasterKeyId"]["Ref"]
    grant = next(s for s in resource(key)["KeyPolicy"]["Statement"] if s["Sid"] == "AllowCloudWatchAlarms")

    assert grant["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert set(grant["Action"]) == {"kms:Decrypt", "kms:GenerateDataKey*"}
    allowed, denied = resource("AlarmTopicPolicy")["PolicyDocument"]["Statement"]
    assert (allowed["Principal"], allowed["Action"]) == (grant["Principal"], "sns:Publish")
    assert (denied["Effect"], denied["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_dashboard_shows_every_unconditional_alarm() -> None:
    """The alarm widget lists the alarms that exist in every stack, once each, and no other."""
    unconditional = {name for name, entry in monitoring()["Resources"].items() if "Condition" not in entry}
    (shown,) = (each["properties"]["alarms"] for each in widgets() if each["type"] == "alarm")

    assert shown == alarms_of_every_stack()
    assert set(shown) == unconditional
    assert len(shown) == len(unconditional)


def test_dashboard_explains_itself_and_titles_its_widgets() -> None:
    """The first widget is a text that names docs/operations.md; every other widget has a title."""
    text, *others = widgets()

    assert "operations.md" in text["properties"]["markdown"]
    for widget in others:
        assert widget["properties"]["title"][0].isupper()


def test_dashboard_body_is_the_included_file() -> None:
    """template.yaml includes dashboard.yaml by the path that `sam build` and `sam deploy` resolve."""
    include = {"Name": "AWS::Include", "Parameters": {"Location": DASHBOARD_PATH.name}}

    assert resource("Dashboard")["DashboardBody"] == {"Fn::Transform": include}
    assert resource("Monitoring")["TemplateURL"] == MONITORING_PATH.name


def test_dashboard_widgets_do_not_overlap() -> None:
    """Each square of the 24 columns belongs to at most one widget."""
    squares = [
        (column, row)
        for widget in widgets()
        for column in range(widget["x"], widget["x"] + widget["width"])
        for row in range(widget["y"], widget["y"] + widget["height"])
    ]

    assert len(squares) == len(set(squares))
    assert max(column for column, _ in squares) == 23
