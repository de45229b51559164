"""Authentication of webhooks: by a signature, or by a token."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from bg_ingest.webhooks.signature import is_signed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from bg_ingest.clock import Clock

# The id is part of the signed text and of a sort key, and is never logged. No character of it can begin a
# JSON object, so `{id}.{timestamp}.{body}` can be read in one way only, although an id may contain dots.
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:~+/=|-]{0,255}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Delivered:
    """One delivery of a webhook: its id, the user of its address, and its body."""

    webhook_id: str
    user_id: str = field(repr=False)
    body: bytes = field(repr=False)


class VerifiesTokens(Protocol):
    """The check of a bearer token."""

    def prove(self, token: str, webhook: Delivered, now: datetime) -> bool:
        """Whether this token was made for this webhook and is valid now."""
        ...


@dataclass(frozen=True, slots=True)
class WebhookAuthenticator:
    """Authenticates senders of webhooks."""

    keys: Callable[[], Sequence[bytes]]  # The live secrets: two during a rotation.
    tokens: Callable[[], VerifiesTokens | None]
    clock: Clock

    def authenticated_id(self, headers: Mapping[str, str], user_id: str, body: bytes) -> str | None:
        """The webhook's id if the request is authentic, else None for any reason."""
        webhook_id = headers.get("webhook-id", "")
        if not _ID.fullmatch(webhook_id):
            return None
        if "webhook-signature" in headers:
            authentic = is_signed(headers, webhook_id, body, self.keys(), self.clock.now())
        else:
            authentic = self._has_token(headers, Delivered(webhook_id, user_id, body))
        return webhook_id if authentic else None

    def _has_token(self, headers: Mapping[str, str], webhook: Delivered) -> bool:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return False
        tokens = self.tokens()
        return tokens is not None and tokens.prove(token.strip(), webhook, self.clock.now())
