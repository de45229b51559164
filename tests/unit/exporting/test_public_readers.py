"""Public tools read an export alike, and compute from it what this service answers."""

# The tools run in an environment of their own, which `make exports` installs: they have a gigabyte together.

from __future__ import annotations

import json
import random
import subprocess
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from bg_ingest.clock import HOUR
from bg_ingest.exporting.tables.export_table import reading_table
from bg_ingest.exporting.tables.parquet_file import parquet_bytes
from bg_ingest.exporting.tables.text_files import csv_text
from bg_ingest.exporting.tables.tool_columns import for_tool
from bg_ingest.readings.model import Device, Reading
from bg_ingest.readings.stored.stored_reading import StoredReading, to_columns
from bg_ingest.statistics.as_json import statistics_json
from bg_ingest.statistics.from_columns import series_of_hours
from bg_ingest.statistics.summary import statistics
from local.paths import CHECKOUT
from tests.unit.statistics.made_up import LONG_AFTER

if TYPE_CHECKING:
    from pathlib import Path

PYTHON = CHECKOUT / ".venv-exports" / "bin" / "python"
FIRST, LAST = date(2026, 3, 26), date(2026, 4, 8)
START = datetime(2026, 3, 26, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

pytestmark = pytest.mark.skipif(not PYTHON.exists(), reason="`make exports` installs the tools")


def _hours() -> list[Any]:
    hours = []
    for number in range(14 * 24):
        start = START + number * HOUR
        stored = [
            StoredReading(
                Reading(
                    start + (n * 5 + n % 2) * MINUTE,
                    39 if number % 50 == 7 else 80 + (number * 13 + n * 7) % 150,
                    trend="flat",
                    trend_rate=None if n == 3 else (n - 6) / 10,
                    status="low" if number % 50 == 7 else None,
                    local_offset_minutes=0,
                    device=Device("g7", "iOS", "G7"),
                ),
                start + HOUR,
                revision=n % 2,
            )
            for n in range(12)
            if (number + n) % 9
        ]
        hours.append(to_columns(start, stored))
    return hours


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the tools find in one export."""
    folder: Path = tmp_path_factory.mktemp("export")
    table = reading_table("demo", "dexcom", _hours())
    (folder / "readings.parquet").write_bytes(parquet_bytes(table, {}))
    (folder / "iglu.parquet").write_bytes(parquet_bytes(for_tool(table, "iglu"), {}))
    (folder / "cgm-format.csv").write_bytes(csv_text(for_tool(table, "cgm-format")).encode())
    script = CHECKOUT / "tests/unit/exporting/read_with_tools.py"
    done = subprocess.run(  # noqa: S603 - a script of this project.
        [PYTHON, script, folder], capture_output=True, text=True, check=False, cwd=folder
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def test_every_library_reads_the_same_rows(found: dict[str, Any]) -> None:
    """Pandas, polars, pyarrow, DuckDB and datasets return equal instants, numbers and texts."""
    named = reading_table("demo", "dexcom", _hours()).named()
    wanted = [
        list(row)
        for row in zip(
            named["time"],
            named["local_time"],
            named["glucose_mg_dl"],
            named["trend_rate"],
            named["revision"],
            named["status"],
            strict=True,
        )
    ]
    for library, rows in found["values"].items():
        rates = [[*row[:3], None if row[3] != row[3] else row[3], *row[4:]] for row in rows]
        assert rates == wanted, library
    assert set(found["values"]) == {"pandas", "polars", "pyarrow", "duckdb", "datasets"}


def test_the_example_shows_what_known_at_prevents(tmp_path: Path) -> None:
    """With late readings, the naive forecast promises more than it keeps, and `known_at` keeps more."""
    chance, value, slope, hours = random.Random(1), 150.0, 0.0, []  # noqa: S311 - the same series every time.
    for number in range(10 * 24):
        stored = []
        for n in range(12):
            slope = 0.9 * slope + chance.gauss(0, 1.5)
            value = min(max(value + slope - (value - 150) * 0.02, 40), 400)
            at = START + number * HOUR + n * 5 * MINUTE
            late = (60 if number % 5 == 0 else 1) + chance.choice([0, 5])
            stored.append(StoredReading(Reading(at, round(value)), at + late * MINUTE))
        hours.append(to_columns(START + number * HOUR, stored))
    file = tmp_path / "readings.parquet"
    file.write_bytes(parquet_bytes(reading_table("demo", None, hours), {}))
    done = subprocess.run(  # noqa: S603 - a script of this project.
        [PYTHON, CHECKOUT / "examples" / "forecast.py", file], capture_output=True, text=True, check=False
    )
    shown = dict(line.removesuffix(" mg/dL").rsplit(": ", 1) for line in done.stdout.splitlines())

    assert done.returncode == 0, done.stderr[-2_000:]
    promised, kept = float(shown["promised by the naive way"]), float(shown["kept by the naive way"])
    assert promised * 1.3 < kept
    assert float(shown["kept with known_at"]) < kept


def test_times_and_numbers_have_their_types(found: dict[str, Any]) -> None:
    """A program needs no conversion: instants have a zone, local times have none."""
    types = found["types"]

    assert types["time"] == types["known_at"] == "datetime64[us, UTC]"
    assert types["local_time"] == "datetime64[us]"
    assert types["glucose_mg_dl"] == "int16"
    assert types["trend_rate"] == "float64"


def test_other_tools_compute_our_figures(found: dict[str, Any]) -> None:
    """The figures of iglu-python and of cgm_format's table are those of the statistics."""
    series = series_of_hours(_hours())
    figures = statistics_json(statistics(series, FIRST, LAST, LONG_AFTER), as_of=None, version="1")

    for name, value in found["iglu"].items():
        assert value == pytest.approx(figures[name], rel=1e-9), name
    assert found["cgm-format"]["readings"] == figures["readings"]
    for name in ("mean_mg_dl", "sd_mg_dl"):
        assert found["cgm-format"][name] == pytest.approx(figures[name], rel=1e-9), name
