"""Receiving webhooks, put together."""

from __future__ import annotations

import logging
from functools import cache
from typing import TYPE_CHECKING

from bg_ingest import telemetry
from bg_ingest.settings import settings
from bg_ingest.webhooks.authentication import WebhookAuthenticator
from bg_ingest.webhooks.receive import WebhookDeps
from bg_ingest.webhooks.signature import key_of
from bg_ingest.wiring import limits, stores
from bg_ingest.wiring.credentials import CachedSecret, in_secrets_manager

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bg_ingest.webhooks.jwks import KeysUnavailable
    from bg_ingest.webhooks.token_verifier import TokenVerifier


@cache
def deps() -> WebhookDeps:
    """Where this process takes webhooks in."""
    return WebhookDeps(
        inbox=stores.inbox(),
        connections=stores.connections(),
        jobs=stores.jobs(),
        audit=stores.audit(),
        limit=limits.webhook(),
        send=stores.queue().send,
        clock=stores.clock(),
    )


@cache
def proof() -> WebhookAuthenticator:
    """Whose webhooks this process takes."""
    return WebhookAuthenticator(CachedSecret(_read_keys, stores.clock()).get, _tokens, stores.clock())


def _read_keys() -> Sequence[bytes]:
    own = settings()
    if own.secret_name is None:
        secrets = own.webhook_secrets.get_secret_value().split(",")
    else:
        secrets = in_secrets_manager(own.secret_name).get("webhook_secrets", [])
    return [key_of(secret) for secret in secrets if secret.strip()]


@cache
def _tokens() -> TokenVerifier | None:
    own = settings()
    if own.webhook_jwks_url is None or own.webhook_audience is None:
        return None
    # PyJWT and httpx: those whose senders sign with a secret never load them.
    import httpx  # noqa: PLC0415 - as above.

    from bg_ingest.webhooks.jwks import KeySet, fetched  # noqa: PLC0415 - as above.
    from bg_ingest.webhooks.token_verifier import TokenVerifier  # noqa: PLC0415 - as above.

    url, http = own.webhook_jwks_url, httpx.Client()
    keys = KeySet(lambda: fetched(url, http), stores.clock(), _tell_trouble)
    return TokenVerifier(keys, own.webhook_audience)


def _tell_trouble(trouble: KeysUnavailable) -> None:
    telemetry.log("webhook keys unavailable", level=logging.ERROR, reason=str(trouble))
