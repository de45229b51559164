"""A glucose reading of any provider, the table of its fields, and its units."""

# The table FIELDS drives these places, so a new field needs no change in them.
#
# - stored/format_1 and stored/writer: the column that holds the field, and the types of its values.
# - stored/stored_reading: the columns of the fields that are served.
# - facades/native/reading_text: the order of the served fields, and their names.
# - merging/identity: the fields in which another value makes a revision.
#
# Six fields have stored forms of their own, which format_1 describes. They have no `stored` name here.

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


Status = Literal["low", "high"]
Kind = Literal["cgm", "manual", "calibration"]
# One mmol/L of glucose is 18.01559 mg/dL. As an integer, so that rounding is exact.
_MG_DL_PER_100000_MMOL_L = 1_801_559
MG_DL_PER_MMOL_L = _MG_DL_PER_100000_MMOL_L / 100_000


@dataclass(frozen=True, slots=True)
class Device:
    """The devices behind a reading, spelled as the provider spells them."""

    generation: str | None = None
    display: str | None = None
    app: str | None = None
    transmitter: str | None = None  # A hash. The provider's own id never leaves its package.
    # The provider that passed the record on, if it is not the provider of the sensor. Callers do not see it.
    relay: str | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """
    One glucose value of one user at one instant.

    `at` is the provider's system time in UTC, in whole seconds. It identifies the reading within its user.
    `device.transmitter` and `transmitter_ticks` together identify the measurement across devices.

    A new field also needs a row in FIELDS, and a provider that sets it. If it is served, it is one of Columns
    too, and `http_api.answers.range_response.ReadingJson` describes it.
    """

    at: datetime
    mg_dl: int
    trend: str | None = None
    trend_rate: float | None = None  # mg/dL per minute
    status: Status | None = None  # The value was below ("low") or above ("high") what the sensor measures.
    kind: Kind = "cgm"
    record_id: str | None = None
    local_offset_minutes: int | None = None
    transmitter_ticks: int | None = None  # Seconds since the transmitter started.
    device: Device = Device()


Types = frozenset[type]

INTEGER: Types = frozenset({int})
INTEGER_OR_NONE: Types = frozenset({int, type(None)})
NUMBER_OR_NONE: Types = frozenset({int, float, type(None)})
TEXT: Types = frozenset({str})
TEXT_OR_NONE: Types = frozenset({str, type(None)})


@dataclass(frozen=True, slots=True)
class ReadingField:
    """One row of the table."""

    name: str  # The attribute of Reading; of StoredReading if `of_version`.
    served: str = ""  # The member in JSON and the column in CSV. Empty: callers do not see the field.
    stored: str = ""  # The column of the stored hour. Empty: stored in a form of its own.
    types: Types = TEXT_OR_NONE  # The types of its values. Of a field with a `table`, of the table's values.
    table: str = ""  # The table of the stored hour that holds each value once, if there is one.
    default: Any = None  # This value is not stored.
    is_content: bool = False  # Another value from the same source makes a revision.
    of_version: bool = False  # The field belongs to the stored version, not to what the provider sent.


# In the order of JSON and CSV. Content fields stay in their order, and a new one comes after them: the stored
# rows of earlier versions have this order.
FIELDS = (
    ReadingField("at", served="timestamp"),
    ReadingField("mg_dl", served="glucose_mg_dl", stored="mg_dl", types=INTEGER, is_content=True),
    ReadingField("trend", served="trend", stored="trend", types=TEXT, table="trends", is_content=True),
    ReadingField("trend_rate", served="trend_rate", stored="rate", types=NUMBER_OR_NONE, is_content=True),
    ReadingField("status", served="status", stored="status", is_content=True),
    ReadingField("kind", served="type", stored="kind", types=TEXT, default="cgm"),
    ReadingField(
        "local_offset_minutes",
        served="local_offset_minutes",
        stored="offset",
        types=INTEGER_OR_NONE,
        is_content=True,
    ),
    ReadingField("stored_at", served="stored_at", of_version=True),
    ReadingField("revision", served="revision", of_version=True),
    ReadingField("device", served="device"),
    ReadingField("record_id"),
    ReadingField("transmitter_ticks"),
)
STORED = tuple(field for field in FIELDS if field.stored)
SERVED = tuple(field for field in FIELDS if field.served)
CONTENT = tuple(field for field in FIELDS if field.is_content)

# The content of a Reading, in the order of CONTENT.
content_values = attrgetter(*(field.name for field in CONTENT))
# What callers see of a StoredReading, in the order of SERVED.
served_values = attrgetter(*(field.name if field.of_version else f"reading.{field.name}" for field in SERVED))


class Columns(NamedTuple):
    """The served fields of some readings of one hour. Each column has one entry per reading."""

    seconds: Sequence[int]  # `at`, as seconds after the start of the hour.
    mg_dl: Sequence[int]
    trend: Sequence[str | None]
    trend_rate: Sequence[float | None]
    status: Sequence[str | None]
    kind: Sequence[str]
    local_offset_minutes: Sequence[int | None]
    stored_at: Sequence[datetime]
    revision: Sequence[int]
    device: Sequence[Device]


def mmol_l(mg_dl: int) -> float:
    """The value in mmol/L with one decimal, rounded half up, as a meter in that unit shows it."""
    # Integers up to the last step: a float could fall to the wrong side of a half.
    halves = 2 * 10 * 100_000 * mg_dl + _MG_DL_PER_100000_MMOL_L
    return halves // (2 * _MG_DL_PER_100000_MMOL_L) / 10
