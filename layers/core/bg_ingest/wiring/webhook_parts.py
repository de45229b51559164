"""The collaborators of receiving webhooks."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from bg_ingest import telemetry
from bg_ingest.access.caller_limits import CallerLimit, LimitPolicy
from bg_ingest.aws.cached_secret import CachedSecret
from bg_ingest.webhooks.authentication import WebhookAuthenticator, key_of
from bg_ingest.webhooks.receive import Inbox, WebhookDeps
from bg_ingest.wiring.access.secret_parts import read_json_secret
from bg_ingest.wiring.process import intake_table
from bg_ingest.wiring.queue_parts import connections, jobs, jobs_queue
from bg_ingest.wiring.store_parts import audit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bg_ingest.accounts.sealing import MessageSeals
    from bg_ingest.webhooks.jwks import KeysUnavailable
    from bg_ingest.webhooks.token_verifier import TokenVerifier
    from bg_ingest.wiring.process import Process


def webhook_deps(own: Process) -> WebhookDeps:
    """The collaborators of receiving webhooks in this process."""
    policy = LimitPolicy("webhook", own.settings.webhooks_per_minute_max, 60)
    return WebhookDeps(
        inbox=Inbox(own.part(intake_table), own.clock),
        connections=own.part(connections),
        jobs=own.part(jobs),
        audit=own.part(audit),
        limit=CallerLimit(own.part(intake_table), own.clock, policy),
        seals=partial(own.part, _message_seals),
        send=own.part(jobs_queue).send,
        clock=own.clock,
    )


def authenticator(own: Process) -> WebhookAuthenticator:
    """Authenticates the senders of this process's settings."""
    keys = CachedSecret(partial(_read_keys, own), own.clock)
    return WebhookAuthenticator(keys.get, partial(own.part, _token_verifier), own.clock)


def _message_seals(own: Process) -> MessageSeals:
    # Loaded only if a webhook carries records.
    from bg_ingest.wiring.access.sealing_parts import message_seals  # noqa: PLC0415 - as above.

    return own.part(message_seals)


def _read_keys(own: Process) -> Sequence[bytes]:
    settings = own.settings
    if settings.webhook_secret_name is None:
        secrets = settings.webhook_secrets.get_secret_value().split(",")
    else:
        secrets = read_json_secret(own, settings.webhook_secret_name).get("webhook_secrets", [])
    return [key_of(secret) for secret in secrets if secret.strip()]


def _token_verifier(own: Process) -> TokenVerifier | None:
    url, audience = own.settings.webhook_jwks_url, own.settings.webhook_audience
    if url is None or audience is None:
        return None
    # PyJWT and httpx are loaded only where senders use tokens.
    import httpx  # noqa: PLC0415 - as above.

    from bg_ingest.webhooks.jwks import KeySet, fetched  # noqa: PLC0415 - as above.
    from bg_ingest.webhooks.token_verifier import TokenVerifier  # noqa: PLC0415 - as above.

    http = httpx.Client()
    return TokenVerifier(KeySet(lambda: fetched(url, http), own.clock, _log_failure), audience)


def _log_failure(failure: KeysUnavailable) -> None:
    telemetry.log("webhook keys unavailable", level=logging.ERROR, reason=str(failure))
