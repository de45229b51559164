"""
Values in cookies that only this service can read or make: sealed with AES-GCM, with an end.

A value is bound to its use, so the cookie of a sign-in in progress never opens as a session.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bg_ingest.accounts.sealing import SealBroken

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from bg_ingest.accounts.sealing import Sealer
    from bg_ingest.clock import Clock

# A browser keeps cookies of up to 4 kB; a longer text was not made here.
COOKIE_CHARACTERS_MAX = 4_000
_END = "ends_s"
_NO_USER = ""  # The user is inside, and is known only when the cookie was opened.


@dataclass(frozen=True, slots=True)
class SealedCookie:
    """Makes and opens the cookies of one use."""

    sealer: Sealer
    clock: Clock
    use: str  # A cookie of one use does not open as one of another.
    life: timedelta

    def sealed(self, members: Mapping[str, Any]) -> str:
        """The value of a new cookie."""
        ends_s = (self.clock.now() + self.life).timestamp()
        text = json.dumps({**members, _END: ends_s}, separators=(",", ":"))
        sealed = self.sealer.seal(_NO_USER, text.encode(), self.use)
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def opened(self, value: str | None) -> dict[str, Any] | None:
        """The members of a cookie; None if it is forged, of another use, or over."""
        if not value or len(value) > COOKIE_CHARACTERS_MAX:
            return None
        try:
            raw = base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
            members: dict[str, Any] = json.loads(self.sealer.open(_NO_USER, raw, self.use))
        except (binascii.Error, ValueError, SealBroken):
            return None
        return members if members[_END] > self.clock.now().timestamp() else None
