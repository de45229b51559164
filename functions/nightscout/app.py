"""HTTP: the Nightscout facade, for apps, watches and home automations that speak Nightscout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bg_ingest import telemetry
from bg_ingest.http_api import serving
from bg_ingest.http_api.nightscout_http import NightscoutSite
from bg_ingest.wiring.access.grant_parts import grant_service
from bg_ingest.wiring.process import Process, process
from bg_ingest.wiring.store_parts import reading_store

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def _site(own: Process) -> NightscoutSite:
    return NightscoutSite(own.part(reading_store), own.part(grant_service), own.clock)


@telemetry.entry_point(process)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle one request."""
    return serving.serve(process().part(_site), event, context, process().clock, raw_body=True)
