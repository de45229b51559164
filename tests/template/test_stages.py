"""samconfig.toml: what `make deploy STAGE=...` deploys, held to the template and to the settings."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from bg_ingest.settings import load
from local.paths import CHECKOUT
from tests.support.template_document import resource, template

CONFIG = tomllib.loads((CHECKOUT / "samconfig.toml").read_text())
STAGES = {"dev": "development", "staging": "staging", "prod": "production"}


def _parameters(stage: str) -> dict[str, str]:
    deploy: dict[str, Any] = CONFIG[stage]["deploy"]["parameters"]
    return dict(pair.split("=", 1) for pair in deploy["parameter_overrides"].split())


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_sets_parameters_that_there_are(stage: str) -> None:
    """A misspelt one would stop the deployment half-way through an evening."""
    parameters = _parameters(stage)

    assert parameters.keys() <= template()["Parameters"].keys()
    assert parameters["Environment"] == STAGES[stage]
    for name, value in parameters.items():
        assert value in template()["Parameters"][name].get("AllowedValues", [value])


@pytest.mark.parametrize("stage", STAGES)
def test_no_stage_holds_a_secret_or_shares_its_stack(stage: str) -> None:
    """Outside development credentials are named, never written; each stage is a stack of its own."""
    parameters = _parameters(stage)

    assert not {"DexcomClientSecret", "WebhookSecrets", "RabbitMqUrl"} & parameters.keys()
    assert (stage == "dev") or parameters["SecretName"] == f"bg-ingest/{stage}/dexcom"
    assert CONFIG[stage]["deploy"]["parameters"]["stack_name"] == f"bg-ingest-{stage}"


def test_only_production_speaks_to_the_real_dexcom() -> None:
    """Everybody else is in its sandbox."""
    default = template()["Parameters"]["DexcomApiBaseUrl"]["Default"]
    address = {stage: _parameters(stage).get("DexcomApiBaseUrl", default) for stage in STAGES}

    assert address["prod"].startswith("https://api.dexcom.")
    assert {address["dev"], address["staging"]} == {"https://sandbox-api.dexcom.com"}


# What an operator brings along: docs/operations.md, deploying.
_BROUGHT = {
    "DexcomRedirectUri": "https://bg.example.org/oauth/callback",
    "RabbitMqSecretName": "bg-ingest/broker",
}
_FUNCTIONS = [
    name for name, entry in template()["Resources"].items() if entry["Type"] == "AWS::Serverless::Function"
]


@pytest.mark.parametrize("stage", ["staging", "prod"])
@pytest.mark.parametrize("function", _FUNCTIONS)
def test_every_function_has_the_settings_it_insists_on(
    function: str, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outside development a missing setting stops a function before its first event."""
    parameters = {name: entry.get("Default", "") for name, entry in template()["Parameters"].items()}
    parameters |= _BROUGHT | _parameters(stage)
    environment = template()["Globals"]["Function"]["Environment"]["Variables"] | (
        resource(function).get("Environment", {}).get("Variables", {})
    )
    for name, value in environment.items():
        referred = value["Ref"]
        monkeypatch.setenv(name, str(parameters.get(referred, referred)))

    assert load().environment == STAGES[stage]


def test_two_stages_fit_into_one_account() -> None:
    """Whatever has a name of its own is named after its stack."""
    named = {
        "Dashboard": resource("Dashboard")["DashboardName"],
        "Tick": resource("DispatchFunction")["Events"]["Tick"]["Properties"]["Name"],
        "ReconcileHour": resource("DispatchFunction")["Events"]["ReconcileHour"]["Properties"]["Name"],
    }

    assert named["Dashboard"] == {"Ref": "AWS::StackName"}
    assert all("${AWS::StackName}" in named[schedule]["Fn::Sub"] for schedule in ("Tick", "ReconcileHour"))
    for name, entry in template()["Resources"].items():
        assert "AlarmName" not in entry.get("Properties", {}), name
