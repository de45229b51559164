"""Which of a user's sources a request is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bg_ingest.http_api.answers import sync_responses
from bg_ingest.http_api.answers.source_json import account_changed
from bg_ingest.problems import invalid_field
from bg_ingest.sync.user_sources import freshest_source, main_source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bg_ingest.sync.service import SyncService
    from bg_ingest.sync.user_sources import UserSource


def of_provider(
    service: SyncService, sources: Sequence[UserSource], provider: str | None
) -> list[UserSource]:
    """The sources at this provider, or all; raise 422 if no provider has the name."""
    if provider is not None and provider not in service.providers:
        raise invalid_field("provider", f"must be one of {', '.join(service.providers)}")
    return [each for each in sources if provider in {None, each.provider}]


def connected_sources(service: SyncService, user_id: str, provider: str | None) -> list[UserSource]:
    """The connected sources, that with the newest data first; raise 409 if there are none."""
    asked = of_provider(service, service.sources(user_id), provider)
    connected = [each for each in asked if each.is_connected]
    if not connected:
        main = main_source(asked)
        changed = account_changed(main.sync_state)
        sync_responses.require_connection(main.state, account_changed=changed)
    first = freshest_source(connected)
    return [first, *(each for each in connected if each is not first)]
