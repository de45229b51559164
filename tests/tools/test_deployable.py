"""The check of a stage before it is built and uploaded."""

from __future__ import annotations

import re
import tomllib

import pytest

from local.paths import CHECKOUT
from tools.deployable import broken_rules, load_template, main, parameters_of

COMPLETE = {
    "Environment": "production",
    "SecretName": "bg-ingest/prod/dexcom",
    "DexcomRedirectUri": "https://bg.example.org/oauth/callback",
}


def test_a_complete_stage_breaks_no_rule() -> None:
    """With a callback address and a secret a stack can be deployed."""
    assert list(broken_rules(load_template(), COMPLETE)) == []


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"DexcomRedirectUri": ""}, ["DexcomRedirectUri is missing"]),
        (
            {"SecretName": ""},
            ["The credentials of the Dexcom application are missing", "SecretName is missing"],
        ),
        ({"WebhookSecrets": "whsec_1"}, ["WebhookSecrets, DexcomClientSecret and RabbitMqUrl"]),
        ({"WebhookJwksUrl": "https://keys.example.org"}, ["WebhookAudience is missing"]),
        ({"DomainName": "bg.example.org"}, ["CertificateArn is missing"]),
        ({"Environment": "development", "SecretName": "", "DexcomClientId": "id"}, []),
    ],
)
def test_each_rule_names_what_is_missing(changes: dict[str, str], missing: list[str]) -> None:
    """The text is that of the rule in the template."""
    found = list(broken_rules(load_template(), COMPLETE | changes))

    assert len(found) == len(missing)
    for text, begin in zip(found, missing, strict=True):
        assert text.startswith(begin)


@pytest.mark.parametrize("stage", ["dev", "staging", "prod"])
def test_a_fresh_checkout_is_refused_in_one_line_each(stage: str, capsys: pytest.CaptureFixture[str]) -> None:
    """samconfig.toml has no callback address yet, so nothing is built or uploaded."""
    assert main(stage) == 1

    lines = capsys.readouterr().err.splitlines()
    assert re.match(r"Not deployed: DexcomRedirectUri is missing, so no user could connect", lines[0])
    config = tomllib.loads((CHECKOUT / "samconfig.toml").read_text())
    assert len(lines) == len(list(broken_rules(load_template(), parameters_of(config, stage))))


def test_an_unknown_stage_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelt STAGE is not a traceback."""
    assert main("production") == 1
    assert "no stage 'production'" in capsys.readouterr().err
