"""Protection of personal data in template.yaml."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from local.paths import CHECKOUT
from tests.support.template_document import resource, template

CHECKOV = CHECKOUT / ".checkov.yaml"
IN_PRODUCTION_ONLY = {"Fn::If": ["IsProduction", True, False]}


@pytest.mark.parametrize("table", ["ReadingsTable", "UsersTable"])
def test_tables_cannot_be_deleted_in_production(table: str) -> None:
    """The user pool cannot be deleted either; a development stage can be."""
    assert resource(table)["DeletionProtectionEnabled"] == IN_PRODUCTION_ONLY
    assert resource("UserPool")["DeletionProtection"] == {"Fn::If": ["IsProduction", "ACTIVE", "INACTIVE"]}


def test_access_logs_contain_no_token_path_or_query() -> None:
    """A path contains a user id, a query may contain a login's code, and a header may contain a token."""
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


def _api(processed: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = processed["Resources"]["HttpApi"]["Properties"]["Body"]
    return body


def test_only_listed_origins_may_call_the_api(processed: dict[str, Any]) -> None:
    """No origin is allowed by default, `*` and cookies never; a listed origin gets all required headers."""
    condition, named, otherwise = _api(processed)["x-amazon-apigateway-cors"]["Fn::If"]

    assert (condition, otherwise) == ("HasCorsOrigins", {"Ref": "AWS::NoValue"})
    assert named.keys() == {"allowOrigins", "allowMethods", "allowHeaders", "exposeHeaders", "maxAge"}
    assert template()["Conditions"]["HasCorsOrigins"] == {
        "Fn::Not": [{"Fn::Equals": [{"Ref": "CorsOrigins"}, ""]}]
    }
    assert {event["Method"] for event in _http_events() if "Method" in event} <= set(named["allowMethods"])


@pytest.mark.parametrize(
    ("origins", "fits"),
    [
        ("", True),
        ("https://app.example.org", True),
        ("https://app.example.org,http://localhost:3000", True),
        ("*", False),
        ("https://*", False),
        ("null", False),
        ("https://app.example.org, https://b.example.org", False),
        ("https://app.example.org/", False),
    ],
)
def test_an_origin_must_be_given_in_full(origins: str, fits: bool) -> None:  # noqa: FBT001 - the second column of the table.
    """CloudFormation refuses a deployment with a wildcard origin."""
    assert template()["Parameters"]["CorsOrigins"]["Default"] == ""
    assert bool(re.fullmatch(template()["Parameters"]["CorsOrigins"]["AllowedPattern"], origins)) is fits


def test_every_user_route_requires_authentication(processed: dict[str, Any]) -> None:
    """Every other route about a user has the JWT authorizer in the processed template."""
    security = {
        f"{method} {path}": operation["security"]
        for path, methods in _api(processed)["paths"].items()
        for method, operation in methods.items()
    }
    unguarded = {key for key, needed in security.items() if needed != [{"Jwt": []}]}
    scheme = _api(processed)["components"]["securitySchemes"]["Jwt"]["x-amazon-apigateway-authorizer"]

    assert {key for key in unguarded if "{userId}" in key} <= {"post /api/bg/{userId}/webhook"}
    assert "x-amazon-apigateway-any-method $default" in unguarded
    assert scheme["type"] == "jwt"
    assert scheme["identitySource"] == "$request.header.Authorization"
    assert scheme["jwtConfiguration"].keys() == {"issuer", "audience"}


def test_a_user_cannot_get_a_services_scopes() -> None:
    """A user's client has no scope of this API, and users cannot sign themselves up."""
    person, service = resource("PersonClient"), resource("ServiceClient")

    assert not {"AllowedOAuthScopes", "AllowedOAuthFlows", "AllowedOAuthFlowsUserPoolClient"} & set(person)
    assert service["AllowedOAuthFlows"] == ["client_credentials"]
    assert service["GenerateSecret"] is True
    assert resource("UserPool")["AdminCreateUserConfig"] == {"AllowAdminCreateUserOnly": True}


def _http_events() -> list[dict[str, Any]]:
    return [
        event["Properties"]
        for entry in template()["Resources"].values()
        if entry["Type"] == "AWS::Serverless::Function"
        for event in entry["Properties"]["Events"].values()
        if event["Type"] == "HttpApi"
    ]


def test_every_exception_from_a_policy_rule_has_its_reason() -> None:
    """The reason is in the line of the exception; other findings of checkov are repaired."""
    skipped = [line for line in CHECKOV.read_text().splitlines() if line.startswith("  - ")]

    assert skipped
    assert [line for line in skipped if not re.fullmatch(r"  - CKV\w+ # \w.{20,}", line)] == []


def test_every_queue_is_encrypted_and_refuses_plain_http() -> None:
    """Dead-letter queues are included; only the local stack is exempt."""
    queues = {name for name, entry in template()["Resources"].items() if entry["Type"] == "AWS::SQS::Queue"}
    policy = template()["Resources"]["QueuesOverTlsOnly"]
    (statement,) = policy["Properties"]["PolicyDocument"]["Statement"]
    behind_the_bus = {
        "ChangesQueue",
        "DeadChangesQueue",
    }  # A queue has one policy; the next test covers these queues.

    assert all(resource(name)["SqsManagedSseEnabled"] for name in queues)
    assert {name["Ref"] for name in policy["Properties"]["Queues"]} == queues - behind_the_bus
    assert {arn["Fn::GetAtt"][0] for arn in statement["Resource"]} == queues - behind_the_bus
    assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert policy["Condition"] == "IsStrict"


def test_bus_queues_accept_one_rule_and_tls_only() -> None:
    """The policy admits messages of that EventBridge rule only and denies plain HTTP."""
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


def test_the_queue_of_changes_gets_no_glucose_value() -> None:
    """The rule selects user, time and counts; the readings stay on the bus."""
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


def test_the_brokers_password_is_not_shown() -> None:
    """The password is in neither the console nor the template's outputs."""
    assert template()["Parameters"]["RabbitMqUrl"]["NoEcho"] is True
    assert "RabbitMq" not in json.dumps(template()["Outputs"])


def test_the_key_encrypts_this_stages_tokens_only() -> None:
    """An administrator of the key cannot decrypt, and the encryption context differs between stages."""
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


def test_only_eraser_deletes_readings_and_cannot_decrypt() -> None:
    """No other function has the permission, and the eraser has no access to the key."""
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


def test_the_query_function_may_write_audit_entries_only() -> None:
    """The condition allows keys that begin with audit# only."""
    (statement,) = [
        statement
        for statement in _statements("QueryFunction")
        if statement["Resource"] == {"Fn::GetAtt": ["UsersTable", "Arn"]}
    ]

    assert statement["Condition"] == {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["audit#*"]}}
    assert statement["Action"] == ["dynamodb:Query", "dynamodb:PutItem"]


def test_the_function_for_statistics_only_adds_to_the_audit() -> None:
    """It queries readings, and the one item it may write is an audit record."""
    readings, users = _statements("InsightFunction")

    assert (readings["Action"], readings["Resource"]) == (
        "dynamodb:Query",
        {"Fn::GetAtt": ["ReadingsTable", "Arn"]},
    )
    assert users["Action"] == "dynamodb:PutItem"
    assert users["Condition"] == {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["audit#*"]}}
