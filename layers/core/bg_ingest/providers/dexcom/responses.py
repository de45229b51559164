"""Dexcom's answers as typed values: the envelope is held to the contract, what is in it record by record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bg_ingest.providers.dexcom.records import Units, device_of, parse_reading
from bg_ingest.providers.dexcom.times import instant_of
from bg_ingest.providers.errors import ContractBroken
from bg_ingest.providers.pseudonym import pseudonym
from bg_ingest.providers.seam import Fetched, Rejected, Span

if TYPE_CHECKING:
    from datetime import datetime

    from bg_ingest.readings.model import Device


@dataclass(frozen=True, slots=True)
class DataRange:
    """What there is, or what of it was uploaded since; None where there is nothing."""

    egvs: Span | None = None
    calibrations: Span | None = None
    events: Span | None = None


@dataclass(frozen=True, slots=True)
class KnownDevice:
    """A device that uploads for a person."""

    device: Device
    last_upload_at: datetime | None


def parse_egvs(document: dict[str, Any], now: datetime) -> Fetched:
    """Version 3 (`records`) or version 2 (`egvs`)."""
    units = Units(document.get("unit"), document.get("rateUnit"))
    records = _listed(document, "egvs" if "egvs" in document else "records")
    read = [parse_reading(record, now, units) for record in records]
    return Fetched(
        readings=tuple(one for one in read if not isinstance(one, Rejected)),
        rejected=tuple(one for one in read if isinstance(one, Rejected)),
        account_id_hash=pseudonym("account", document.get("userId")),
    )


def parse_data_range(document: dict[str, Any]) -> DataRange:
    """The three spans of a dataRange answer."""
    return DataRange(
        egvs=_span(document.get("egvs")),
        calibrations=_span(document.get("calibrations")),
        events=_span(document.get("events")),
    )


def parse_devices(document: dict[str, Any]) -> tuple[KnownDevice, ...]:
    """The devices of a version 3 answer."""
    records = _listed(document, "records")
    return tuple(
        KnownDevice(device_of(record), instant_of(record.get("lastUploadDate")))
        for record in records
        if isinstance(record, dict)
    )


def _listed(document: dict[str, Any], member: str) -> list[Any]:
    if member not in document:
        raise ContractBroken(f"the answer has no {member}")
    records = document[member]
    if records is None:  # Some of their lists are null when there is nothing.
        return []
    if not isinstance(records, list):
        raise ContractBroken(f"{member} is no list")
    return records


def _span(value: object) -> Span | None:
    match value:
        case None | {"start": None, "end": None}:
            return None
    start, end = _moment(value, "start"), _moment(value, "end")
    if start is None or end is None:
        raise ContractBroken("a data range without a start or an end that can be read")
    return Span(start, end)


def _moment(span: object, member: str) -> datetime | None:
    moment = span.get(member) if isinstance(span, dict) else None
    return instant_of(moment.get("systemTime")) if isinstance(moment, dict) else None
