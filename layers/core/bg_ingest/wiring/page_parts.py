"""The collaborators of the page."""

from __future__ import annotations

import json
import logging
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx

from bg_ingest import telemetry
from bg_ingest.access.caller_limits import CallerLimit, LimitPolicy, WriteLimits
from bg_ingest.accounts.display_settings import DisplayStore
from bg_ingest.aws import aws_clients
from bg_ingest.aws.cached_secret import CachedSecret
from bg_ingest.clock import to_iso
from bg_ingest.exporting.export_file import ExportFiles
from bg_ingest.facades.page.forms import Act
from bg_ingest.http_api.pages.page_acts import PageActs
from bg_ingest.http_api.pages.page_values import PageSources
from bg_ingest.settings import Environment
from bg_ingest.signing_in.issuer import ATTEMPT_LIFE, PageClient, SignIn
from bg_ingest.signing_in.sealed_cookie import SealedCookie
from bg_ingest.sync.user_sources import own_provider
from bg_ingest.wiring.access.grant_parts import grant_service, new_grants_limit
from bg_ingest.wiring.access.session_parts import page_sealer, sessions
from bg_ingest.wiring.connect_parts import connect_deps, connection_limit, own_server_login
from bg_ingest.wiring.process import intake_table, users_table
from bg_ingest.wiring.store_parts import audit, reading_store, write_limit
from bg_ingest.wiring.sync_parts import sync_limit, sync_service

if TYPE_CHECKING:
    from bg_ingest.erasing.receipt import ErasureActor
    from bg_ingest.webhooks.jwks import KeysUnavailable
    from bg_ingest.wiring.process import Process

EXPORTS_PER_HOUR_MAX = 60
_ATTEMPT = "sign-in"


def page_acts(own: Process) -> PageActs:
    """What the page reads and does in this process."""
    exports = LimitPolicy("page-export", EXPORTS_PER_HOUR_MAX, 3_600)
    return PageActs(
        sources=PageSources(
            service=own.part(sync_service),
            reading_store=own.part(reading_store),
            audit=own.part(audit),
            grants=own.part(grant_service),
            display=DisplayStore(own.part(users_table)),
        ),
        sessions=own.part(sessions),
        connecting=partial(own.part, connect_deps),
        own_server=partial(own.part, own_server_login),
        files=ExportFiles(own.part(reading_store), partial(_own_provider, own)),
        order_erasure=partial(_order_erasure, own),
        limits=WriteLimits(
            own.part(write_limit),
            {
                Act.CONNECT: own.part(connection_limit),
                Act.SYNC: own.part(sync_limit),
                Act.GRANT: own.part(new_grants_limit),
                Act.EXPORT: CallerLimit(own.part(intake_table), own.clock, exports),
            },
        ),
    )


def _own_provider(own: Process, user_id: str) -> str | None:
    return own_provider(own.part(sync_service).sources(user_id))


def provider_origin(own: Process) -> str:
    """Where the provider's login page is."""
    parts = urlsplit(own.settings.dexcom_api_base_url)
    return f"{parts.scheme}://{parts.netloc}"


def sign_in(own: Process) -> SignIn:
    """The sign-in at the page's issuer."""
    return SignIn(
        client=CachedSecret(partial(_read_client, own), own.clock).get,
        attempts=SealedCookie(own.part(page_sealer), own.clock, _ATTEMPT, ATTEMPT_LIFE),
        http=httpx.Client(),
        clock=own.clock,
        on_key_failure=_log_failure,
        needs_https=own.settings.environment is not Environment.DEVELOPMENT,
    )


def _read_client(own: Process) -> PageClient:
    # A parameter that is looked up, because the client names the API's address, and the API this function.
    answer = aws_clients.parameters(own.settings.aws_region).get_parameter(
        Name=own.settings.page_client_parameter
    )
    members = json.loads(answer["Parameter"]["Value"])
    return PageClient(members["issuer"], members["client_id"])


def _order_erasure(own: Process, user_id: str, actor: ErasureActor) -> None:
    asked_at = to_iso(own.clock.now())
    message = {"user_id": user_id, "asked_at": asked_at, "kind": actor.kind, "actor": actor.pseudonym}
    aws_clients.sqs(own.settings.aws_region).send_message(
        QueueUrl=own.settings.erasures_queue_url, MessageBody=json.dumps(message)
    )


def _log_failure(failure: KeysUnavailable) -> None:
    telemetry.log("issuer keys unavailable", level=logging.ERROR, reason=str(failure))
