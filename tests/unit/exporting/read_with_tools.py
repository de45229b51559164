"""Reads exported files with public tools, and prints what they find; runs in the environment of the tools."""

# It uses no module of this project, because that environment has none of its dependencies.

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(sys.argv[1])


def pandas_types() -> dict[str, str]:
    """Types of pandas, by column."""
    import pandas

    frame = pandas.read_parquet(FOLDER / "readings.parquet")
    return {name: str(kind) for name, kind in frame.dtypes.items()}


def values_of_each() -> dict[str, list[Any]]:
    """Rows as each library returns them: instants in seconds since 1970."""
    import datasets
    import duckdb
    import pandas
    import polars
    from pyarrow import parquet

    path = str(FOLDER / "readings.parquet")
    frames = {
        "pandas": pandas.read_parquet(path),
        "polars": polars.read_parquet(path).to_pandas(),
        "pyarrow": parquet.read_table(path).to_pandas(),
        "duckdb": duckdb.sql(f"SET TimeZone = 'UTC'; SELECT * FROM '{path}' ORDER BY time").df(),
        "datasets": datasets.load_dataset(
            "parquet", data_files=path, split="train", cache_dir=str(FOLDER / "cache")
        ).to_pandas(),
    }
    found = {}
    for name, frame in frames.items():
        seconds = frame["time"].astype("datetime64[us, UTC]").astype("int64") // 1_000_000
        local = frame["local_time"].astype("datetime64[us]").astype("int64") // 1_000_000
        columns = [seconds, local, frame["glucose_mg_dl"], frame["trend_rate"], frame["revision"]]
        plain = frame["status"].astype(object)
        status = plain.where(plain.notna(), None)
        found[name] = [
            list(row) for row in zip(*(column.tolist() for column in (*columns, status)), strict=True)
        ]
    return found


def iglu_figures() -> dict[str, float]:
    """Figures of iglu-python from `columns=iglu`."""
    import iglu_python
    import pandas

    frame = pandas.read_parquet(FOLDER / "iglu.parquet")
    return {
        "mean_mg_dl": float(iglu_python.mean_glu(frame)["mean"].iloc[0]),
        "cv_percent": float(iglu_python.cv_glu(frame)["CV"].iloc[0]),
        "gmi_percent": float(iglu_python.gmi(frame)["GMI"].iloc[0]),
        "median_mg_dl": float(iglu_python.median_glu(frame)["median"].iloc[0]),
    }


def cgm_format_figures() -> dict[str, float]:
    """Figures of what cgm_format parses from the CSV of `columns=cgm-format`."""
    from cgm_format import FormatParser

    frame = FormatParser.parse_file(str(FOLDER / "cgm-format.csv"))
    glucose = frame["glucose"]
    return {
        "readings": float(frame.height),
        "mean_mg_dl": float(glucose.mean()),
        "sd_mg_dl": float(glucose.std()),
    }


os.environ["HF_DATASETS_OFFLINE"] = "1"
print(
    json.dumps(
        {
            "types": pandas_types(),
            "values": values_of_each(),
            "iglu": iglu_figures(),
            "cgm-format": cgm_format_figures(),
        }
    )
)
