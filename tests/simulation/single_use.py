"""Logins at the simulated provider, whose refresh tokens work once."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from bg_ingest.providers.errors import OutOfTime
from bg_ingest.providers.http.policy import Policy
from bg_ingest.providers.seam import Tokens
from tests.support.third_provider import ThirdProvider

if TYPE_CHECKING:
    from collections.abc import Callable

    from bg_ingest.clock import Clock
    from bg_ingest.providers.seam import ProviderAccount

# Less than two polls, so that most polls refresh.
_LIFETIME = timedelta(minutes=8)


@dataclass
class SingleUseLogins:
    """
    Issues tokens, and reports who refreshes those of a user's last login.

    A process that dies between the answer and its write ends the connection, as documented. Here such a used
    token is answered again, so that the simulation continues. `refreshes` checks that only the holder of the
    sync lease sends a token.
    """

    clock: Clock
    step: Callable[[], None]
    refreshes: Callable[[str], None]
    logins: dict[str, int] = field(default_factory=dict)  # The number of each user's last login.
    count: int = 0

    def log_in(self, user_id: str) -> Tokens:
        """The tokens of a new login."""
        self.logins[user_id] = self.logins.get(user_id, 0) + 1
        return self._tokens(user_id, self.logins[user_id])

    def refresh(self, account: ProviderAccount, refresh_token: str) -> Tokens:
        """New tokens; the call begins as the wired client's does (policy.py, rule 3)."""
        self.step()
        if account.time_left_s() < Policy().single_s_min:
            raise OutOfTime("refresh: too little time left")
        user_id, number, _ = refresh_token.split("/")
        if int(number) == self.logins[user_id]:
            self.refreshes(user_id)
        tokens = self._tokens(user_id, int(number))
        self.step()  # The window.
        return tokens

    def _tokens(self, user_id: str, number: int) -> Tokens:
        self.count += 1
        return Tokens(user_id, f"{user_id}/{number}/{self.count}", self.clock.now() + _LIFETIME)


@dataclass(frozen=True, slots=True)
class RefreshedThird(ThirdProvider):
    """The third provider with these logins."""

    logins: SingleUseLogins | None = None

    @property
    def login(self) -> SingleUseLogins:  # type: ignore[override]  # The part that the vault uses.
        """Where the vault refreshes."""
        assert self.logins
        return self.logins
