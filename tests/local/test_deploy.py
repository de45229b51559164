"""What is deployed to the emulated AWS, and how SAM is told."""

from __future__ import annotations

from local.deploy import overrides
from tests.support.template_document import template


def test_what_is_empty_is_left_to_the_template() -> None:
    """SAM stops at an empty value; another Dexcom than the simulator has no subscriptions."""
    told = overrides({"DexcomClientId": "ours", "DexcomSubscriptionsPath": ""})

    assert told == ["DexcomClientId=ours"]
    assert template()["Parameters"]["DexcomSubscriptionsPath"]["Default"] == ""
