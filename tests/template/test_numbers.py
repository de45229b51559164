"""Relations between numbers of template.yaml and numbers of the code."""

from __future__ import annotations

import json
import random
import re
import tomllib
from collections import Counter
from typing import Any

import pytest

from bg_ingest.accounts.sealing import KEPT as MESSAGE_KEYS_KEPT
from bg_ingest.accounts.sealing import MessageSeals
from bg_ingest.clock import new_id
from bg_ingest.dynamo import Table
from bg_ingest.erasing.erase import SECOND_LOOK_S
from bg_ingest.exporting.export_job import DELIVERIES_MAX as EXPORT_DELIVERIES_MAX
from bg_ingest.exporting.export_job import KEPT as KEPT_EXPORTS
from bg_ingest.exporting.export_job import USERS_MAX, ExportKey, ExportMessage, of_service
from bg_ingest.exporting.export_jobs import CLAIM_S as CLAIM_S_OF_EXPORT
from bg_ingest.exporting.export_run import HIDDEN_S, RENEW_AFTER_S, RESERVE_S
from bg_ingest.providers.http.admission import RateRules
from bg_ingest.providers.http.policy import Policy
from bg_ingest.providers.http.quota import QuotaRules
from bg_ingest.settings import Settings
from bg_ingest.sync.dispatching.dispatch import CLAIM_S
from bg_ingest.sync.job import JobKind, Order, Trigger
from bg_ingest.sync.jobs import DELIVERIES_MAX
from bg_ingest.sync.orders.queue import BODY_BYTES_MAX, pack
from bg_ingest.sync.run import WINDOW_S_MAX
from bg_ingest.sync.state import LEASE_TTL
from bg_ingest.webhooks.authentication import TOLERANCE_S
from bg_ingest.webhooks.receive import KEPT, PENDING_S_MAX
from bg_ingest.webhooks.token_verifier import LIFE_S_MAX
from local.paths import CHECKOUT
from tests.support.fake_kms import fake_sealer
from tests.support.fakes import NOON, FakeClock
from tests.support.memory_dynamo import MemoryDynamo
from tests.support.template_document import concurrency, resource, template

# API Gateway's timeout for its function, and Lambda's rule for a queue.
GATEWAY_S = 30
VISIBILITY_TO_TIMEOUT = 6
CLOCKS_APART_S = 10  # The clocks of two processes differ by less.


def _functions() -> dict[str, dict[str, Any]]:
    return {
        name: entry["Properties"]
        for name, entry in template()["Resources"].items()
        if entry["Type"] == "AWS::Serverless::Function"
    }


def _timeout_s(function: str) -> int:
    timeout_s: int = _functions()[function]["Timeout"]
    return timeout_s


def test_a_lease_lasts_longer_than_its_holder() -> None:
    """A lease expires only after Lambda has ended its holder."""
    for function in ("WorkerFunction", "SyncFunction"):
        assert _timeout_s(function) < LEASE_TTL.total_seconds()


def test_a_message_stays_hidden_while_it_is_processed() -> None:
    """The visibility timeout is six times the worker's timeout, as Lambda recommends."""
    for queue in ("JobsQueue", "PollsQueue", "BulkQueue"):
        assert resource(queue)["VisibilityTimeout"] >= VISIBILITY_TO_TIMEOUT * _timeout_s("WorkerFunction")


def test_a_killed_export_continues_with_the_next_delivery() -> None:
    """The claim outlives the longest step between two renewals, and ends before the next delivery."""
    hidden_s = resource("ExportsQueue")["VisibilityTimeout"]

    assert RENEW_AFTER_S + RESERVE_S + CLOCKS_APART_S < CLAIM_S_OF_EXPORT
    assert CLAIM_S_OF_EXPORT + CLOCKS_APART_S < HIDDEN_S < _timeout_s("ExporterFunction")
    assert hidden_s >= VISIBILITY_TO_TIMEOUT * _timeout_s("ExporterFunction")
    assert _timeout_s("ExporterFunction") > RESERVE_S * 2
    assert resource("ExportsQueue")["RedrivePolicy"]["maxReceiveCount"] == EXPORT_DELIVERIES_MAX
    longest = ExportMessage(ExportKey(of_service("a"), new_id(NOON)), ("a" * 128,) * USERS_MAX)
    assert len(longest.body()) < 256 * 1024  # SQS's limit, unless a queue sets a higher one.


def test_exports_and_their_files_expire_together() -> None:
    """The bucket removes a file no earlier than its export expires."""
    (rule,) = resource("ExportsBucket")["LifecycleConfiguration"]["Rules"]

    assert rule["ExpirationInDays"] == KEPT_EXPORTS.days


def test_a_killed_shard_is_delivered_again_soon() -> None:
    """Lambda requires at least the function's timeout; the users of the shard wait no longer than that."""
    assert _timeout_s("DispatchFunction") < resource("ShardsQueue")["VisibilityTimeout"] <= 60


def test_lambda_retries_no_tick_by_itself() -> None:
    """The scheduler invokes asynchronously, and Lambda's default is two retries within six hours."""
    config = resource("DispatchFunction")["EventInvokeConfig"]

    assert config["MaximumRetryAttempts"] == 0
    assert config["MaximumEventAgeInSeconds"] <= 60


def test_reserved_concurrency_covers_the_queues() -> None:
    """A reservation in production below the processes of the queues would throttle them."""
    overrides = tomllib.loads((CHECKOUT / "samconfig.toml").read_text())["prod"]["deploy"]["parameters"]
    chosen = dict(one.split("=") for one in overrides["parameter_overrides"].split())
    dispatch = template()["Parameters"]["DispatchConcurrency"]["Default"]

    assert int(chosen["WorkerReservedConcurrency"]) >= sum(map(concurrency, ("Jobs", "Polls", "Bulk")))
    assert int(chosen["DispatchReservedConcurrency"]) >= dispatch + 2
    assert int(chosen["SyncReservedConcurrency"]) > 0
    for function in ("Worker", "Dispatch", "Sync"):
        reserve = {"Ref": f"{function}ReservedConcurrency"}
        assert reserve in resource(f"{function}Function")["ReservedConcurrentExecutions"]["Fn::If"]


def test_every_function_may_send_to_the_queues_it_knows() -> None:
    """The queues in a function's environment are those that its role allows it to send to."""
    for name, function in _functions().items():
        variables = function.get("Environment", {}).get("Variables", {})
        known = {value["Ref"] for key, value in variables.items() if key.endswith("_QUEUE_URL")}
        assert known == _may_send_to(function), name


def _may_send_to(function: dict[str, Any]) -> set[str]:
    found: set[str] = set()
    for policy in function["Policies"]:
        statements = policy if "Statement" in policy else policy["Fn::If"][1]
        for statement in statements["Statement"]:
            if "sqs:SendMessage" in str(statement["Action"]):
                resources = statement["Resource"]
                found |= {
                    each["Fn::GetAtt"][0]
                    for each in (resources if isinstance(resources, list) else [resources])
                }
    return found


def test_the_second_erasing_pass_follows_every_earlier_run() -> None:
    """The second pass starts after Lambda has ended every earlier run, and SQS can delay that long."""
    longest_s = max(_timeout_s(function) for function in _functions())

    assert longest_s + _timeout_s("EraseFunction") < SECOND_LOOK_S <= 900
    assert resource("ErasuresQueue")["VisibilityTimeout"] >= VISIBILITY_TO_TIMEOUT * _timeout_s(
        "EraseFunction"
    )


def test_a_window_of_history_fits_twice_into_the_worker() -> None:
    """A worker without time for one window would defer the order indefinitely."""
    assert _timeout_s("WorkerFunction") >= WINDOW_S_MAX * 2
    assert Policy().time_s_max < WINDOW_S_MAX


def test_a_claim_of_a_minute_lasts_longer_than_its_tick() -> None:
    """Concurrent dispatchers would queue polls twice, and the claim expires before the next tick but one."""
    assert _timeout_s("DispatchFunction") < CLAIM_S < 60


@pytest.mark.parametrize(
    ("event", "name", "default"),
    [("Tick", "Poll", "rate(1 minute)"), ("ReconcileTick", "Reconcile", "rate(15 minutes)")],
)
def test_each_kind_of_sync_has_a_schedule_parameter(event: str, name: str, default: str) -> None:
    """A rate or a cron expression with a time zone; tests/contract/test_dispatch.py tries any of them."""
    schedule = resource("DispatchFunction")["Events"][event]["Properties"]
    parameter = template()["Parameters"][f"{name}Schedule"]

    assert schedule["ScheduleExpression"] == {"Ref": f"{name}Schedule"}
    assert schedule["ScheduleExpressionTimezone"] == {"Ref": f"{name}ScheduleTimezone"}
    assert parameter["Default"] == default
    for expression in (default, "cron(0/5 6-22 * * ? *)"):
        assert re.fullmatch(parameter["AllowedPattern"], expression)


def test_a_reconciling_tick_names_its_schedule() -> None:
    """Without the name the function would order polls."""
    schedule = resource("DispatchFunction")["Events"]["ReconcileTick"]["Properties"]

    assert json.loads(schedule["Input"]) == {"schedule": "reconcile"}


def test_api_functions_end_before_the_gateway_timeout() -> None:
    """The caller gets the function's own answer instead of the gateway's 503."""
    for name, function in _functions().items():
        if any(event["Type"] == "HttpApi" for event in function["Events"].values()):
            assert function["Timeout"] < GATEWAY_S, name


def test_a_tick_ends_before_the_next() -> None:
    """Ticks do not overlap."""
    assert template()["Parameters"]["PollSchedule"]["Default"] == "rate(1 minute)"
    assert _timeout_s("DispatchFunction") < 60


def test_all_workers_together_stay_within_dexcoms_budget() -> None:
    """Pace times concurrency of polls, for an hour, is the application's limit at Dexcom.

    The other queues are idle most of the time; the shared quota keeps all together within the limit.
    """
    pace = RateRules()

    assert concurrency("Polls") * pace.calls_max * 3_600 / pace.period_s == QuotaRules().calls_per_hour
    assert sum(map(concurrency, ("Jobs", "Polls", "Bulk"))) <= QuotaRules().sharers


@pytest.mark.parametrize("function", sorted(_functions()))
def test_every_function_keeps_its_log_for_a_limited_time(function: str) -> None:
    """Each function has a log group of its own with a retention."""
    group = _functions()[function]["LoggingConfig"]["LogGroup"]["Ref"]

    assert resource(group)["RetentionInDays"] == {"Ref": "LogRetentionDays"}


@pytest.mark.parametrize("function", sorted(_functions()))
def test_no_policy_has_a_wildcard_action_or_resource(function: str) -> None:
    """Every action is named in full, and every resource belongs to this stack."""
    for policy in _functions()[function]["Policies"]:
        statements = policy if "Statement" in policy else policy["Fn::If"][1]
        for statement in statements["Statement"]:
            actions = statement["Action"]
            for action in [actions] if isinstance(actions, str) else actions:
                # On AWS sqs:SendMessage* equals sqs:SendMessage; a comment in the template gives the reason.
                assert "*" not in action.replace("sqs:SendMessage*", "")
            assert statement["Resource"] != "*"


@pytest.mark.parametrize("table", ["ReadingsTable", "UsersTable"])
def test_tables_are_retained_restorable_and_encrypted(table: str) -> None:
    """Tables are retained when the stack is deleted, restorable to any second, encrypted, and have a TTL."""
    entry = template()["Resources"][table]
    properties = entry["Properties"]

    assert (entry["DeletionPolicy"], entry["UpdateReplacePolicy"]) == ("Retain", "Retain")
    assert properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
    assert properties["SSESpecification"]["SSEEnabled"]
    assert properties["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}


def test_the_intake_table_ends_with_its_stack_and_has_no_backup() -> None:
    """A backup would keep the keys of messages that an erasure has removed; every item expires."""
    entry = template()["Resources"]["IntakeTable"]
    properties = entry["Properties"]

    assert (entry["DeletionPolicy"], entry["UpdateReplacePolicy"]) == ("Delete", "Delete")
    assert not properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
    assert "StreamSpecification" not in properties
    assert properties["SSESpecification"]["SSEEnabled"]
    assert properties["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}


# The retention of DynamoDB's streams, and the limit of concurrent readers of a shard:
# docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
STREAM_S = 86_400
READERS_MAX = 2
PUBLISHERS = ("PublishEventBridgeFunction", "PublishRabbitMQFunction")


@pytest.mark.parametrize("function", PUBLISHERS)
@pytest.mark.parametrize("source", ["Readings", "Users"])
def test_a_publisher_retries_for_most_of_the_stream_retention(function: str, source: str) -> None:
    """A broker outage of most of a day loses no event, and later failures go to a dead-letter queue."""
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


def test_no_stream_has_more_than_two_readers() -> None:
    """DynamoDB throttles a third reader, so the audit reads from the bus."""
    readers = Counter(
        event["Properties"]["Stream"]["Fn::GetAtt"][0]
        for function in _functions().values()
        for event in function["Events"].values()
        if event["Type"] == "DynamoDB"
    )

    assert readers == {"ReadingsTable": READERS_MAX, "UsersTable": READERS_MAX}


def test_publishers_get_only_connections_and_failed_jobs() -> None:
    """Most writes are leases, successful jobs and days. The bus also gets entries of the audit."""
    connections = {"dynamodb": {"Keys": {"sk": {"S": ["connection", {"prefix": "connection#"}]}}}}
    failed_jobs = {
        "dynamodb": {
            "Keys": {"sk": {"S": [{"prefix": "job#"}]}},
            "NewImage": {"job_status": {"S": ["failed"]}},
        }
    }
    # A removal of an entry by an erasure is not archived.
    entries = {"eventName": ["INSERT", "MODIFY"], "dynamodb": {"Keys": {"pk": {"S": [{"prefix": "audit#"}]}}}}
    filters = {
        function: [
            json.loads(one["Pattern"])
            for one in _functions()[function]["Events"]["Users"]["Properties"]["FilterCriteria"]["Filters"]
        ]
        for function in PUBLISHERS
    }

    assert filters["PublishEventBridgeFunction"] == [connections, failed_jobs, entries]
    assert filters["PublishRabbitMQFunction"] == [connections, failed_jobs]


def test_rabbitmq_publisher_exists_only_with_a_rabbitmq() -> None:
    """RabbitMQ is configured by its address, or by the secret that contains it."""
    assert template()["Resources"]["PublishRabbitMQFunction"]["Condition"] == "HasRabbitMq"
    assert template()["Conditions"]["HasRabbitMq"]["Fn::Or"][0] == {"Condition": "HasRabbitMqSecret"}


def test_a_change_stays_hidden_while_it_is_recorded() -> None:
    """The visibility timeout is six times the function's timeout, as Lambda recommends."""
    visibility_s = resource("ChangesQueue")["VisibilityTimeout"]

    assert visibility_s >= VISIBILITY_TO_TIMEOUT * _timeout_s("AuditFunction")


def test_an_entry_stays_hidden_while_it_is_archived() -> None:
    """The visibility timeout covers the batching window besides six times the function's timeout."""
    reads = _functions()["AuditFunction"]["Events"]["Archive"]["Properties"]
    window_s = max(reads["MaximumBatchingWindowInSeconds"]["Fn::If"][1:])

    assert resource("ArchiveQueue")["VisibilityTimeout"] >= (
        VISIBILITY_TO_TIMEOUT * _timeout_s("AuditFunction") + window_s
    )


def test_dead_letters_are_kept_for_the_longest_retention() -> None:
    """The retention is fourteen days, so that an operator has time to look."""
    for name in ("Jobs", "Polls", "Bulk"):
        assert resource(f"Dead{name}Queue")["MessageRetentionPeriod"] == 14 * 86_400
        assert resource(f"{name}Queue")["RedrivePolicy"] == {
            "deadLetterTargetArn": {"Fn::GetAtt": [f"Dead{name}Queue", "Arn"]},
            "maxReceiveCount": DELIVERIES_MAX,
        }


def test_every_variable_of_the_template_is_a_setting() -> None:
    """A misspelt variable would be ignored without an error."""
    variables = set(template()["Globals"]["Function"]["Environment"]["Variables"])
    for function in _functions().values():
        variables |= set(function.get("Environment", {}).get("Variables", {}))

    assert {name.lower() for name in variables} <= set(Settings.model_fields)


# Their functions find the grant of the reader themselves: tests/e2e/test_authorization.py asks each of them.
OF_READERS = {
    "/api/shared",
    "/api/shared/latest",
    "/api/shared/changes",
    "/api/shared/statistics",
    "/api/shared/profile",
    "/api/shared/completeness",
    "/api/v1/{proxy+}",
    "/api/v2/{proxy+}",
    "/api/versions",
}


def test_only_site_webhook_and_callback_need_no_token() -> None:
    """Every other route requires a token, or the grant of a reader."""
    open_paths = {
        event["Properties"].get("Path", "$default")
        for function in _functions().values()
        for event in function["Events"].values()
        if event["Type"] == "HttpApi" and event["Properties"].get("Auth") == {"Authorizer": "NONE"}
    }

    # The page checks the session of its own cookie, and a grant's link the grant.
    of_the_page = {"/", "/signin", "/signin/callback", "/signout", "/see/{token}", "/status"}
    self_authenticated = {"/oauth/callback", "/api/bg/{userId}/webhook", *OF_READERS, *of_the_page}
    assert (
        open_paths
        == {"/health", "/ready", "/openapi.json", "/docs", "/docs/{asset}", "$default"} | self_authenticated
    )


def test_a_webhooks_records_fit_into_a_message() -> None:
    """The largest records are four thirds of the body, besides the other members of the order."""
    bytes_max = resource("JobsQueue")["MaximumMessageSize"]
    noise = random.Random(1).randbytes(BODY_BYTES_MAX)  # noqa: S311 - data that cannot be compressed.
    users, clock = Table(MemoryDynamo(), "users"), FakeClock()  # type: ignore[arg-type]  # A stand-in.
    sealed = MessageSeals(users, fake_sealer(clock), clock).seal("u" * 128, pack(noise))
    order = Order("u" * 128, "0" * 28, JobKind.INCREMENTAL, Trigger.WEBHOOK, "c" * 128, payload=sealed)

    assert len(json.dumps(order.as_message())) < bytes_max
    assert resource("DeadJobsQueue")["MaximumMessageSize"] == bytes_max
    # Lambda passes a batch as one request of at most six megabytes.
    batch = resource("WorkerFunction")["Events"]["Jobs"]["Properties"]["BatchSize"]
    assert batch * len(json.dumps(order.as_message())) < 6_000_000


def test_a_key_of_a_message_outlasts_the_message() -> None:
    """A message may wait in the queue, and after that in the dead letters."""
    waits_s = sum(resource(name)["MessageRetentionPeriod"] for name in ("JobsQueue", "DeadJobsQueue"))

    assert MESSAGE_KEYS_KEPT.total_seconds() > waits_s


def test_a_webhook_id_is_kept_longer_than_a_sender_retries() -> None:
    """The id outlasts the validity of a signature or token and the retries of Standard Webhooks."""
    assert KEPT.total_seconds() > 2 * TOLERANCE_S
    assert KEPT.total_seconds() > LIFE_S_MAX
    assert KEPT.total_seconds() > 76 * 3_600


def test_a_waiting_webhook_sender_gets_an_answer() -> None:
    """Checking a pending webhook again leaves time to process it."""
    assert 3 * PENDING_S_MAX < _timeout_s("WebhookFunction") < GATEWAY_S
