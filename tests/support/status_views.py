"""Two services as the operator's page shows them: one that is well, and one that needs a look."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, timedelta

from bg_ingest.facades.page.status_view import AGES, NO_DATA, FailureKind, QueueLevel, ServiceStatus
from bg_ingest.facades.page.wording import Wording
from tests.support.page_views import HOUR, MINUTE, NOW

WORDING = Wording(NOW, UTC, "mg/dL")
_COUNTS = (212, 41, 9, 4, 2, 3, 1)
_DURING_AN_OUTAGE = (88, 641, 170, 9, 4, 8, 1)
_NAMES = [*(name for name, _ in AGES), NO_DATA]
WELL = ServiceStatus(
    at=NOW,
    users=298,
    has_more=False,
    states={"connected": 272, "needs_reauth": 7, "disconnected": 19},
    sources={
        "dexcom": {"connected": 241, "needs_reauth": 11, "disconnected": 22},
        "nightscout": {"connected": 58, "needs_reauth": 2},
    },
    ages=dict(zip(_NAMES, _COUNTS, strict=True)),
    failures=(),
    queues={
        "interactive": QueueLevel(0, 1, 0, 0),
        "polls": QueueLevel(12, 20, 3, 0),
        "bulk": QueueLevel(140, 5, 0, 0),
        "erasures": QueueLevel(0, 0, 0, 0),
    },
    quota_taken=11_840,
    quota_limit=60_000,
    quota_renewed_at=NOW.replace(minute=0) + HOUR,
    provider_is_down=False,
)
TROUBLED = replace(
    WELL,
    users=1_000,
    has_more=True,
    states={"connected": 921, "needs_reauth": 38, "disconnected": 41},
    sources={
        "dexcom": {"connected": 904, "needs_reauth": 49, "disconnected": 41},
        "nightscout": {"connected": 117, "needs_reauth": 4, "disconnected": 12},
    },
    ages=dict(zip(_NAMES, _DURING_AN_OUTAGE, strict=True)),
    failures=(
        FailureKind("dexcom", "ProviderUnavailable", 604, NOW - timedelta(seconds=20)),
        FailureKind("dexcom", "Throttled", 17, NOW - 12 * MINUTE),
        FailureKind("nightscout", "ReauthorizationNeeded", 3, NOW - 30 * HOUR),
    ),
    queues={**WELL.queues, "polls": QueueLevel(18_204, 20, 950, 2), "bulk": QueueLevel(1_400, 5, 0, 1)},
    quota_taken=51_300,
    provider_is_down=True,
)
