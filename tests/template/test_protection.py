"""What in template.yaml protects people's data, held to its word."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.template_document import resource, template

IN_PRODUCTION_ONLY = {"Fn::If": ["IsProduction", True, False]}


@pytest.mark.parametrize("table", ["ReadingsTable", "UsersTable"])
def test_tables_cannot_be_deleted_in_production(table: str) -> None:
    """Nor can the user pool; a stage for trying things out can."""
    assert resource(table)["DeletionProtectionEnabled"] == IN_PRODUCTION_ONLY
    assert resource("UserPool")["DeletionProtection"] == {"Fn::If": ["IsProduction", "ACTIVE", "INACTIVE"]}


def test_access_logs_hold_no_token_no_path_and_no_query() -> None:
    """A path names a user, a query may carry a login's code, a header a token."""
    wanted = resource("HttpApi")["AccessLogSettings"]
    line = json.loads(wanted["Format"])

    assert set(line.values()) == {
        "$context.requestId",
        "$context.requestTime",
        "$context.routeKey",
        "$context.status",
        "$context.responseLatency",
        "$context.responseLength",
        "$context.integrationStatus",
        "$context.authorizer.error",
    }
    assert wanted["DestinationArn"] == {"Fn::GetAtt": ["AccessLogs", "Arn"]}
    assert resource("AccessLogs")["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def test_pages_of_other_origins_are_let_in_by_name_only() -> None:
    """None by default, never everybody, and never with cookies."""
    cors = resource("HttpApi")["CorsConfiguration"]

    assert cors["AllowOrigins"] == {
        "Fn::If": ["HasCorsOrigins", {"Ref": "CorsOrigins"}, {"Ref": "AWS::NoValue"}]
    }
    assert template()["Parameters"]["CorsOrigins"]["Default"] == ""
    assert "AllowCredentials" not in cors


def test_every_queue_is_encrypted_and_refuses_plain_http() -> None:
    """The dead letters too, everywhere but on a laptop."""
    queues = {name for name, entry in template()["Resources"].items() if entry["Type"] == "AWS::SQS::Queue"}
    policy = template()["Resources"]["QueuesOverTlsOnly"]
    (statement,) = policy["Properties"]["PolicyDocument"]["Statement"]
    behind_the_bus = {
        "ChangesQueue",
        "DeadChangesQueue",
    }  # A queue has one policy; theirs is the next test's.

    assert all(resource(name)["SqsManagedSseEnabled"] for name in queues)
    assert {name["Ref"] for name in policy["Properties"]["Queues"]} == queues - behind_the_bus
    assert {arn["Fn::GetAtt"][0] for arn in statement["Resource"]} == queues - behind_the_bus
    assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert policy["Condition"] == "IsStrict"


def test_the_queues_behind_the_bus_take_from_one_rule_and_over_tls() -> None:
    """EventBridge may send what that rule sends; whoever speaks plain HTTP may nothing."""
    policy = resource("ChangesQueuePolicy")
    allow, deny = policy["PolicyDocument"]["Statement"]
    queues = {"ChangesQueue", "DeadChangesQueue"}

    assert {name["Ref"] for name in policy["Queues"]} == queues
    assert (allow["Principal"], allow["Action"]) == ({"Service": "events.amazonaws.com"}, "sqs:SendMessage")
    assert allow["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": ["ChangesRule", "Arn"]}}}
    assert deny["Fn::If"][0] == "IsStrict"
    assert (deny["Fn::If"][1]["Effect"], deny["Fn::If"][1]["Action"]) == ("Deny", "sqs:*")
    assert deny["Fn::If"][1]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    for statement in (allow, deny["Fn::If"][1]):
        assert {arn["Fn::GetAtt"][0] for arn in statement["Resource"]} == queues


def test_no_value_gets_into_the_queue_of_changes() -> None:
    """Who, when and how many is picked out; the readings stay on the bus."""
    (target,) = resource("ChangesRule")["Targets"]
    picked = target["InputTransformer"]["InputPathsMap"]

    assert set(picked.values()) == {
        "$.detail-type",
        "$.detail.id",
        "$.detail.time",
        "$.detail.data.user_id",
        "$.detail.data.count",
        "$.detail.data.reason",
        "$.detail.correlationid",
    }


def test_the_brokers_password_is_shown_nowhere() -> None:
    """Neither in the console nor in the template's outputs."""
    assert template()["Parameters"]["RabbitMqUrl"]["NoEcho"] is True
    assert "RabbitMq" not in json.dumps(template()["Outputs"])


def test_the_key_is_used_for_this_stages_tokens_only() -> None:
    """Who looks after the key cannot open what it seals, and a stage's context is no other's."""
    look_after, use = resource("TokensKey")["KeyPolicy"]["Statement"]
    using = {"kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:ReEncrypt", "kms:CreateGrant", "kms:*"}

    assert not using & set(look_after["Action"])
    assert set(use["Action"]) == {"kms:Decrypt", "kms:GenerateDataKey"}
    assert use["Condition"]["Fn::If"] == [
        "IsDevelopment",
        {"Ref": "AWS::NoValue"},
        {"StringEquals": {"kms:EncryptionContext:environment": {"Ref": "Environment"}}},
    ]


def _statements(function: str) -> list[dict[str, Any]]:
    return [
        statement
        for policy in resource(function)["Policies"]
        if "Statement" in policy
        for statement in policy["Statement"]
    ]


def test_only_the_eraser_deletes_readings_and_it_opens_no_token() -> None:
    """Nobody else has the right to, and it has no key."""
    for name, entry in template()["Resources"].items():
        if entry["Type"] != "AWS::Serverless::Function":
            continue
        actions = {
            action
            for statement in _statements(name)
            if statement["Resource"] == {"Fn::GetAtt": ["ReadingsTable", "Arn"]}
            for action in [statement["Action"]]
            for action in (action if isinstance(action, list) else [action])
        }
        deletes = actions & {"dynamodb:DeleteItem", "dynamodb:BatchWriteItem"}
        assert bool(deletes) == (name == "EraseFunction"), name
    assert "kms" not in json.dumps(_statements("EraseFunction"))


def test_the_function_that_reads_may_add_to_the_audit_and_nothing_else() -> None:
    """What it may write in the users table begins with audit#."""
    (statement,) = [
        statement
        for statement in _statements("QueryFunction")
        if statement["Resource"] == {"Fn::GetAtt": ["UsersTable", "Arn"]}
    ]

    assert statement["Condition"] == {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["audit#*"]}}
    assert statement["Action"] == ["dynamodb:Query", "dynamodb:PutItem"]
