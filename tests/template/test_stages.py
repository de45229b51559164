"""samconfig.toml agrees with the template's parameters and with the settings of the functions."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from bg_ingest.settings import load
from local.paths import CHECKOUT
from tests.support.template_document import resource, template
from tests.template.emitted import alarms

CONFIG = tomllib.loads((CHECKOUT / "samconfig.toml").read_text())
STAGES = {"dev": "development", "staging": "staging", "prod": "production"}


def _parameters(stage: str) -> dict[str, str]:
    deploy: dict[str, Any] = CONFIG[stage]["deploy"]["parameters"]
    return dict(pair.split("=", 1) for pair in deploy["parameter_overrides"].split())


@pytest.mark.parametrize("stage", STAGES)
def test_stage_sets_only_parameters_of_the_template(stage: str) -> None:
    """Every name and value in parameter_overrides is valid; `sam deploy` would reject a misspelt name."""
    parameters = _parameters(stage)

    assert parameters.keys() <= template()["Parameters"].keys()
    assert parameters["Environment"] == STAGES[stage]
    for name, value in parameters.items():
        assert value in template()["Parameters"][name].get("AllowedValues", [value])


@pytest.mark.parametrize("stage", STAGES)
def test_stage_has_its_own_stack_and_contains_no_secret(stage: str) -> None:
    """Outside development the file contains the name of a secret; each stage deploys another stack."""
    parameters = _parameters(stage)

    assert not {"DexcomClientSecret", "WebhookSecrets", "RabbitMqUrl"} & parameters.keys()
    assert (stage == "dev") or parameters["SecretName"] == f"bg-ingest/{stage}/dexcom"
    assert CONFIG[stage]["deploy"]["parameters"]["stack_name"] == f"bg-ingest-{stage}"


def test_only_production_calls_the_real_dexcom() -> None:
    """The other stages call the sandbox."""
    default = template()["Parameters"]["DexcomApiBaseUrl"]["Default"]
    address = {stage: _parameters(stage).get("DexcomApiBaseUrl", default) for stage in STAGES}

    assert address["prod"].startswith("https://api.dexcom.")
    assert {address["dev"], address["staging"]} == {"https://sandbox-api.dexcom.com"}


# Values that the operator adds; docs/operations.md, "Deploy from an empty account".
_BROUGHT = {
    "DexcomRedirectUri": "https://bg.example.org/oauth/callback",
    "RabbitMqSecretName": "bg-ingest/broker",
}
_FUNCTIONS = [
    name for name, entry in template()["Resources"].items() if entry["Type"] == "AWS::Serverless::Function"
]


@pytest.mark.parametrize("stage", ["staging", "prod"])
@pytest.mark.parametrize("function", _FUNCTIONS)
def test_every_function_has_its_required_settings(
    function: str, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outside development a missing setting stops a function before its first event."""
    parameters = {name: entry.get("Default", "") for name, entry in template()["Parameters"].items()}
    parameters |= _BROUGHT | _parameters(stage)
    environment = template()["Globals"]["Function"]["Environment"]["Variables"] | (
        resource(function).get("Environment", {}).get("Variables", {})
    )
    for name, value in environment.items():
        # As with the user pool of the template.
        chosen = value["Fn::If"][1] if "Fn::If" in value else value
        referred = chosen.get("Ref") or chosen["Fn::Sub"]
        monkeypatch.setenv(name, str(parameters.get(referred, referred)))

    assert load().environment == STAGES[stage]


def test_two_stages_can_share_one_account() -> None:
    """Each explicit resource name contains the stack's name, and no alarm has an explicit name."""
    named = {
        "Dashboard": resource("Dashboard")["DashboardName"],
        "Tick": resource("DispatchFunction")["Events"]["Tick"]["Properties"]["Name"],
        "ReconcileTick": resource("DispatchFunction")["Events"]["ReconcileTick"]["Properties"]["Name"],
    }

    assert named["Dashboard"] == {"Ref": "AWS::StackName"}
    assert all("${AWS::StackName}" in named[schedule]["Fn::Sub"] for schedule in ("Tick", "ReconcileTick"))
    for name, alarm in alarms().items():
        assert "AlarmName" not in alarm, name


@pytest.mark.parametrize("stage", STAGES)
def test_stage_acknowledges_macros_and_nested_stacks(stage: str) -> None:
    """CloudFormation requires CAPABILITY_AUTO_EXPAND for a template with macros and a nested stack."""
    acknowledged = CONFIG[stage]["deploy"]["parameters"]["capabilities"].split()

    assert acknowledged == ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
