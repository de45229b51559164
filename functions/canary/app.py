"""Schedule: checks this deployment from outside, as its callers reach it. Off unless the template says so."""

from __future__ import annotations

import bg_ingest.telemetry.boot  # noqa: F401 - the first import: it shortens the cold start.

import logging
from typing import TYPE_CHECKING, Any

import httpx

from bg_ingest import telemetry
from bg_ingest.http_api.smoke_checks import TIMEOUT_S, failures
from bg_ingest.wiring.process import Process, process

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


class CanaryFailed(Exception):
    """A check has failed. Lambda counts it as an error of this function, and the alarm watches those."""


def _client(own: Process) -> httpx.Client:
    address = own.settings.public_url or own.settings.canary_api
    return httpx.Client(base_url=address, timeout=TIMEOUT_S, trust_env=False)


@telemetry.entry_point(process)
def lambda_handler(_event: dict[str, Any], _context: LambdaContext) -> dict[str, int]:
    """Make every check; raise CanaryFailed if one fails."""
    made = list(failures(process().part(_client), None))
    failed = [name for name, complaint in made if complaint]
    for name in failed:
        telemetry.log("check failed", level=logging.ERROR, check=name)
    if failed:
        raise CanaryFailed
    telemetry.log("checks passed", count=len(made))
    return {"checked": len(made)}
