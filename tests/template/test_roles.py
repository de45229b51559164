"""The roles of the functions: what each may do, and what an attacker who has taken it over may not do."""

from __future__ import annotations

import pytest

from bg_ingest.dynamo import Table
from bg_ingest.sync.job import JobKind, Order, Trigger
from bg_ingest.sync.jobs import Jobs
from tests.support.fakes import FakeClock
from tests.support.memory_dynamo import MemoryDynamo
from tests.support.roles import AwsCall, allows, is_allowed, on_intake, on_users, statements, with_key
from tests.support.template_document import template

FUNCTIONS = sorted(
    name for name, entry in template()["Resources"].items() if entry["Type"] == "AWS::Serverless::Function"
)
SECRETS = "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:"
READ_HOURS = AwsCall("dynamodb:Query", "ReadingsTable", {"dynamodb:LeadingKeys": ["ada"]})
WRITE_HOURS = AwsCall("dynamodb:PutItem", "ReadingsTable", {"dynamodb:LeadingKeys": ["ada"]})
REMOVE_HOURS = AwsCall("dynamodb:DeleteItem", "ReadingsTable", {"dynamodb:LeadingKeys": ["ada"]})
WRITE_BATCH = AwsCall("dynamodb:BatchWriteItem", "ReadingsTable", {"dynamodb:LeadingKeys": ["ada"]})
READ_CONNECTION = on_users("GetItem", "ada")
LIST_SOURCES = on_users("Query", "ada")
WRITE_CONNECTION = on_users("UpdateItem", "ada")
ADD_ITEM = AwsCall(
    "dynamodb:PutItem",
    "UsersTable",
    {"dynamodb:LeadingKeys": ["ada"], "dynamodb:Attributes": ["pk", "sk", "sealed_tokens"]},
)
ADD_JOB = AwsCall(
    "dynamodb:PutItem",
    "UsersTable",
    {"dynamodb:LeadingKeys": ["ada"], "dynamodb:Attributes": ["pk", "sk", "kind", "job_status"]},
)
REMOVE_ITEM = on_users("DeleteItem", "ada")
ADD_AUDIT = on_users("PutItem", "audit#ada")
READ_AUDIT = on_users("Query", "audit#ada")
REMOVE_AUDIT = on_users("DeleteItem", "audit#ada")
CHANGE_AUDIT = on_users("UpdateItem", "audit#ada")
COUNT_CALLS = on_intake("UpdateItem", "app#limit#1")
COUNT_AMONG_USERS = on_users("UpdateItem", "app#limit#1")
READ_COUNT = on_intake("GetItem", "app#limit#1")
REMOVE_COUNT = on_intake("DeleteItem", "app#limit#1")
READ_INBOX = on_intake("GetItem", "ada")
LIST_INBOX = on_intake("Query", "ada")
CLAIM_WEBHOOK = on_intake("PutItem", "ada")
ACCEPT_WEBHOOK = on_intake("UpdateItem", "ada")
REMOVE_WEBHOOK = on_intake("DeleteItem", "ada")
SPEND_QUOTA = on_users("UpdateItem", "app#quota")
READ_STRETCH = on_users("GetItem", "app#dispatch")
CLAIM_MINUTE = on_users("UpdateItem", "app#dispatch")
OPEN_TOKENS = with_key("Decrypt", "tokens")
SEAL_TOKENS = with_key("GenerateDataKey", "tokens")
OPEN_PARKED = with_key("Decrypt", "parked-tokens")
OPEN_RECORDS = with_key("Decrypt", "quarantine")
SEAL_MESSAGES = with_key("GenerateDataKey", "messages")
OPEN_MESSAGES = with_key("Decrypt", "messages")
QUEUE_JOBS = AwsCall("sqs:SendMessage", "JobsQueue")
QUEUE_POLLS = AwsCall("sqs:SendMessage", "PollsQueue")
QUEUE_BULK = AwsCall("sqs:SendMessage", "BulkQueue")
READ_EXPORT = on_users("GetItem", "export#ada")
WRITE_EXPORT = on_users("UpdateItem", "app#export#1")
REMOVE_EXPORT = on_users("DeleteItem", "export#ada")
STORE_FILE = AwsCall("s3:PutObject", "ExportsBucket/user/0/exports/1/file")
OPEN_FILE = AwsCall("s3:GetObject", "ExportsBucket/user/0/exports/1/file")
REMOVE_FILE = AwsCall("s3:DeleteObject", "ExportsBucket/user/0/exports/1/file")
QUEUE_EXPORTS = AwsCall("sqs:SendMessage", "ExportsQueue")
HIDE_EXPORTS = AwsCall("sqs:ChangeMessageVisibility", "ExportsQueue")
QUEUE_ERASURES = AwsCall("sqs:SendMessage", "ErasuresQueue")
ARCHIVE_AUDIT = AwsCall("s3:PutObject", "AuditArchiveBucket/*")
READ_ARCHIVE = AwsCall("s3:GetObject", "AuditArchiveBucket/*")
REMOVE_FROM_ARCHIVE = AwsCall("s3:DeleteObject", "AuditArchiveBucket/*")
REMOVE_VERSION = AwsCall("s3:DeleteObjectVersion", "AuditArchiveBucket/*")
SHORTEN_RETENTION = AwsCall("s3:PutObjectRetention", "AuditArchiveBucket/*")
READ_CREDENTIALS = AwsCall("secretsmanager:GetSecretValue", SECRETS + "${SecretName}-aBcDeF")
READ_WEBHOOK_SECRETS = AwsCall("secretsmanager:GetSecretValue", SECRETS + "${WebhookSecretName}-aBcDeF")
PUBLISH = AwsCall("events:PutEvents", "EventBus")
# Requests whose key IAM does not see.
WITHOUT_A_KEY = AwsCall("dynamodb:PutItem", "UsersTable")
WITHOUT_A_KEY_OF_INTAKE = AwsCall("dynamodb:PutItem", "IntakeTable")
CALLS = {name: value for name, value in globals().items() if isinstance(value, AwsCall)}

# What each role may do of these calls; it may do no other of them.
MAY = {
    "QueryFunction": {"READ_HOURS", "ADD_AUDIT", "READ_AUDIT", "COUNT_CALLS", "READ_COUNT"},
    "InsightFunction": {"READ_HOURS", "ADD_AUDIT", "COUNT_CALLS", "READ_COUNT"},
    "ExportFunction": {
        "READ_HOURS", "ADD_AUDIT", "COUNT_CALLS", "READ_EXPORT", "WRITE_EXPORT", "REMOVE_EXPORT", "OPEN_FILE",
        "REMOVE_FILE", "QUEUE_EXPORTS",
    },
    "ExporterFunction": {
        "READ_HOURS", "ADD_AUDIT", "READ_EXPORT", "WRITE_EXPORT", "REMOVE_EXPORT", "STORE_FILE",
        "REMOVE_FILE", "QUEUE_EXPORTS", "HIDE_EXPORTS",
    },
    "SyncFunction": {
        "READ_HOURS", "WRITE_HOURS", "READ_CONNECTION", "LIST_SOURCES",
        "WRITE_CONNECTION", "ADD_ITEM", "ADD_JOB", "ADD_AUDIT",
        "COUNT_CALLS", "READ_COUNT", "READ_CREDENTIALS", "SPEND_QUOTA", "OPEN_TOKENS", "SEAL_TOKENS",
        "OPEN_RECORDS",
        "QUEUE_JOBS", "QUEUE_BULK", "READ_STRETCH",
    },
    "WorkerFunction": {
        "READ_HOURS", "WRITE_HOURS", "READ_CONNECTION", "LIST_SOURCES",
        "WRITE_CONNECTION", "ADD_ITEM", "ADD_JOB", "READ_CREDENTIALS",
        "SPEND_QUOTA", "OPEN_TOKENS", "SEAL_TOKENS", "OPEN_RECORDS", "OPEN_MESSAGES", "READ_INBOX",
        "QUEUE_JOBS",
        "QUEUE_BULK", "QUEUE_POLLS",
    },
    "ConnectFunction": {
        "READ_CONNECTION", "LIST_SOURCES",
        "WRITE_CONNECTION", "ADD_ITEM", "ADD_JOB", "REMOVE_ITEM", "ADD_AUDIT", "COUNT_CALLS",
        "SPEND_QUOTA", "READ_CREDENTIALS", "SEAL_TOKENS", "OPEN_PARKED", "QUEUE_BULK",
    },
    "WebhookFunction": {
        "READ_CONNECTION", "LIST_SOURCES", "ADD_JOB", "ADD_AUDIT", "READ_INBOX", "CLAIM_WEBHOOK",
        "ACCEPT_WEBHOOK", "COUNT_CALLS", "SEAL_MESSAGES", "QUEUE_JOBS", "READ_WEBHOOK_SECRETS",
    },
    "EraseFunction": {
        "READ_HOURS", "REMOVE_HOURS", "READ_CONNECTION", "LIST_SOURCES",
        "WRITE_CONNECTION", "REMOVE_ITEM", "READ_AUDIT",
        "REMOVE_AUDIT", "COUNT_CALLS", "LIST_INBOX", "REMOVE_WEBHOOK", "QUEUE_ERASURES", "WRITE_EXPORT",
        "REMOVE_EXPORT", "REMOVE_FILE", "READ_STRETCH",
    },
    "GrantsFunction": {"ADD_AUDIT", "COUNT_CALLS"},
    "NightscoutFunction": {"READ_HOURS", "ADD_AUDIT", "COUNT_CALLS", "READ_COUNT"},
    "SiteFunction": set(),
    "StatusFunction": set(),
    "CanaryFunction": set(),
    "DispatchFunction": {"READ_STRETCH", "CLAIM_MINUTE", "QUEUE_POLLS", "QUEUE_BULK"},
    "AuditFunction": {"LIST_SOURCES", "ADD_AUDIT", "ARCHIVE_AUDIT"},
    "PublishEventBridgeFunction": {"READ_HOURS", "PUBLISH"},
    "PublishRabbitMQFunction": {"READ_HOURS"},
    "PageFunction": {
        "READ_HOURS", "READ_CONNECTION", "LIST_SOURCES",
        "WRITE_CONNECTION", "ADD_ITEM", "ADD_JOB", "REMOVE_ITEM", "ADD_AUDIT",
        "READ_AUDIT", "COUNT_CALLS", "READ_COUNT", "READ_CREDENTIALS", "SEAL_TOKENS", "OPEN_PARKED",
        "QUEUE_JOBS",
        "QUEUE_BULK", "QUEUE_ERASURES", "READ_STRETCH",
    },
}  # fmt: skip


@pytest.mark.parametrize("function", FUNCTIONS)
def test_each_role_allows_its_row_of_the_table_only(function: str) -> None:
    """A role that gains or loses one of these calls fails here."""
    assert {name for name, call in CALLS.items() if is_allowed(function, call)} == MAY[function]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_role_acts_on_a_partition_that_it_does_not_name(function: str) -> None:
    """A condition on keys does not hold for a request without keys."""
    assert not is_allowed(function, WITHOUT_A_KEY)
    assert not is_allowed(function, WITHOUT_A_KEY_OF_INTAKE)
    for statement in statements(function):
        if statement["Effect"] == "Deny":
            continue
        condition = statement.get("Condition", {})
        if any("dynamodb:LeadingKeys" in keys for keys in condition.values()):
            assert condition["Null"] == {"dynamodb:LeadingKeys": "false"}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_statement_can_allow_a_change_of_the_audit(function: str) -> None:
    """Of a role that reads or writes the users table a denial is part, except of the role that erases."""
    everything = {"Effect": "Allow", "Action": "dynamodb:*", "Resource": ["UsersTable"]}
    uses_the_table = any("UsersTable" in str(statement["Resource"]) for statement in statements(function))
    for action in ("UpdateItem", "DeleteItem", "BatchWriteItem"):
        grown = [*statements(function), everything]
        kept = not allows(grown, on_users(action, "audit#ada"))
        assert kept == (uses_the_table and function != "EraseFunction")
        assert function == "EraseFunction" or allows(grown, on_users(action, "ada"))


def test_one_request_cannot_mix_partitions() -> None:
    """A batch with one foreign partition is refused as a whole."""
    assert is_allowed("EraseFunction", on_users("DeleteItem", "audit#ada", "grant#ada"))
    assert not is_allowed("EraseFunction", on_users("DeleteItem", "audit#ada", "app#quota"))
    assert not is_allowed("WebhookFunction", on_users("PutItem", "ada", "audit#ada"))
    assert not is_allowed("WebhookFunction", on_intake("PutItem", "ada", "app#limit#1"))


def test_the_webhook_role_can_store_each_attribute_of_a_job() -> None:
    """And no other attribute of a user's items."""
    (attributes,) = (
        statement["Condition"]["ForAllValues:StringEquals"]["dynamodb:Attributes"]
        for statement in statements("WebhookFunction")
        if "ForAllValues:StringEquals" in statement.get("Condition", {})
    )
    order = Order("ada", "0", JobKind.INCREMENTAL, Trigger.WEBHOOK, "c", source="dexcom")
    _, change = Jobs(Table(MemoryDynamo.client(), "users"), FakeClock()).queued(order)

    assert change.item
    assert attributes == list(change.item)
