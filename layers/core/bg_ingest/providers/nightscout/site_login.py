"""Logging in at a user's own Nightscout: its address and a token that may read and nothing else."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from bg_ingest.providers.errors import (
    ConsentRevoked,
    ContractBroken,
    CredentialsRefused,
    Garbled,
    RequestRefused,
    TokenRejected,
)
from bg_ingest.providers.nightscout.entry_parser import NAME
from bg_ingest.providers.nightscout.site_address import AddressInvalid, site_address
from bg_ingest.providers.nightscout.site_client import SiteClient
from bg_ingest.providers.seam import Endpoint, Tokens, number_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from bg_ingest.clock import Clock
    from bg_ingest.providers.seam import ProviderAccount


# Every user has a server of their own, and its address is sealed with the token.
OWN_SITE = Endpoint(NAME, "own-site")

ADDRESS_INVALID = "address-invalid"
NOT_A_SITE = "not-a-nightscout"
TOKEN_INVALID = "token-invalid"  # noqa: S105 - a reason.
TOKEN_UNKNOWN = "token-unknown"  # noqa: S105 - as above.
TOKEN_CANNOT_READ = "token-cannot-read"  # noqa: S105 - as above.
TOKEN_CAN_WRITE = "token-can-write"  # noqa: S105 - as above.

TOKEN_CHARS_MAX = 200
# Web tokens live eight hours, one hour in old versions. An unusable lifetime counts as one hour.
_LIFETIME_S_DEFAULT = 3_600.0
_LIFETIME_S_MAX = 86_400.0


@dataclass(frozen=True, slots=True)
class SiteCredential:
    """
    A secret of one server.

    Address and secret are one text, so they are sealed together. Otherwise a writer of the table could change
    the address, and the secret would be sent to it.
    """

    address: str = field(repr=False)  # Some addresses contain the user's name.
    secret: str = field(repr=False)

    def as_text(self) -> str:
        """The form in which it is a token of the seam; an address contains no space."""
        return f"{self.address} {self.secret}"

    @classmethod
    def of(cls, text: str) -> SiteCredential:
        """Read the form of `as_text`."""
        address, _, secret = text.partition(" ")
        return cls(address, secret)


@dataclass(frozen=True, slots=True)
class SiteLogin:
    """The login of a user whose server is at an address of their own."""

    http: Callable[[str], httpx.Client]  # A client for the server at this address.
    clock: Clock
    https_only: bool

    @property
    def endpoint(self) -> Endpoint:
        """Where new logins go."""
        return OWN_SITE

    def check(self, address: str, token: str, time_left_s: Callable[[], float]) -> Tokens:
        """Try the credentials: the server answers, the token reads entries, and it can change nothing."""
        try:
            base_url = site_address(address, https_only=self.https_only)
        except AddressInvalid:
            raise CredentialsRefused(ADDRESS_INVALID) from None
        secret = token.strip()
        if not secret or len(secret) > TOKEN_CHARS_MAX or not secret.isascii() or not secret.isprintable():
            raise CredentialsRefused(TOKEN_INVALID)
        with closing(self.http(base_url)) as http:
            site = SiteClient(http, self.clock.now, time_left_s)
            reason, tokens = self._checked(site, SiteCredential(base_url, secret))
        # Raised here, because an error of the client must not be chained to it.
        if tokens is None:
            raise CredentialsRefused(reason)
        return tokens

    def refresh(self, account: ProviderAccount, refresh_token: str) -> Tokens:
        """A new web token; the access token stays valid."""
        credential = SiteCredential.of(refresh_token)
        with closing(self.http(credential.address)) as http:
            site = SiteClient(http, self.clock.now, account.time_left_s, account.account_key)
            return self._tokens(credential, site.exchange(credential.secret))

    def _checked(self, site: SiteClient, credential: SiteCredential) -> tuple[str, Tokens | None]:
        """The tokens, or the reason why there are none."""
        try:
            granted = site.exchange(credential.secret)
            tokens = self._tokens(credential, granted)
        except ConsentRevoked:
            return TOKEN_UNKNOWN, None
        except (RequestRefused, ContractBroken, Garbled):
            return NOT_A_SITE, None
        web_token = SiteCredential.of(tokens.access_token).secret
        try:
            rights = site.rights(web_token)
            now_ms = int(self.clock.now().timestamp() * 1000)
            site.entries(web_token, now_ms - 1, now_ms)
        except TokenRejected:
            return TOKEN_CANNOT_READ, None
        except (RequestRefused, ContractBroken, Garbled):
            return NOT_A_SITE, None
        can_write = (
            rights.get("canWrite") or rights.get("isAdmin") or any(map(_changes, _permissions(granted)))
        )
        return (TOKEN_CAN_WRITE, None) if can_write else ("", tokens)

    def _tokens(self, credential: SiteCredential, granted: dict[str, Any]) -> Tokens:
        web_token = granted.get("token")
        if not isinstance(web_token, str) or not web_token or " " in web_token:
            raise ContractBroken("exchange: the response has no token")
        return Tokens(
            SiteCredential(credential.address, web_token).as_text(),
            credential.as_text(),
            self.clock.now() + timedelta(seconds=_lifetime_s(granted)),
        )


def _lifetime_s(granted: dict[str, Any]) -> float:
    """How long the web token lives, by the difference of its times: the server's clock may be wrong."""
    issued, expires = number_of(granted.get("iat")), number_of(granted.get("exp"))
    if issued is None or expires is None or not 0 < expires - issued <= _LIFETIME_S_MAX:
        return _LIFETIME_S_DEFAULT
    return expires - issued


def _permissions(granted: dict[str, Any]) -> list[str]:
    """The permissions of all roles; old versions have one list, newer ones a list for each role."""
    flat: list[str] = []
    rest = [granted.get("permissionGroups"), granted.get("permissions")]
    while rest:
        part = rest.pop()
        if isinstance(part, list):
            rest += part
        elif isinstance(part, str):
            flat.append(part)
    return flat


def _changes(permission: str) -> bool:
    """Whether a permission such as `api:treatments:create` allows more than reading."""
    parts = permission.split(":")
    return len(parts) < 3 or parts[2] != "read"
