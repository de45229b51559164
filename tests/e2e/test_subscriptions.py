"""The local cloud's provider takes webhook subscriptions, at the path its functions are configured with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bg_ingest.clock import SystemClock
from bg_ingest.providers.dexcom import DexcomClient, polite_http
from local.deploy import function_names
from tests.e2e.witness import DexcomAccount

if TYPE_CHECKING:
    import httpx

    from local.stack import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.integration]


def test_a_subscription_is_registered_listed_and_removed(cloud: Stack, dexcom: httpx.Client) -> None:
    """A subscription is made and removed with the client and the worker's configuration."""
    worker = function_names(cloud.emulator)["WorkerFunction"]
    configured = cloud.emulator.client("lambda").get_function_configuration(FunctionName=worker)
    path = configured["Environment"]["Variables"]["DEXCOM_SUBSCRIPTIONS_PATH"]
    token = DexcomAccount(dexcom, "SandboxUser9").login().access_token
    clock = SystemClock()
    with polite_http(str(dexcom.base_url), clock) as http:
        ours = DexcomClient(http, clock, subscriptions_path=path).subscriptions

        hook = ours.register(token, f"{cloud.api}/api/bg/ada/webhook")
        assert ours.listed(token) == (hook,)
        assert ours.remove(token, hook.id)
        assert ours.listed(token) == ()
