"""
Event ids and pseudonyms that only this deployment can compute.

An id is made from a user id and times (events.py). Without a key, a reader of the events' envelopes could
hash guessed user ids and find out which of them are users. So every sink gets HMACs of those hashes as ids.
Events of the audit name persons and actors by HMACs, too.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bg_ingest.publishing.events import Event
    from bg_ingest.publishing.publish import Sink, SinkResult

_DIGITS = 32


@dataclass(frozen=True, slots=True)
class KeyedSink:
    """A sink whose events have keyed ids; the same event has the same id in every sink of a deployment."""

    sink: Sink
    key: Callable[[], bytes]

    def publish(self, events: Sequence[Event]) -> SinkResult:
        """Deliver the events under their keyed ids."""
        key = self.key()
        return self.sink.publish([_keyed(key, event) for event in events])


def keyed_id(key: bytes, event_id: str) -> str:
    """The id under which an event is published; the number of the part stays readable."""
    number = event_id.rpartition("-")[2]
    return f"{_hmac(key, event_id)}-{number}"


def audit_pseudonym(key: bytes, name: str) -> str:
    """The name under which the audit's events and archive show a person or an actor."""
    return _hmac(key, f"audit {name}")


def _keyed(key: bytes, event: Event) -> Event:
    pseudonyms = {member: audit_pseudonym(key, event.data[member]) for member in event.keyed}
    return replace(event, event_id=keyed_id(key, event.event_id), data=event.data | pseudonyms)


def _hmac(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()[:_DIGITS]
