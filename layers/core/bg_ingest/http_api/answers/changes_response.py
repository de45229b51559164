"""Requests and response bodies of the feed of changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from bg_ingest.clock import rfc_3339
from bg_ingest.facades.native.reading_text import as_json
from bg_ingest.http_api.answers.range_response import ReadingJson
from bg_ingest.http_api.description import Instant  # noqa: TC001 - pydantic reads the annotation.
from bg_ingest.http_api.requests.parsing import parse_past
from bg_ingest.problems import invalid_field
from bg_ingest.readings.changes.feed_cursor import (
    FeedCursor,
    FeedCursorInvalid,
    decode_feed_cursor,
    encode_feed_cursor,
)
from bg_ingest.readings.changes.hour_changes import seconds

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from bg_ingest.readings.changes.hour_changes import ReadingChange


class ChangeJson(ReadingJson):
    """A reading as it was served after a change; of a removed one, what it was before."""

    change: Literal["stored", "revised", "removed"]
    changed_at: Annotated[Instant, Field(description="When the change was stored")]


def parse_start(user_id: str, since: str | None, cursor: str | None, now: datetime) -> FeedCursor:
    """Parse where a reader continues: after the cursor, else at an instant, else at the beginning."""
    first = parse_past(since, "since", now)
    if cursor is None:
        return FeedCursor(since_s=seconds(first) if first else 0)
    try:
        return decode_feed_cursor(cursor, user_id)
    except FeedCursorInvalid:
        raise invalid_field("cursor", "was not issued by this API for this user") from None


def next_query(user_id: str, cursor: FeedCursor, limit: int) -> dict[str, str]:
    """Return the query of the request that continues after this response."""
    return {"limit": str(limit), "cursor": encode_feed_cursor(cursor, user_id)}


def as_array(changes: Iterable[ReadingChange]) -> list[dict[str, Any]]:
    """Return the changes as JSON objects."""
    return [
        {**as_json(change.stored), "change": change.kind, "changed_at": rfc_3339(change.changed_at)}
        for change in changes
    ]
