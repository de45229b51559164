"""The linter of roles: the policies that it is given, and the reasons of its exceptions."""

from __future__ import annotations

from typing import Any

import pytest

from local.iam_policies import EXCEPTIONS, Unresolved, policies

TABLE = {"Type": "AWS::DynamoDB::Table"}


def _template(statement: dict[str, Any]) -> dict[str, Any]:
    document = {"Version": "2012-10-17", "Statement": [statement]}
    role = {"Type": "AWS::IAM::Role", "Properties": {"Policies": [{"PolicyDocument": document}]}}
    managed = {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": document}}
    return {"Resources": {"Users": TABLE, "AppRole": role, "Managed": managed}}


def test_policies_are_those_of_a_strict_deployment() -> None:
    """Names become ARNs, and conditions that development leaves out are there."""
    condition = {"StringEquals": {"kms:EncryptionContext:purpose": "tokens"}}
    statement = {
        "Resource": [{"Fn::GetAtt": ["Users", "Arn"]}, {"Fn::Sub": "${Users.Arn}/index/seat"}],
        "Condition": {"Fn::If": ["IsDevelopment", {"Ref": "AWS::NoValue"}, condition]},
    }
    table = "arn:aws:dynamodb:eu-west-1:123456789012:table/Users"
    found = dict(policies(_template(statement)))

    assert found.keys() == {"AppRole 0", "Managed"}
    for document in found.values():
        assert document["Statement"] == [{"Resource": [table, f"{table}/index/seat"], "Condition": condition}]


def test_an_unknown_function_stops_the_linter() -> None:
    """A policy that is not understood would not be checked."""
    with pytest.raises(Unresolved):
        list(policies(_template({"Resource": {"Fn::Select": [0, []]}})))


def test_every_exception_of_the_linter_has_its_reason() -> None:
    """The reason is a sentence."""
    assert EXCEPTIONS
    assert all(len(reason) > 20 for reason in EXCEPTIONS.values())
