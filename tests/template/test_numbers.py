"""Numbers that only make sense together, in template.yaml and in the code."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any

import pytest

from bg_ingest.accounts.vault import VaultLimits
from bg_ingest.erasing.erase import SECOND_LOOK_S
from bg_ingest.providers.http.policy import Policy
from bg_ingest.providers.http.quota import QuotaRules
from bg_ingest.providers.http.rate_limiter import RateRules
from bg_ingest.settings import Settings
from bg_ingest.sync.dead_jobs import DELIVERIES_MAX
from bg_ingest.sync.dispatch import CLAIM_S
from bg_ingest.sync.job import JobKind, Order, Trigger
from bg_ingest.sync.pushed_records import BODY_BYTES_MAX, pack
from bg_ingest.sync.run import WINDOW_S_MAX
from bg_ingest.sync.state import LEASE_TTL
from bg_ingest.webhooks.inbox import KEPT
from bg_ingest.webhooks.receive import PENDING_S_MAX
from bg_ingest.webhooks.signature import TOLERANCE_S
from bg_ingest.webhooks.token_verifier import LIFE_S_MAX
from tests.support.template_document import resource, template

# What API Gateway waits for its function, and what Lambda asks of a queue.
GATEWAY_S = 30
VISIBILITY_TO_TIMEOUT = 6


def _functions() -> dict[str, dict[str, Any]]:
    return {
        name: entry["Properties"]
        for name, entry in template()["Resources"].items()
        if entry["Type"] == "AWS::Serverless::Function"
    }


def _timeout_s(function: str) -> int:
    timeout_s: int = _functions()[function]["Timeout"]
    return timeout_s


def test_a_lease_outlives_its_holder() -> None:
    """It may expire only once Lambda has surely ended whoever held it."""
    for function in ("WorkerFunction", "SyncFunction"):
        assert _timeout_s(function) < LEASE_TTL.total_seconds()


def test_a_message_stays_hidden_while_it_is_worked_on() -> None:
    """Six times the worker's timeout, as Lambda asks for."""
    visibility_s = resource("JobsQueue")["VisibilityTimeout"]

    assert visibility_s >= VISIBILITY_TO_TIMEOUT * _timeout_s("WorkerFunction")


def test_a_second_look_comes_when_nobody_from_before_is_left() -> None:
    """Whoever ran when a person was erased has surely ended, and SQS can wait as long."""
    longest_s = max(_timeout_s(function) for function in _functions())

    assert longest_s + _timeout_s("EraseFunction") < SECOND_LOOK_S <= 900
    assert resource("ErasuresQueue")["VisibilityTimeout"] >= VISIBILITY_TO_TIMEOUT * _timeout_s(
        "EraseFunction"
    )


def test_a_window_of_history_fits_twice_into_the_worker() -> None:
    """A worker that finds no time for one window would defer for ever."""
    assert _timeout_s("WorkerFunction") >= WINDOW_S_MAX * 2
    assert Policy().time_s_max < WINDOW_S_MAX


def test_a_claimed_minute_outlives_its_tick() -> None:
    """Two dispatchers at once would send everybody twice; the next tick but one must not wait."""
    assert _timeout_s("DispatchFunction") < CLAIM_S < 60


def test_everybody_is_reconciled_by_a_schedule_of_its_own() -> None:
    """Hourly, since every user has an hour of the day."""
    schedule = resource("DispatchFunction")["Events"]["ReconcileHour"]["Properties"]

    assert schedule["ScheduleExpression"] == "rate(1 hour)"
    assert json.loads(schedule["Input"]) == {"schedule": "reconcile"}


def test_a_refresh_cannot_outlast_its_lease() -> None:
    """Two refreshers at once would end the connection."""
    assert Policy().time_s_max < VaultLimits().lease.total_seconds()


def test_functions_of_the_api_answer_before_the_gateway_gives_up() -> None:
    """Its own answer, not the gateway's 503."""
    for name, function in _functions().items():
        if any(event["Type"] == "HttpApi" for event in function["Events"].values()):
            assert function["Timeout"] < GATEWAY_S, name


def test_a_tick_is_over_before_the_next() -> None:
    """Ticks do not pile up."""
    assert (
        resource("DispatchFunction")["Events"]["Tick"]["Properties"]["ScheduleExpression"] == "rate(1 minute)"
    )
    assert _timeout_s("DispatchFunction") < 60


def test_all_workers_together_stay_within_dexcoms_budget() -> None:
    """Pace times concurrency, for an hour, is no more than the application may call."""
    concurrency = resource("WorkerFunction")["Events"]["Jobs"]["Properties"]["ScalingConfig"][
        "MaximumConcurrency"
    ]
    pace = RateRules()

    assert concurrency * pace.calls_max * 3_600 / pace.period_s <= QuotaRules().calls_per_hour
    assert concurrency <= QuotaRules().sharers


@pytest.mark.parametrize("function", sorted(_functions()))
def test_every_function_keeps_its_log_for_a_limited_time(function: str) -> None:
    """In a group of its own, with a retention."""
    group = _functions()[function]["LoggingConfig"]["LogGroup"]["Ref"]

    assert resource(group)["RetentionInDays"] == {"Ref": "LogRetentionDays"}


@pytest.mark.parametrize("function", sorted(_functions()))
def test_no_function_may_do_everything_or_on_everything(function: str) -> None:
    """Every action is named, and every resource is one of ours."""
    for policy in _functions()[function]["Policies"]:
        statements = policy if "Statement" in policy else policy["Fn::If"][1]
        for statement in statements["Statement"]:
            actions = statement["Action"]
            for action in [actions] if isinstance(actions, str) else actions:
                # On AWS sqs:SendMessage* is sqs:SendMessage; the template says why it is written so.
                assert "*" not in action.replace("sqs:SendMessage*", "")
            assert statement["Resource"] != "*"


@pytest.mark.parametrize("table", ["ReadingsTable", "UsersTable"])
def test_tables_survive_mistakes(table: str) -> None:
    """Kept when the stack goes, restorable to any second, encrypted, and tidied up by TTL."""
    entry = template()["Resources"][table]
    properties = entry["Properties"]

    assert (entry["DeletionPolicy"], entry["UpdateReplacePolicy"]) == ("Retain", "Retain")
    assert properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
    assert properties["SSESpecification"]["SSEEnabled"]
    assert properties["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}


# What DynamoDB's streams keep, and how many may read a shard of one at a time:
# docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
STREAM_S = 86_400
READERS_MAX = 2
PUBLISHERS = ("PublishEventBridgeFunction", "PublishRabbitMQFunction")


@pytest.mark.parametrize("function", PUBLISHERS)
@pytest.mark.parametrize("source", ["Readings", "Users"])
def test_a_publisher_tries_for_nearly_as_long_as_a_stream_lasts(function: str, source: str) -> None:
    """A broker that is down for most of a day loses nothing; what is given up then is noted."""
    reads = _functions()[function]["Events"][source]["Properties"]
    dead = reads["DestinationConfig"]["OnFailure"]
    own_queue = f"Dead{function.replace('Publish', 'Publishes').replace('Function', 'Queue')}"

    assert reads["Stream"]["Fn::GetAtt"] == [f"{source}Table", "StreamArn"]
    assert resource(f"{source}Table")["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert STREAM_S * 0.9 < reads["MaximumRecordAgeInSeconds"] < STREAM_S
    assert reads["MaximumRetryAttempts"] * 10 > reads["MaximumRecordAgeInSeconds"]
    assert reads["BisectBatchOnFunctionError"]
    assert reads["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert reads["StartingPosition"] == "TRIM_HORIZON"
    assert dead == {"Type": "SQS", "Destination": {"Fn::GetAtt": [own_queue, "Arn"]}}
    assert resource(own_queue)["MessageRetentionPeriod"] == 14 * 86_400


def test_no_stream_has_more_readers_than_it_bears() -> None:
    """A third would slow down the other two; that is why the audit listens to the bus."""
    readers = Counter(
        event["Properties"]["Stream"]["Fn::GetAtt"][0]
        for function in _functions().values()
        for event in function["Events"].values()
        if event["Type"] == "DynamoDB"
    )

    assert readers == {"ReadingsTable": READERS_MAX, "UsersTable": READERS_MAX}


def test_of_the_users_table_only_connections_and_failed_jobs_wake_a_publisher() -> None:
    """Leases, jobs that succeed, days and audit entries are most of its writes."""
    for function in PUBLISHERS:
        filters = _functions()[function]["Events"]["Users"]["Properties"]["FilterCriteria"]["Filters"]

        assert [json.loads(one["Pattern"])["dynamodb"] for one in filters] == [
            {"Keys": {"sk": {"S": ["connection"]}}},
            {"Keys": {"sk": {"S": [{"prefix": "job#"}]}}, "NewImage": {"job_status": {"S": ["failed"]}}},
        ]


def test_rabbitmq_has_a_publisher_only_where_there_is_a_rabbitmq() -> None:
    """Its address, or the secret that holds it."""
    assert template()["Resources"]["PublishRabbitMQFunction"]["Condition"] == "HasRabbitMq"
    assert template()["Conditions"]["HasRabbitMq"]["Fn::Or"][0] == {"Condition": "HasRabbitMqSecret"}


def test_a_change_stays_hidden_while_it_is_recorded() -> None:
    """Six times the function's timeout, as Lambda asks for."""
    visibility_s = resource("ChangesQueue")["VisibilityTimeout"]

    assert visibility_s >= VISIBILITY_TO_TIMEOUT * _timeout_s("AuditFunction")


def test_dead_letters_are_kept_as_long_as_can_be() -> None:
    """Fourteen days, for a person to look."""
    assert resource("DeadJobsQueue")["MessageRetentionPeriod"] == 14 * 86_400
    assert resource("JobsQueue")["RedrivePolicy"]["maxReceiveCount"] == DELIVERIES_MAX > 1


def test_every_variable_of_the_template_is_a_setting() -> None:
    """A misspelt one would be ignored in silence."""
    variables = set(template()["Globals"]["Function"]["Environment"]["Variables"])
    for function in _functions().values():
        variables |= set(function.get("Environment", {}).get("Variables", {}))

    assert {name.lower() for name in variables} <= set(Settings.model_fields)


def test_only_the_site_and_what_carries_its_own_proof_are_open() -> None:
    """Everything else asks for a token."""
    open_paths = {
        event["Properties"].get("Path", "$default")
        for function in _functions().values()
        for event in function["Events"].values()
        if event["Type"] == "HttpApi" and event["Properties"].get("Auth") == {"Authorizer": "NONE"}
    }

    with_own_proof = {"/oauth/callback", "/api/bg/{userId}/webhook"}
    assert (
        open_paths
        == {"/health", "/ready", "/openapi.json", "/docs", "/docs/{asset}", "$default"} | with_own_proof
    )


def test_a_webhooks_records_fit_into_a_message() -> None:
    """At their worst, which is four thirds of the body, beside everything else that an order says."""
    bytes_max = resource("JobsQueue")["MaximumMessageSize"]
    noise = random.Random(1).randbytes(BODY_BYTES_MAX)  # noqa: S311 - what no compression makes smaller.
    order = Order("u" * 128, "0" * 28, JobKind.INCREMENTAL, Trigger.WEBHOOK, "c" * 128, payload=pack(noise))

    assert len(json.dumps(order.as_message())) < bytes_max
    assert resource("DeadJobsQueue")["MaximumMessageSize"] == bytes_max
    # Lambda hands over a batch as one request of its own, of six megabytes at most.
    batch = resource("WorkerFunction")["Events"]["Jobs"]["Properties"]["BatchSize"]
    assert batch * len(json.dumps(order.as_message())) < 6_000_000


def test_a_webhook_is_remembered_longer_than_it_can_be_sent_again() -> None:
    """Longer than a signature or a token is good, and than senders go on by Standard Webhooks' schedule."""
    assert KEPT.total_seconds() > 2 * TOLERANCE_S
    assert KEPT.total_seconds() > LIFE_S_MAX
    assert KEPT.total_seconds() > 76 * 3_600


def test_a_sender_that_waits_is_answered() -> None:
    """Looking again at a webhook that is pending leaves time to do its work."""
    assert 3 * PENDING_S_MAX < _timeout_s("WebhookFunction") < GATEWAY_S
