"""
Lints the policies of all roles with parliament; the template after SAM's transform comes from standard input.

Run it with the Python that has parliament: `.venv-iam/bin/python local/iam_policies.py < template.json`. The
policies are those of a strict deployment with all optional parts. Every finding fails, unless it is in
EXCEPTIONS with its reason. An exception that has no finding fails, too.
"""

import json
import re
import sys
from collections.abc import Iterator
from typing import Any

_FALSE = {"IsDevelopment"}
_ACCOUNT = "123456789012"
_PLACE = f"eu-west-1:{_ACCOUNT}"
_ARNS = {
    "AWS::DynamoDB::Table": f"arn:aws:dynamodb:{_PLACE}:table/{{}}",
    "AWS::SQS::Queue": f"arn:aws:sqs:{_PLACE}:{{}}",
    "AWS::S3::Bucket": "arn:aws:s3:::{}",
    "AWS::Lambda::Function": f"arn:aws:lambda:{_PLACE}:function:{{}}",
    "AWS::KMS::Key": f"arn:aws:kms:{_PLACE}:key/{{}}",
    "AWS::Events::EventBus": f"arn:aws:events:{_PLACE}:event-bus/{{}}",
    "AWS::SecretsManager::Secret": f"arn:aws:secretsmanager:{_PLACE}:secret:{{}}",
    "AWS::Cognito::UserPool": f"arn:aws:cognito-idp:{_PLACE}:userpool/{{}}",
    "AWS::Serverless::HttpApi": f"arn:aws:execute-api:{_PLACE}:{{}}",
}
_PSEUDO = {
    "AWS::Partition": "aws",
    "AWS::Region": "eu-west-1",
    "AWS::AccountId": _ACCOUNT,
    "AWS::StackName": "bg",
}

# (the finding's issue, a pattern of its policy and detail) -> the reason.
EXCEPTIONS = {
    (
        "NO_VERSION",
        r"^((Dispatch|Canary)\w*TickRole 0|PublishEventBridgeFunctionRole 1|PublishRabbitMQFunctionRole 2): ",
    ): ("SAM writes these policies, for schedules and failure queues, and without variables."),
}


class Unresolved(Exception):
    """A policy contains a function of CloudFormation that this program does not know."""


def policies(template: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each policy of a role by name, as CloudFormation resolves it."""
    resources = template["Resources"]
    for name, entry in resources.items():
        properties = entry.get("Properties", {})
        if entry["Type"] == "AWS::IAM::Role":
            for number, policy in enumerate(properties.get("Policies", [])):
                resolved = _resolved(policy, resources)
                if resolved is not None:
                    yield f"{name} {number}", resolved["PolicyDocument"]
        elif entry["Type"] == "AWS::IAM::ManagedPolicy":
            yield name, _resolved(properties["PolicyDocument"], resources)


def findings(name: str, document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The issue of each finding, and a text with its policy and detail."""
    from parliament import analyze_policy_string  # noqa: PLC0415 - the tests of this file have no parliament.

    for found in analyze_policy_string(json.dumps(document)).findings:
        yield found.issue, f"{name}: {found.detail} {found.location}"


def main() -> int:
    """Print the findings without a reason and the exceptions without a finding."""
    used: set[tuple[str, str]] = set()
    failed = False
    for name, document in policies(json.load(sys.stdin)):
        for issue, text in findings(name, document):
            known = {key for key in EXCEPTIONS if key[0] == issue and re.search(key[1], text)}
            used |= known
            if not known:
                failed = True
                print(f"{issue}: {text}")
    for key in EXCEPTIONS.keys() - used:
        failed = True
        print(f"not needed any more: {key}")
    return int(failed)


def _resolved(value: Any, resources: dict[str, Any]) -> Any:
    if isinstance(value, list):
        return [member for each in value if (member := _resolved(each, resources)) is not None]
    if not isinstance(value, dict):
        return value
    if "Ref" in value or any(name.startswith("Fn::") for name in value):
        return _of_function(value, resources)
    members = {name: _resolved(member, resources) for name, member in value.items()}
    return {name: member for name, member in members.items() if member is not None}


def _of_function(value: dict[str, Any], resources: dict[str, Any]) -> Any:
    match value:
        case {"Fn::If": [condition, one, other]}:
            return _resolved(other if condition in _FALSE else one, resources)
        case {"Ref": str(name)}:
            return None if name == "AWS::NoValue" else _PSEUDO.get(name, name)
        case {"Fn::GetAtt": [str(name), "Arn" | "Id"]}:
            return _arn(name, resources)
        case {"Fn::Sub": str(text)}:
            return re.sub(r"\$\{([\w:.]+)\}", lambda found: _named(found[1], resources), text)
    raise Unresolved(json.dumps(value))


def _named(name: str, resources: dict[str, Any]) -> str:
    if name.endswith(".Arn"):
        return _arn(name.removesuffix(".Arn"), resources)
    return _PSEUDO.get(name, name)


def _arn(name: str, resources: dict[str, Any]) -> str:
    return _ARNS[resources[name]["Type"]].format(name)


if __name__ == "__main__":
    sys.exit(main())
