"""A person's choice of unit and time zone for the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

if TYPE_CHECKING:
    from datetime import tzinfo

    from bg_ingest.dynamo import Table

SK = "display"
UNITS = ("mg/dL", "mmol/L")
_ZONE_NAME_MAX = 40

DisplayUnit = Literal["mg/dL", "mmol/L"]


@dataclass(frozen=True, slots=True)
class DisplaySettings:
    """The unit, and the name of the zone; without a name the zone is that of the sensor's clock."""

    unit: DisplayUnit = "mg/dL"
    zone: str | None = None


@dataclass(frozen=True, slots=True)
class DisplayStore:
    """The display items, in the users table."""

    table: Table

    def get(self, user_id: str) -> DisplaySettings:
        """A person's choice, or the default."""
        item = self.table.get(user_id, SK) or {}
        unit = item.get("unit")
        return DisplaySettings("mmol/L" if unit == "mmol/L" else "mg/dL", item.get("zone"))

    def save(self, user_id: str, settings: DisplaySettings) -> None:
        """Store a choice."""
        self.table.put({"pk": user_id, "sk": SK, "unit": settings.unit, "zone": settings.zone})


def zone_named(name: str | None) -> tzinfo | None:
    """The zone of this name in the IANA database; None if it has no zone of this name."""
    if not name or len(name) > _ZONE_NAME_MAX:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
