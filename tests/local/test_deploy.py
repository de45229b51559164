"""The parameters of a deployment."""

from __future__ import annotations

from local.deploy import overrides
from tests.support.template_document import template


def test_an_empty_parameter_gets_the_templates_default() -> None:
    """SAM rejects an empty value, for example the subscriptions path of another Dexcom."""
    given = overrides({"DexcomClientId": "ours", "DexcomSubscriptionsPath": ""})

    assert given == ["DexcomClientId=ours"]
    assert template()["Parameters"]["DexcomSubscriptionsPath"]["Default"] == ""
