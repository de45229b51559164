"""
Trains a 30-minute glucose forecast twice, naively and with `known_at`, and shows the difference.

    python examples/forecast.py readings.parquet

The file is an export of readings (docs/export.md). It needs pandas, pyarrow and numpy.

A late reading is in the file with the time at which it was measured. The naive way uses it as if it had been
there at that time. In use it is not there yet, so the naive score promises more than the model keeps.
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd

STEP = pd.Timedelta(minutes=5)
LAGS, AHEAD = 6, 6  # Half an hour of features, half an hour ahead.


def features(readings: pd.DataFrame, moments: pd.DatetimeIndex, *, known_only: bool) -> np.ndarray:
    """The last readings before each moment, newest first, with their ages in minutes."""
    times = readings["time"].to_numpy()
    known = readings["known_at"].to_numpy()
    values = readings["glucose_mg_dl"].to_numpy(dtype=float)
    rows = np.full((len(moments), 2 * LAGS), np.nan)
    for row, moment in enumerate(moments.to_numpy()):
        place = np.searchsorted(times, moment, side="right")
        recent = np.arange(max(place - 6 * LAGS, 0), place)[::-1]
        if known_only:
            recent = recent[known[recent] <= moment]  # What was known at that moment, and nothing else.
        recent = recent[:LAGS]
        rows[row, : len(recent)] = values[recent]
        rows[row, LAGS : LAGS + len(recent)] = (moment - times[recent]) / np.timedelta64(1, "m")
    return rows


def targets(readings: pd.DataFrame, moments: pd.DatetimeIndex) -> np.ndarray:
    """The glucose half an hour later; NaN if it was not measured within five minutes of that."""
    series = readings.set_index("time")["glucose_mg_dl"].astype(float)
    wanted = moments + AHEAD * STEP
    return series.reindex(wanted, method="nearest", tolerance=STEP).to_numpy()


def fitted(inputs: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The weights of a linear model, by least squares with a little ridge."""
    design = np.column_stack([inputs, np.ones(len(inputs))])
    return np.linalg.solve(design.T @ design + 1e-3 * np.eye(design.shape[1]), design.T @ wanted)


def error(inputs: np.ndarray, wanted: np.ndarray, weights: np.ndarray) -> float:
    """The root mean square error, in mg/dL."""
    guessed = np.column_stack([inputs, np.ones(len(inputs))]) @ weights
    return float(np.sqrt(np.mean((guessed - wanted) ** 2)))


def compare(readings: pd.DataFrame) -> dict[str, float]:
    """Train on the first two thirds, and test on the rest as in use: with the readings that were known."""
    readings = readings.drop_duplicates("time").sort_values("time")
    moments = pd.date_range(readings["time"].min() + pd.Timedelta(hours=3), readings["time"].max(), freq=STEP)
    moments = moments.astype(readings["time"].dtype)
    wanted = targets(readings, moments)
    naive = features(readings, moments, known_only=False)
    honest = features(readings, moments, known_only=True)
    complete = ~np.isnan(wanted) & ~np.isnan(naive).any(axis=1) & ~np.isnan(honest).any(axis=1)
    naive, honest, wanted = naive[complete], honest[complete], wanted[complete]
    cut = len(wanted) * 2 // 3
    by_naive, by_honest = fitted(naive[:cut], wanted[:cut]), fitted(honest[:cut], wanted[:cut])
    return {
        "promised by the naive way": error(naive[cut:], wanted[cut:], by_naive),
        "kept by the naive way": error(honest[cut:], wanted[cut:], by_naive),
        "kept with known_at": error(honest[cut:], wanted[cut:], by_honest),
    }


if __name__ == "__main__":
    for name, value in compare(pd.read_parquet(sys.argv[1])).items():
        print(f"{name}: {value:.1f} mg/dL")
