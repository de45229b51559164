"""Deployments that CloudFormation refuses before it creates anything."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from local.paths import CHECKOUT
from tests.support.template_document import template

DEPLOYS = tomllib.loads((CHECKOUT / "samconfig.toml").read_text())
REDIRECT = {"DexcomRedirectUri": "https://bg.example.org/oauth/callback"}
CLIENT = {"DexcomClientId": "id", "DexcomClientSecret": "secret"}


def _value(expression: Any, parameters: dict[str, str]) -> Any:
    """Evaluate the functions that rules may use."""
    if not isinstance(expression, dict):
        return expression
    ((name, arguments),) = expression.items()
    if name == "Ref":
        return parameters[arguments]
    values = [_value(argument, parameters) for argument in arguments]
    match name:
        case "Fn::Equals":
            return values[0] == values[1]
        case "Fn::Not":
            return not values[0]
        case "Fn::And":
            return all(values)
        case "Fn::Or":
            return any(values)
    raise ValueError(name)


def _refusals(given: dict[str, str]) -> str:
    defaults = {name: str(entry.get("Default", "")) for name, entry in template()["Parameters"].items()}
    parameters = defaults | given
    return "\n".join(
        assertion["AssertDescription"]
        for rule in template()["Rules"].values()
        if _value(rule.get("RuleCondition", True), parameters)
        for assertion in rule["Assertions"]
        if not _value(assertion["Assert"], parameters)
    )


def _stage(name: str) -> dict[str, str]:
    overrides = DEPLOYS[name]["deploy"]["parameters"]["parameter_overrides"]
    return dict(pair.split("=", 1) for pair in overrides.split())


@pytest.mark.parametrize("stage", ["dev", "staging", "prod"])
def test_a_stage_without_a_callback_is_refused(stage: str) -> None:
    """`make deploy` of a new checkout would be a stack to which no user can connect."""
    assert "DexcomRedirectUri is missing" in _refusals(_stage(stage))


@pytest.mark.parametrize("stage", ["staging", "prod"])
def test_a_stage_with_a_callback_is_accepted(stage: str) -> None:
    """Its credentials are in the secret that samconfig.toml names."""
    assert _refusals(_stage(stage) | REDIRECT) == ""


def test_development_needs_credentials_of_either_kind() -> None:
    """They are parameters or a secret."""
    assert "credentials of the Dexcom application are missing" in _refusals(_stage("dev") | REDIRECT)
    assert _refusals(_stage("dev") | REDIRECT | CLIENT) == ""
    assert _refusals(_stage("dev") | REDIRECT | {"SecretName": "bg-ingest/dev/dexcom"}) == ""


@pytest.mark.parametrize("stage", ["staging", "production"])
def test_a_strict_stage_takes_secrets_from_secrets_manager(stage: str) -> None:
    """A secret in a parameter is refused, and so is a stage without the secret's name."""
    given = {"Environment": stage, **REDIRECT}
    assert "SecretName is missing" in _refusals(given | CLIENT)
    for name in ("WebhookSecrets", "DexcomClientSecret", "RabbitMqUrl"):
        assert "for development only" in _refusals(given | {"SecretName": "name", name: "value"})


def test_parameters_that_belong_together_are_set_together() -> None:
    """A key set for webhooks has an audience, and a domain a certificate."""
    given = REDIRECT | CLIENT
    for one, other in (("WebhookJwksUrl", "WebhookAudience"), ("DomainName", "CertificateArn")):
        assert f"{other} is missing" in _refusals(given | {one: "value"})
        assert _refusals(given | {one: "value", other: "value"}) == ""
