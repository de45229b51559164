"""Protection of personal data in template.yaml."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from bg_ingest.sync.user_sources import LISTED_ATTRIBUTES
from local.paths import CHECKOUT
from tests.support.template_document import resource, template

if TYPE_CHECKING:
    from pathlib import Path

CHECKOV = CHECKOUT / ".checkov.yaml"
IN_PRODUCTION_ONLY = {"Fn::If": ["IsProduction", True, False]}


@pytest.mark.parametrize("table", ["ReadingsTable", "UsersTable", "IntakeTable"])
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
        "ArchiveQueue",
        "DeadChangesQueue",
    }  # A queue has one policy; the next test covers these queues.

    assert all(resource(name)["SqsManagedSseEnabled"] for name in queues)
    assert {name["Ref"] for name in policy["Properties"]["Queues"]} == queues - behind_the_bus
    assert {arn["Fn::GetAtt"][0] for arn in statement["Resource"]} == queues - behind_the_bus
    assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert policy["Condition"] == "IsStrict"


def test_bus_queues_accept_their_rules_and_tls_only() -> None:
    """The policy admits messages of two EventBridge rules only and denies plain HTTP."""
    policy = resource("ChangesQueuePolicy")
    allow, deny = policy["PolicyDocument"]["Statement"]
    queues = {"ChangesQueue", "ArchiveQueue", "DeadChangesQueue"}
    rules = [{"Fn::GetAtt": [name, "Arn"]} for name in ("ChangesRule", "ArchiveRule")]

    assert {name["Ref"] for name in policy["Queues"]} == queues
    assert (allow["Principal"], allow["Action"]) == ({"Service": "events.amazonaws.com"}, "sqs:SendMessage")
    assert allow["Condition"] == {"ArnEquals": {"aws:SourceArn": rules}}
    assert deny["Fn::If"][0] == "IsStrict"
    assert (deny["Fn::If"][1]["Effect"], deny["Fn::If"][1]["Action"]) == ("Deny", "sqs:*")
    assert deny["Fn::If"][1]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    for statement in (allow, deny["Fn::If"][1]):
        assert {arn["Fn::GetAtt"][0] for arn in statement["Resource"]} == queues


def test_the_archive_of_the_audit_cannot_be_rewritten() -> None:
    """Object lock, in the mode that no administrator can lift; the objects are removed after their time."""
    bucket = resource("AuditArchiveBucket")
    retention = bucket["ObjectLockConfiguration"]["Rule"]["DefaultRetention"]
    days = {"Ref": "AuditArchiveDays"}

    assert bucket["ObjectLockEnabled"] is True
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert retention == {"Mode": {"Fn::If": ["IsDevelopment", "GOVERNANCE", "COMPLIANCE"]}, "Days": days}
    (rule,) = bucket["LifecycleConfiguration"]["Rules"]
    assert (rule["ExpirationInDays"], rule["NoncurrentVersionExpiration"]) == (days, {"NoncurrentDays": 1})
    entry = template()["Resources"]["AuditArchiveBucket"]
    assert (entry["DeletionPolicy"], entry["UpdateReplacePolicy"]) == ("Retain", "Retain")


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


def _on_users_table(function: str) -> list[dict[str, Any]]:
    return [
        statement
        for statement in _statements(function)
        if statement["Resource"] != {"Fn::GetAtt": ["ReadingsTable", "Arn"]}
    ]


def _keys_by_action(function: str) -> dict[tuple[str, str], set[str]]:
    """Return the leading keys that each action of a function may have, on the users and the intake table."""
    found: dict[tuple[str, str], set[str]] = {}
    for statement in _on_users_table(function):
        actions = statement["Action"]
        for action in [actions] if isinstance(actions, str) else actions:
            keys = statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
            table = "UsersTable" if "UsersTable" in str(statement["Resource"]) else "IntakeTable"
            found.setdefault((table, action), set()).update(keys)
    return found


# What a function needs to find a grant, to count its use and wrong secrets, and to record it.
OF_READERS = {
    ("UsersTable", "dynamodb:Query"): {"grant#*"},
    ("UsersTable", "dynamodb:UpdateItem"): {"grant#*"},
    ("UsersTable", "dynamodb:PutItem"): {"audit#*"},
    ("IntakeTable", "dynamodb:UpdateItem"): {"app#limit#*"},
    ("IntakeTable", "dynamodb:GetItem"): {"app#limit#*"},
}


def test_the_query_function_may_write_audit_entries_only() -> None:
    """It adds audit entries and counts uses of grants. It cannot change a reading or read another item."""
    assert _keys_by_action("QueryFunction") == OF_READERS | {
        ("UsersTable", "dynamodb:Query"): {"audit#*", "grant#*", "late#*"}
    }


def test_the_export_function_cannot_read_tokens() -> None:
    """It reads named attributes of users' items; in development the emulated AWS has no such rule."""
    (read,) = [each for each in _statements("ExportFunction") if each["Action"] == "dynamodb:BatchGetItem"]
    _, _, strict = read["Condition"]["Fn::If"]

    assert strict["ForAllValues:StringEquals"]["dynamodb:Attributes"] == list(LISTED_ATTRIBUTES)
    assert strict["StringEqualsIfExists"] == {"dynamodb:Select": "SPECIFIC_ATTRIBUTES"}


def test_exports_are_encrypted_private_and_expire() -> None:
    """The bucket keeps no versions, which an erasure would have to find, and refuses plain HTTP."""
    bucket = resource("ExportsBucket")
    (refusal,) = resource("ExportsBucketPolicy")["PolicyDocument"]["Statement"]

    assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["LifecycleConfiguration"]["Rules"][0]["ExpirationInDays"] == 7
    assert "VersioningConfiguration" not in bucket
    assert (refusal["Effect"], refusal["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_the_function_for_statistics_only_adds_to_the_audit() -> None:
    """It queries readings; of the users table it has the rights of a function for readers."""
    readings = [
        each for each in _statements("InsightFunction") if each not in _on_users_table("InsightFunction")
    ]

    assert [statement["Action"] for statement in readings] == ["dynamodb:Query"]
    assert _keys_by_action("InsightFunction") == OF_READERS


def test_the_grants_function_reads_nothing_but_grants() -> None:
    """Each of its statements is limited to keys of grants, audit records or counts of calls."""
    statements = _statements("GrantsFunction")

    keys = [
        statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"] for statement in statements
    ]
    assert keys == [["grant#*"], ["audit#*"], ["app#limit#*"]]
    tables = [statement["Resource"]["Fn::GetAtt"][0] for statement in statements]
    assert tables == ["UsersTable", "UsersTable", "IntakeTable"]


REQUIREMENTS = sorted(
    path
    for folder in (".", "layers/*", "local", "tests", "tests/clients/requirements")
    for path in CHECKOUT.glob(f"{folder}/*.txt")
)


@pytest.mark.parametrize("path", REQUIREMENTS, ids=lambda path: path.relative_to(CHECKOUT).as_posix())
def test_every_dependency_is_pinned_by_hash(path: Path) -> None:
    """A package that was replaced in the registry is not installed, neither in Lambda nor for the tools."""
    pinned = [entry for entry in re.split(r"\n(?=\S)", path.read_text()) if "==" in entry]

    assert pinned
    assert [entry.splitlines()[0] for entry in pinned if "--hash=sha256:" not in entry] == []


def test_every_install_requires_the_hashes() -> None:
    """No command installs from a pinned file without comparing its hashes."""
    for name in ("Makefile", "layers/core/Makefile", "layers/export/Makefile"):
        text = (CHECKOUT / name).read_text()
        text = text.replace("$(INSTALL)", "").replace("$(MODELS)", "")
        installs = [
            line for line in text.splitlines() if re.search(r"pip install|^(INSTALL|MODELS) :=", line)
        ]

        assert [line for line in installs if "equirement" in line and "--require-hashes" not in line] == []
