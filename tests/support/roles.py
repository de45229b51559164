"""
A policy simulator: whether a function's role in template.yaml allows a call.

The emulated AWS enforces actions and resources. It knows neither the keys nor the encryption context of a
request, so the conditions of the policies are evaluated here, as IAM's documentation describes them.
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from tests.support.template_document import resource, template

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

# A strict deployment with all optional parts.
_FALSE = {"IsDevelopment"}
_WRITES = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
}


@dataclass(frozen=True, slots=True)
class AwsCall:
    """One action on one resource of the template, with the values that conditions refer to."""

    action: str
    resource: str
    context: Mapping[str, list[str]] = field(default_factory=dict)


def on_users(action: str, *partitions: str) -> AwsCall:
    """A call of DynamoDB about these partitions of the users table."""
    return AwsCall(f"dynamodb:{action}", "UsersTable", {"dynamodb:LeadingKeys": list(partitions)})


def on_intake(action: str, *partitions: str) -> AwsCall:
    """A call of DynamoDB about these partitions of the intake table."""
    return AwsCall(f"dynamodb:{action}", "IntakeTable", {"dynamodb:LeadingKeys": list(partitions)})


def with_key(action: str, purpose: str) -> AwsCall:
    """A use of the key for secrets of one purpose."""
    return AwsCall(f"kms:{action}", "TokensKey", {"kms:EncryptionContext:purpose": [purpose]})


@cache
def _statements(function: str) -> tuple[dict[str, Any], ...]:
    return tuple(statements(function))


def is_allowed(function: str, call: AwsCall) -> bool:
    """Whether the role of this function allows the call, and no statement denies it."""
    return allows(_statements(function), call)


def allows(policy: Iterable[Mapping[str, Any]], call: AwsCall) -> bool:
    """Whether these statements together allow the call."""
    return {statement["Effect"] for statement in policy if _matches(statement, call)} == {"Allow"}


def statements(function: str) -> Iterator[dict[str, Any]]:
    """The statements of a function's role, as CloudFormation resolves them for a strict deployment."""
    for policy in resource(function)["Policies"]:
        yield from (_resolved(policy) or {}).get("Statement", [])
    for entry in template()["Resources"].values():
        if entry["Type"] == "AWS::IAM::ManagedPolicy":
            policy = _resolved(entry["Properties"])
            if f"{function}Role" in policy["Roles"]:
                yield from policy["PolicyDocument"]["Statement"]


def function_of(folder: str) -> str:
    """The name in the template of the function in a folder; of both publishers, the one for EventBridge."""
    name: str = next(
        name
        for name, entry in template()["Resources"].items()
        if entry["Type"] == "AWS::Serverless::Function"
        and entry["Properties"]["CodeUri"] == f"functions/{folder}"
    )
    return name


def _resolved(value: Any) -> Any:
    match value:
        case {"Fn::If": [condition, one, other]}:
            return _resolved(other if condition in _FALSE else one)
        case {"Fn::GetAtt": [name, "Arn" | "Id"]} | {"Ref": name}:
            return None if name == "AWS::NoValue" else name
        case {"Fn::Sub": str(text)}:
            return re.sub(r"\$\{(\w+)\.Arn\}", r"\1", text)
        case dict():
            resolved = {name: _resolved(member) for name, member in value.items()}
            return {name: member for name, member in resolved.items() if member is not None}
        case list():
            return [_resolved(member) for member in value]
    return value


def _matches(statement: Mapping[str, Any], call: AwsCall) -> bool:
    return (
        any(fnmatch.fnmatchcase(call.action, pattern) for pattern in _listed(statement["Action"]))
        and any(fnmatch.fnmatchcase(call.resource, pattern) for pattern in _listed(statement["Resource"]))
        and all(
            _holds(operator, call.context.get(key), _listed(wanted))
            for operator, keys in statement.get("Condition", {}).items()
            for key, wanted in keys.items()
        )
    )


def _holds(operator: str, values: list[str] | None, wanted: list[str]) -> bool:
    """One line of a condition. A key that the request does not have satisfies ForAllValues and IfExists."""
    if operator == "Null":
        return (values is None) == (wanted == ["true"])
    any_value = operator.startswith("ForAnyValue:")
    name = operator.removesuffix("IfExists").removeprefix("ForAllValues:").removeprefix("ForAnyValue:")
    if values is None:
        return operator != name and not any_value
    test = {
        "StringEquals": lambda value: value in wanted,
        "StringLike": lambda value: any(fnmatch.fnmatchcase(value, each) for each in wanted),
        "StringNotLike": lambda value: not any(fnmatch.fnmatchcase(value, each) for each in wanted),
    }[name]
    return (any if any_value else all)(map(test, values))


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def dynamodb_calls(
    operation: str, parameters: Mapping[str, Any], tables: Mapping[str, str]
) -> Iterator[AwsCall]:
    """The actions that IAM checks for a request to DynamoDB; `tables` has the names in the template."""
    match operation:
        case "TransactWriteItems":
            for item in parameters["TransactItems"]:
                ((kind, request),) = item.items()
                yield _about(_WRITES[kind], request, tables)
        case "BatchGetItem":
            for table, request in parameters["RequestItems"].items():
                context = {"dynamodb:LeadingKeys": [key["pk"]["S"] for key in request["Keys"]]}
                if projection := request.get("ProjectionExpression"):
                    names = request.get("ExpressionAttributeNames", {})
                    asked = [each.strip() for each in projection.split(",")]
                    context["dynamodb:Attributes"] = [names.get(each, each) for each in asked]
                    context["dynamodb:Select"] = ["SPECIFIC_ATTRIBUTES"]
                else:
                    context["dynamodb:Select"] = ["ALL_ATTRIBUTES"]
                yield AwsCall("dynamodb:BatchGetItem", tables.get(table, ""), context)
        case "DescribeTable":
            yield AwsCall("dynamodb:DescribeTable", tables.get(parameters["TableName"], ""))
        case _:
            yield _about(operation, parameters, tables)


def _about(operation: str, request: Mapping[str, Any], tables: Mapping[str, str]) -> AwsCall:
    key = request.get("Key") or request.get("Item")
    if key:
        partition = key["pk"]["S"]
    else:
        # The first condition of a query is on the partition key, of the table or of the index.
        placeholder = re.match(r"\s*\w+ = (:\w+)", request["KeyConditionExpression"])
        assert placeholder
        partition = request["ExpressionAttributeValues"][placeholder[1]]["S"]
    index = f"/index/{request['IndexName']}" if "IndexName" in request else ""
    context = {"dynamodb:LeadingKeys": [partition]}
    if operation == "PutItem":
        # Of the item and the condition; every condition of this service names attributes of the item.
        context["dynamodb:Attributes"] = sorted(request["Item"])
    return AwsCall(f"dynamodb:{operation}", tables.get(request["TableName"], "") + index, context)


@dataclass(slots=True)
class RoleWatch:
    """Compares the calls of a running function with its role; `refused` are those that AWS would refuse."""

    tables: Mapping[str, str]
    function: str | None = None  # The function in the template that is running.
    refused: set[tuple[str, str, str]] = field(default_factory=set)

    def on_call(self, target: str, operation: str, parameters: Mapping[str, Any]) -> None:
        """Take note of one call; `target` is the service as its protocol names it."""
        if self.function is None:
            return
        if target == "TrentService":  # KMS.
            calls = [with_key(operation, parameters["EncryptionContext"]["purpose"])]
        elif target.startswith("DynamoDB"):
            calls = [*dynamodb_calls(operation, parameters, self.tables)]
        else:
            calls = []
        for call in calls:  # A test may take a table away.
            if call.resource and not is_allowed(self.function, call):
                self.refused.add((self.function, call.action, _kind(call)))


def _kind(call: AwsCall) -> str:
    """Where a call acts, without a user's id."""
    found = call.context.get("dynamodb:LeadingKeys", [])
    keys = ",".join(key.rpartition("#")[0] or "user" for key in found)
    return f"{call.resource} {keys or dict(call.context)}"
