"""
The interface between the service and a CGM provider.

A provider is one implementation of `Provider`. `wiring.provider_parts` registers it under its name; nothing
else in the service knows which providers there are. A connection names its provider, and a user may have
several. The user's own provider is one that does not relay (`Capabilities.relays`).

    sync, webhooks ──► Provider.readings, uploaded_since, parse_pushed        what the provider has
    connecting, vault ──► Provider.login: OAuthLogin or CredentialLogin       how a user lets us in

Every method raises the errors of `providers.errors` and nothing else. Nothing can be taken for granted of a
provider's JSON: `number_of` and `text_of` read its values, and `pseudonym` replaces its ids.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime, timedelta

    from bg_ingest.readings.model import Reading


# 64 bits. One person uses a few dozen transmitters and accounts, and every reading stores one pseudonym.
_HEX_DIGITS = 16
# Longer than any known enumeration or id; it limits the size of a stored reading.
_TEXT_MAX = 100


@dataclass(frozen=True, slots=True)
class Endpoint:
    """
    Where a connection leads: a name, never an address.

    The provider maps the name to a host of its own table or of this deployment's settings. With a stored
    address a writer of the table would choose the host that gets the tokens. If the host is a user's own,
    then its address is a part of the sealed credentials.
    """

    provider: str  # The name it is registered under.
    environment: str  # The provider's region, or "custom".


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a login yields; its repr shows the expiry alone."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class ProviderAccount:
    """One user's account at a provider, as far as a call needs to know it."""

    endpoint: Endpoint
    account_key: (
        str | None
    )  # A pseudonym, so that the breaker separates an account's failures from the host's.
    time_left_s: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that is not a reading. Its repr shows the reason alone: the record is health data."""

    reason: str
    record: object = field(repr=False)


@dataclass(frozen=True, slots=True)
class Fetched:
    """Glucose readings as a provider sent them, in no particular order; its repr does not show them."""

    readings: tuple[Reading, ...] = field(default=(), repr=False)
    rejected: tuple[Rejected, ...] = ()
    # Readings that the provider once served, and whose records were deleted since, as far as it says so.
    removed: tuple[Reading, ...] = field(default=(), repr=False)
    # A hash of the provider's account id. A changed one means that the user connected another account.
    account_id_hash: str | None = field(default=None, repr=False)
    provider: str | None = field(default=None, repr=False)  # The name of the provider that answered.

    @property
    def reasons(self) -> tuple[str, ...]:
        """Rejection reasons, one per rejected record."""
        return tuple(rejected.reason for rejected in self.rejected)

    def __add__(self, later: Fetched) -> Fetched:
        return Fetched(
            self.readings + later.readings,
            self.rejected + later.rejected,
            self.removed + later.removed,
            later.account_id_hash or self.account_id_hash,
            later.provider or self.provider,
        )


@dataclass(frozen=True, slots=True)
class Span:
    """From the oldest to the newest record, both included."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a provider offers."""

    push: bool  # It can send records to our webhook.
    upload_times: bool  # It can say what was uploaded since an instant.
    window_max: timedelta  # The longest range of one call.
    poll_interval_s_min: int  # Polling more often finds no new data.
    own_server: bool = False  # Each user has a server of their own, so no quota is shared by all users.
    relays: bool = False  # It passes on what other providers' sensors measure, as a copy.


class ProviderLogin(Protocol):
    """The provider's side of a login of any kind."""

    @property
    def endpoint(self) -> Endpoint:
        """Where new logins go."""
        ...

    def refresh(self, account: ProviderAccount, refresh_token: str) -> Tokens:
        """New tokens for a refresh token, which is used up."""
        ...


class OAuthLogin(ProviderLogin, Protocol):
    """An OAuth2 authorization-code login."""

    def authorize_url(self, state: str) -> str:
        """The address of the provider's login page."""
        ...

    def exchange(self, code: str) -> Tokens:
        """Exchange the code of the callback for tokens; the code is then used up."""
        ...


class CredentialLogin(ProviderLogin, Protocol):
    """A login with an address and a token that the user types; the tokens contain the address."""

    def check(self, address: str, token: str, time_left_s: Callable[[], float]) -> Tokens:
        """Try the credentials at once; raises CredentialsRefused if they cannot be used."""
        ...


class Provider(Protocol):
    """One CGM provider."""

    @property
    def name(self) -> str:
        """The name that connections store."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What it offers."""
        ...

    @property
    def login(self) -> ProviderLogin:
        """The login with which a user grants access."""
        ...

    def readings(
        self, account: ProviderAccount, access_token: str, start: datetime, end: datetime
    ) -> Fetched:
        """All readings measured in `[start, end)`."""
        ...

    def uploaded_since(self, account: ProviderAccount, access_token: str, since: datetime) -> Span | None:
        """The span of readings uploaded since then; None without any."""
        ...

    def parse_pushed(self, data: Mapping[str, Any], now: datetime) -> Fetched:
        """The readings that a webhook carried."""
        ...


def pseudonym(kind: str, id_: object) -> str | None:
    """
    Deterministic hash of an id; None without an id.

    `kind` says what the id names and at which provider, such as "dexcom/transmitter". Equal ids of two kinds
    have different hashes. Stored readings contain the hashes, so a kind must never be renamed.
    """
    if not isinstance(id_, str) or not id_:
        return None
    # JSON may contain a lone surrogate, which strict UTF-8 cannot encode.
    return sha256(f"bg-ingest/{kind}/{id_}".encode(errors="surrogatepass")).hexdigest()[:_HEX_DIGITS]


def number_of(value: object) -> float | None:
    """The value as a finite float; None for a boolean, and for a number that is too large for a float."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def text_of(value: object) -> str | None:
    """A string up to _TEXT_MAX characters; None for an empty one. Lone surrogates become "?"."""
    if not isinstance(value, str) or not value:
        return None
    return value[:_TEXT_MAX].encode(errors="replace").decode()
