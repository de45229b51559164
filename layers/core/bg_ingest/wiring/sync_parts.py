"""The sync engine."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from bg_ingest.access.caller_limits import CallerLimit, LimitPolicy, WriteLimits
from bg_ingest.sync.completeness_store import CompletenessStore
from bg_ingest.sync.run import Stores
from bg_ingest.sync.service import SyncService
from bg_ingest.telemetry.sync_recorder import SyncRecorder
from bg_ingest.wiring import provider_parts
from bg_ingest.wiring.access.sealing_parts import message_seals
from bg_ingest.wiring.process import intake_table, users_table
from bg_ingest.wiring.queue_parts import connections, jobs, jobs_queue, states
from bg_ingest.wiring.store_parts import reading_store, write_limit

if TYPE_CHECKING:
    from bg_ingest.wiring.process import Process


def sync_service(own: Process) -> SyncService:
    """The sync engine of this process."""
    return SyncService(
        stores=own.part(stores),
        connections=own.part(connections),
        tokens=own.part(provider_parts.vault),
        providers=own.part(provider_parts.providers),
        open_payload=own.part(message_seals).open,
        jobs_queue=own.part(jobs_queue),
        observer=SyncRecorder(),
        clock=own.clock,
        jitter=random.random,
        poll_interval_s=own.settings.poll_interval_seconds,
    )


def stores(own: Process) -> Stores:
    """What a sync reads from and writes to."""
    return Stores(
        states=own.part(states),
        jobs=own.part(jobs),
        reading_store=own.part(reading_store),
        completeness=CompletenessStore(own.part(users_table), own.clock),
        quarantine=own.part(provider_parts.quarantine).save,
    )


def sync_limit(own: Process) -> CallerLimit:
    """How often a caller may order a sync."""
    policy = LimitPolicy("sync", own.settings.syncs_per_minute_max, 60)
    return CallerLimit(own.part(intake_table), own.clock, policy)


def sync_limits(own: Process) -> WriteLimits:
    """How often a caller may write, and order a sync."""
    return WriteLimits(own.part(write_limit), {"POST /api/bg/{userId}/sync": own.part(sync_limit)})
