"""The circuit of the provider whose quota all users share, for those that only ask for its state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bg_ingest.providers.dexcom.regions import base_url
from bg_ingest.providers.http.shared_breaker import SharedBreaker
from bg_ingest.wiring.process import users_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from bg_ingest.wiring.process import Process


def provider_is_down(own: Process) -> Callable[[], bool]:
    """Whether the circuit is open."""
    host = base_url(own.settings.dexcom_api_base_url)
    return SharedBreaker(own.part(users_table), own.clock, host).is_open
