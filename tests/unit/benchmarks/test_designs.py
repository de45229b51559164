"""Both designs of the benchmark do their work; the figures themselves need DynamoDB Local."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from benchmarks import cost, reading
from benchmarks.tables import PLAIN, READINGS, Tables
from bg_ingest.dynamo import Table
from tests.support.memory_dynamo import MemoryDynamo

if TYPE_CHECKING:
    from benchmarks.metering import Meter


class NoMeter:
    """Counts nothing, since memory has no units."""

    calls = 0

    def reset(self) -> None:
        """Begin again."""

    def read(self, _: str) -> float:
        """Return the read units of a table."""
        return 0

    def written(self, _: str) -> float:
        """Return the write units of a table."""
        return 0


@pytest.fixture(scope="module")
def tables() -> Tables:
    """Empty tables in memory, without a meter."""
    client = MemoryDynamo.client()
    readings, users, intake, plain = (Table(client, name) for name in (READINGS, "users", "intake", PLAIN))
    return Tables("", readings, users, intake, plain, cast("Meter", NoMeter()))


def test_both_designs_answer_after_a_day_of_polls(tables: Tables) -> None:
    """Each request of the report is answered by both; a request that fails ends the benchmark."""
    cost.polled_day(tables)
    cost.backfill(tables, 2)

    asked = [*reading.fortnight(tables, 1), *reading.figures(tables, 1), *reading.requests(tables, 1)]
    assert all(line.value >= 0 for line in asked)
    kept = {
        name: list(table.query("pk = :user", {":user": f"polled-{name}"}))
        for name, table in ((READINGS, tables.readings), (PLAIN, tables.plain))
    }
    assert len(kept[PLAIN]) == 2 * 288
    assert len(kept[READINGS]) == 48
