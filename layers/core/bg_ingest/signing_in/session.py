"""The session of a signed-in person: a sealed cookie, and a record of the sessions that were ended."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from bg_ingest.access.caller import Caller
from bg_ingest.signing_in.sealed_cookie import SealedCookie

if TYPE_CHECKING:
    from bg_ingest.accounts.sealing import Sealer
    from bg_ingest.clock import Clock
    from bg_ingest.dynamo import Table

SESSION_LIFE = timedelta(hours=12)
_USE = "session"
_PREFIX = "app#session#"
_ENDED = "ended"
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class PageSession:
    """One session; its repr shows neither the person nor a secret."""

    user_id: str = field(repr=False)
    subject: str = field(repr=False)  # For the audit: the subject of the person's token.
    key: str = field(repr=False)

    @property
    def form_token(self) -> str:
        """The token that every form of this session must send."""
        return hmac.new(self.key.encode(), b"forms", hashlib.sha256).hexdigest()

    @property
    def caller(self) -> Caller:
        """The caller that the access check sees: a person without scopes."""
        return Caller(actor=self.subject, user_id=self.user_id, scopes=frozenset())

    def accepts(self, form_token: str) -> bool:
        """Return whether a form was made for this session."""
        return hmac.compare_digest(form_token.encode(errors="replace"), self.form_token.encode())


@dataclass(frozen=True, slots=True)
class Sessions:
    """Begins, opens and ends sessions."""

    sealer: Sealer
    table: Table
    clock: Clock

    def begin(self, user_id: str, subject: str) -> str:
        """The cookie of a new session."""
        key = secrets.token_urlsafe(_SECRET_BYTES)
        return self._cookie.sealed({"user_id": user_id, "subject": subject, "key": key})

    def of(self, cookie: str | None) -> PageSession | None:
        """The session of a cookie; None if it is forged, expired or ended."""
        members = self._cookie.opened(cookie)
        if members is None:
            return None
        session = PageSession(members["user_id"], members["subject"], members["key"])
        return None if self.table.get(_ended_key(session), _ENDED) else session

    def end(self, session: PageSession) -> None:
        """Refuse this session from now on, also to a copy of its cookie."""
        expires_at = self.clock.now() + SESSION_LIFE
        self.table.put({"pk": _ended_key(session), "sk": _ENDED, "expires_at": int(expires_at.timestamp())})

    @property
    def _cookie(self) -> SealedCookie:
        return SealedCookie(self.sealer, self.clock, _USE, SESSION_LIFE)


def _ended_key(session: PageSession) -> str:
    return _PREFIX + hashlib.sha256(session.key.encode()).hexdigest()
