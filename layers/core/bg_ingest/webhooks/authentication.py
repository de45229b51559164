"""Whether a request was sent by somebody whose webhooks we take: signed by a secret, or with a token."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from bg_ingest.webhooks.signature import is_signed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from bg_ingest.clock import Clock

# Part of what is signed, of a sort key, and of nothing that is logged. No character of it can begin a JSON
# object, so `{id}.{timestamp}.{body}` is read in one way only, though an id may have dots.
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:~+/=|-]{0,255}", re.ASCII)


class VerifiesTokens(Protocol):
    """The scheme of those who send tokens."""

    def prove(self, token: str, body: bytes, now: datetime) -> bool:
        """Whether this token was made for this body, and is good now."""
        ...


@dataclass(frozen=True, slots=True)
class WebhookAuthenticator:
    """The senders we know."""

    keys: Callable[[], Sequence[bytes]]  # The live secrets: one, or two while one replaces the other.
    tokens: Callable[[], VerifiesTokens | None]
    clock: Clock

    def authenticated_id(self, headers: Mapping[str, str], body: bytes) -> str | None:
        """The webhook's id, if the request proves itself; None says nothing about what is wrong with it."""
        webhook_id = headers.get("webhook-id", "")
        if not _ID.fullmatch(webhook_id):
            return None
        if "webhook-signature" in headers:
            proven = is_signed(headers, webhook_id, body, self.keys(), self.clock.now())
        else:
            proven = self._has_token(headers, body)
        return webhook_id if proven else None

    def _has_token(self, headers: Mapping[str, str], body: bytes) -> bool:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return False
        tokens = self.tokens()
        return tokens is not None and tokens.prove(token.strip(), body, self.clock.now())
