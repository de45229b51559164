"""The grants."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bg_ingest.access.caller_limits import CallerLimit, LimitPolicy, WriteLimits
from bg_ingest.access.grant_items import GrantItems
from bg_ingest.access.grants import WRONG_POLICY, GrantService
from bg_ingest.wiring.process import intake_table, users_table
from bg_ingest.wiring.store_parts import audit, write_limit

if TYPE_CHECKING:
    from bg_ingest.wiring.process import Process

GRANTS_PER_HOUR_MAX = 60


def grant_service(own: Process) -> GrantService:
    """The grants of all users."""
    return GrantService(
        items=GrantItems(own.part(users_table), own.clock),
        audit=own.part(audit),
        wrong_limit=CallerLimit(own.part(intake_table), own.clock, WRONG_POLICY),
        clock=own.clock,
    )


def new_grants_limit(own: Process) -> CallerLimit:
    """How often a user may make a grant."""
    policy = LimitPolicy("grants", GRANTS_PER_HOUR_MAX, 3_600)
    return CallerLimit(own.part(intake_table), own.clock, policy)


def grants_limits(own: Process) -> WriteLimits:
    """How often a user may write, and make a grant."""
    by_route = {"POST /api/bg/{userId}/grants": own.part(new_grants_limit)}
    return WriteLimits(own.part(write_limit), by_route)
