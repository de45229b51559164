"""
Dexcom's responses as typed values.

If the envelope differs from the documentation, then the whole response is rejected with ContractBroken. If a
record does, then only that record is rejected.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bg_ingest.providers.dexcom.records import Units, device_of, parse_reading
from bg_ingest.providers.dexcom.times import instant_of
from bg_ingest.providers.errors import ContractBroken
from bg_ingest.providers.json_values import pseudonym
from bg_ingest.providers.seam import Fetched, Rejected, Span

if TYPE_CHECKING:
    from datetime import datetime

    from bg_ingest.readings.model import Device


@dataclass(frozen=True, slots=True)
class DataRange:
    """The spans of the three kinds of records; None for a kind without records."""

    egvs: Span | None = None
    calibrations: Span | None = None
    events: Span | None = None


@dataclass(frozen=True, slots=True)
class KnownDevice:
    """A device that uploads for an account."""

    device: Device
    last_upload_at: datetime | None


def parse_egvs(document: dict[str, Any], now: datetime) -> Fetched:
    """The readings of a response of API version 3 (`records`) or 2 (`egvs`)."""
    units = Units(document.get("unit"), document.get("rateUnit"))
    records = _list_in(document, "egvs" if "egvs" in document else "records")
    parsed = [parse_reading(record, now, units) for record in records]
    return Fetched(
        readings=tuple(one for one in parsed if not isinstance(one, Rejected)),
        rejected=tuple(one for one in parsed if isinstance(one, Rejected)),
        account_id_hash=pseudonym("dexcom/account", document.get("userId")),
    )


def parse_data_range(document: dict[str, Any]) -> DataRange:
    """The spans of a dataRange response."""
    return DataRange(
        egvs=_span(document.get("egvs")),
        calibrations=_span(document.get("calibrations")),
        events=_span(document.get("events")),
    )


def parse_devices(document: dict[str, Any]) -> tuple[KnownDevice, ...]:
    """The devices of a response of API version 3."""
    records = _list_in(document, "records")
    return tuple(
        KnownDevice(device_of(record), instant_of(record.get("lastUploadDate")))
        for record in records
        if isinstance(record, dict)
    )


def _list_in(document: dict[str, Any], member: str) -> list[Any]:
    if member not in document:
        raise ContractBroken(f"the response has no member {member}")
    records = document[member]
    if records is None:  # An empty list is sometimes null.
        return []
    if not isinstance(records, list):
        raise ContractBroken(f"the member {member} is not a list")
    return records


def _span(value: object) -> Span | None:
    match value:
        case None | {"start": None, "end": None}:
            return None
    start, end = _moment(value, "start"), _moment(value, "end")
    if start is None or end is None:
        raise ContractBroken("a data range has no readable start or no readable end")
    return Span(start, end)


def _moment(span: object, member: str) -> datetime | None:
    moment = span.get(member) if isinstance(span, dict) else None
    return instant_of(moment.get("systemTime")) if isinstance(moment, dict) else None
