"""The grant service over any table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bg_ingest.access.audit import Audit
from bg_ingest.access.caller_limits import CallerLimit
from bg_ingest.access.grant_items import GrantItems
from bg_ingest.access.grants import WRONG_POLICY, GrantService

if TYPE_CHECKING:
    from bg_ingest.clock import Clock
    from bg_ingest.dynamo import Table


def grants_in(users: Table, intake: Table, clock: Clock) -> GrantService:
    """The grants of all users of these tables."""
    audit = Audit(users, clock, 365)
    return GrantService(GrantItems(users, clock), audit, CallerLimit(intake, clock, WRONG_POLICY), clock)
