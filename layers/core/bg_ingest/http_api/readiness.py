"""Whether the parts are there that the service cannot do without."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from bg_ingest import telemetry

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bg_ingest.dynamo import Table


def failing(tables: Iterable[tuple[str, Table]]) -> str | None:
    """The name of the first that does not work; None when all do."""
    return next((name for name, table in tables if not _works(table)), None)


def _works(table: Table) -> bool:
    try:
        return table.is_active()
    except Exception as error:  # noqa: BLE001 - whatever keeps it from working is the answer.
        telemetry.log("not ready", level=logging.ERROR, raised=error)
        return False
