"""The writes that connect a user: one transaction for every kind of login."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from bg_ingest.sync.windows import history_after_reconnecting

if TYPE_CHECKING:
    from datetime import datetime

    from bg_ingest.connecting.flow import ConnectDeps
    from bg_ingest.dynamo import Change
    from bg_ingest.providers.seam import Endpoint, Tokens
    from bg_ingest.sync.job import Order


@dataclass(frozen=True, slots=True)
class NewConnection:
    """A login that its user has made."""

    user_id: str = field(repr=False)
    endpoint: Endpoint
    tokens: Tokens
    started_at: datetime
    account: str | None = field(default=None, repr=False)
    interval_s: int | None = None  # Of a user who has not chosen one; None: the default.
    own_server: bool = False
    relays: bool = False  # The provider passes on what others measure.

    def changes(self, deps: ConnectDeps, order: Order) -> tuple[list[Change], Order]:
        """
        Return the writes: connected, polled, and the history's job stored; and the order of the source.

        No crash or throttled write can leave a connected user without polls. If the process dies before the
        order is in the queue, the daily reconciliation orders the history again.
        """
        source, replaced = deps.connections.to(self.user_id, self.endpoint.provider)
        known = deps.states.get(self.user_id, source)
        order = replace(order, source=source)
        history_from = deps.clock.now() - deps.history
        connected = deps.vault.new_login(
            self.user_id,
            self.endpoint,
            self.tokens,
            data_from=history_from,
            login_started_at=self.started_at,
            account=self.account,
            replaced=replaced,
            source=source,
            relays=self.relays,
        )
        if known:
            history_from = history_after_reconnecting(known, history_from)
        interval_s = (known.own_interval_s if known else None) or self.interval_s
        polled = deps.states.polling_started(
            self.user_id, interval_s, history_from, source, own_pace=self.own_server, relays=self.relays
        )
        _, ordered = deps.jobs.queued(order)
        return [connected, polled, ordered], order
