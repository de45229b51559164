"""Entries as JSON, and as lines of five columns without a header, as Nightscout writes them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bg_ingest.facades.nightscout.sgv_entry import Entry

# The first one answers a client without a preference: the oldest apps rely on lines with tabs.
TEXT, TSV, CSV, JSON = "text/plain", "text/tab-separated-values", "text/csv", "application/json"
MEDIA_TYPES = (TEXT, TSV, CSV, JSON)
MEDIA_TYPE_OF_ENDING = {"json": JSON, "csv": CSV, "tsv": TSV, "txt": TEXT}
# What remains of an entry if the whole response would be too large: the fields that some client needs.
_SLIM = ("_id", "type", "sgv", "date", "dateString", "direction", "delta", "device")
_COLUMNS = ("dateString", "date", "sgv", "direction", "device")


def rendered(entries: Sequence[Entry], media_type: str, bytes_max: int) -> str:
    """The entries in a media type; an oversized response has fewer fields, and then fewer entries."""
    if media_type != JSON:
        separator = "," if media_type == CSV else "\t"
        return _cut([_line(entry, separator) for entry in entries], "\r\n", bytes_max)
    texts = [_json(entry) for entry in entries]
    if sum(map(_size, texts)) + len(texts) >= bytes_max:
        texts = [_json({name: entry[name] for name in _SLIM}) for entry in entries]
    return f"[{_cut(texts, ',', bytes_max - 2)}]"


def _cut(texts: list[str], separator: str, bytes_max: int) -> str:
    """Join the first texts that fit."""
    size = 0
    for place, text in enumerate(texts):
        size += _size(text) + len(separator)
        if size > bytes_max:
            return separator.join(texts[:place])
    return separator.join(texts)


def _size(text: str) -> int:
    """The bytes of a text within a response of Lambda, which is JSON itself."""
    return len(text) + text.count('"')


def _line(entry: Entry, separator: str) -> str:
    return separator.join(_json(entry[name]) for name in _COLUMNS)


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
