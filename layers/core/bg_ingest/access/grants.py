"""
Grants: made, listed and revoked by the user, and used by readers.

A wrong credential is counted by the address it came from. An address that sent too many is refused for the
rest of the window, also with a right one: otherwise the refusal would not slow guessing.

    right credential    index → use counted (and limited) → address within its limit? → reader
    wrong credential    index → counted by address → 401, or 429 above the limit
"""

from __future__ import annotations

import hashlib
import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bg_ingest.access.audit import AuditOutcome
from bg_ingest.access.caller_limits import LimitPolicy
from bg_ingest.access.grant import Grant, Reader, lookup_of, lookups_of_token, new_token
from bg_ingest.access.grant_items import GrantKey
from bg_ingest.clock import new_id

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from bg_ingest.access.audit import Audit
    from bg_ingest.access.caller_limits import CallerLimit, LimitStatus
    from bg_ingest.access.grant import Category, GrantDays
    from bg_ingest.access.grant_items import GrantItems
    from bg_ingest.clock import Clock
    from bg_ingest.dynamo import Change

GRANTS_MAX = 50
# Uses of one grant. A client that reads a year of history page by page stays below it.
USE_POLICY = LimitPolicy("grant", 600, 60)
# Wrong credentials from one address. Short, because other readers may share the address.
WRONG_POLICY = LimitPolicy("wrong-secrets", 20, 10)


class GrantInvalid(Exception):
    """No valid grant belongs to this credential: unknown, expired and revoked ones look the same."""


class TooManyGrants(Exception):
    """The user has as many grants as one user can have."""


class GrantLimited(Exception):
    """A limit was exceeded, of a grant or of an address; `wrong` if the credential was wrong."""

    def __init__(self, policy: LimitPolicy, status: LimitStatus, *, wrong: bool) -> None:
        super().__init__(policy.name)
        self.policy = policy
        self.status = status
        self.wrong = wrong


@dataclass(frozen=True, slots=True)
class ReaderRequest:
    """What is recorded of a reader's request; its repr shows neither the address nor the client."""

    address: str = field(repr=False)
    user_agent: str = field(repr=False)
    action: str
    correlation_id: str

    @property
    def client(self) -> str:
        """A short hash of the client: an address and a program."""
        return hashlib.sha256(f"{self.network}\n{self.user_agent}".encode(errors="replace")).hexdigest()[:12]

    @property
    def network(self) -> str:
        """The address; of IPv6 its first 64 bits, because one host has all the others."""
        try:
            address = ipaddress.ip_address(self.address)
        except ValueError:
            return self.address
        if address.version == 4:
            return str(address)
        return str(ipaddress.ip_network((address, 64), strict=False))


@dataclass(frozen=True, slots=True)
class GrantService:
    """The grants of all users."""

    items: GrantItems
    audit: Audit
    wrong_limit: CallerLimit
    clock: Clock

    def create(
        self,
        user_id: str,
        label: str,
        reads: Sequence[Category],
        days: GrantDays,
        expires_at: datetime | None = None,
    ) -> tuple[Grant, str]:
        """Store a new grant; return it with its token, which is not stored. May raise TooManyGrants."""
        if len(self.of_user(user_id)) >= GRANTS_MAX:
            raise TooManyGrants
        now = self.clock.now()
        grant = Grant(user_id, new_id(now), label, tuple(dict.fromkeys(reads)), days, now, expires_at)
        token = new_token(label)
        self.items.add(grant, lookups_of_token(token))
        return grant, token

    def of_user(self, user_id: str) -> list[Grant]:
        """A user's valid grants, oldest first."""
        now = self.clock.now()
        return [grant for grant in self.items.of_user(user_id) if not grant.has_expired(now)]

    def revoke(self, user_id: str, grant_id: str) -> bool:
        """End a grant at once; False if the user has no such grant."""
        return self.items.remove(GrantKey(user_id, grant_id))

    def reader(self, credential: str, request: ReaderRequest) -> Reader:
        """
        Return the reader with this token, or a digest of it, and count the use.

        Raises GrantInvalid, or GrantLimited.
        """
        if not credential:
            raise GrantInvalid  # Nothing was guessed, so nothing is counted.
        key = self.items.find(lookup_of(credential))
        use = self.items.use(key, USE_POLICY) if key else None
        grant = use.grant if use else None
        if grant is None or use is None or grant.has_expired(self.clock.now()):
            status = self.wrong_limit.take(request.network)
            if not status.accepted:
                raise GrantLimited(WRONG_POLICY, status, wrong=True)
            raise GrantInvalid
        blocked = self.wrong_limit.exceeded(request.network)
        if blocked:
            raise GrantLimited(WRONG_POLICY, blocked, wrong=False)
        if not use.limit.accepted:
            raise GrantLimited(USE_POLICY, use.limit, wrong=False)
        marked = self.items.first_of_hour(use, request.client)
        if marked:
            self._record(grant, request, marked)
        return Reader(grant)

    def _record(self, grant: Grant, request: ReaderRequest, marked: Change) -> None:
        # One transaction: no hour of a client is recorded twice, and none is marked without its entry.
        entry = self.audit.new_entry(
            grant.user_id,
            actor=f"{grant.label} (grant {grant.grant_id})",
            action=request.action,
            correlation_id=request.correlation_id,
        )
        self.items.table.transact([self.audit.addition(entry, AuditOutcome.DONE), marked])
