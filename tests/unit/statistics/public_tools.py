"""
Figures of two public tools, iglu-python and py-agata, for series that are read from standard input.

It runs in the tools' own environment, so it does not import this project. Neither tool is distributed with
it: both are under the GPL.
"""

from __future__ import annotations

import contextlib
import json
import sys
from typing import Any

import iglu_python as iglu
import numpy as np
import pandas as pd
from iglu_python.utils import set_iglu_r_compatible
from py_agata import inspection, risk, time_in_ranges, variability

SLOT_S = 300
AGATA_READINGS_MAX = 600
IGLU_EPISODES = {
    "below_70": ("hypo", "lv1"),
    "below_54": ("hypo", "lv2"),
    "above_180": ("hyper", "lv1"),
    "above_250": ("hyper", "lv2"),
}


def iglu_of_values(values: Any) -> dict[str, Any]:
    """What iglu says about values whose time does not matter."""
    return {
        "mean_mg_dl": iglu.mean_glu(values),
        "sd_mg_dl": iglu.sd_glu(values),
        "cv_percent": iglu.cv_glu(values),
        "median_mg_dl": iglu.median_glu(values),
        "iqr_mg_dl": iglu.iqr_glu(values),
        "gmi_percent": iglu.gmi(values),
        "j_index": iglu.j_index(values),
        "lbgi": iglu.lbgi(values),
        "hbgi": iglu.hbgi(values),
        "gri": iglu.gri(values),
        **iglu.below_percent(values, [54, 70]),
        **iglu.above_percent(values, [180, 250]),
        **iglu.in_range_percent(values, [[70, 180], [70, 140], [63, 140]]),
    }


def iglu_of_times(timed: Any) -> dict[str, Any]:
    """What iglu says about values at instants; it interpolates between them."""
    frame = pd.DataFrame({"id": "person", "time": timed.index, "gl": timed.to_numpy()})
    table = iglu.episode_calculation(frame).set_index(["type", "level"])
    return {
        "adrr": iglu.adrr(timed.copy()),
        "modd_mg_dl": iglu.modd(timed.copy()),
        "conga_mg_dl": {f"{hours}h": iglu.conga(frame, n=hours).CONGA[0] for hours in (1, 2, 4, 24)},
        "active_percent": iglu.active_percent(timed.copy(), tz="UTC")["active_percent"],
        "episodes": {
            name: {
                "count": table.total_episodes[key],
                "mean_minutes": table.avg_ep_duration[key] if table.total_episodes[key] else None,
            }
            for name, key in IGLU_EPISODES.items()
        },
    }


def on_grid(series: dict[str, list[int]]) -> Any:
    """A value for each slot from the first reading to the last, not-a-number where there is no reading."""
    slots = [round(second / SLOT_S) for second in series["unix_s"]]
    values = dict(zip(reversed(slots), reversed(series["mg_dl"]), strict=True))
    every = range(slots[0], slots[-1] + 1)
    return pd.DataFrame(
        {
            "t": pd.to_datetime([slot * SLOT_S for slot in every], unit="s"),
            "glucose": [float(values.get(slot, np.nan)) for slot in every],
        }
    )


def agata(series: dict[str, list[int]]) -> dict[str, Any]:
    """What agata says about values on a grid."""
    grid = on_grid(series)
    return {
        "mean_mg_dl": variability.mean_glucose(grid),
        "sd_mg_dl": variability.std_glucose(grid),
        "cv_percent": variability.cv_glucose(grid),
        "median_mg_dl": variability.median_glucose(grid),
        "iqr_mg_dl": variability.iqr_glucose(grid),
        "gmi_percent": variability.gmi(grid),
        "j_index": variability.j_index(grid),
        "lbgi": risk.lbgi(grid),
        "hbgi": risk.hbgi(grid),
        "adrr": risk.adrr(grid),
        "modd_mg_dl": variability.modd(grid),
        "conga_mg_dl": {"4h": variability.conga(grid)},
        "gri": risk.gri(grid),
        "bands": {
            "very_low": time_in_ranges.time_in_l2_hypoglycemia(grid),
            "low": time_in_ranges.time_in_l1_hypoglycemia(grid),
            "target": time_in_ranges.time_in_target(grid),
            "high": time_in_ranges.time_in_l1_hyperglycemia(grid),
            "very_high": time_in_ranges.time_in_l2_hyperglycemia(grid),
        },
        "tight_70_140_percent": time_in_ranges.time_in_tight_target(grid),
        "pregnancy_63_140_percent": time_in_ranges.time_in_target(grid, "pregnancy"),
        "episodes": {
            "below_70": _agata_episodes(inspection.find_hypoglycemic_events(grid, 70.0)),
            "below_54": _agata_episodes(inspection.find_hypoglycemic_events(grid, 54.0)),
            "above_180": _agata_episodes(inspection.find_hyperglycemic_events(grid, 180.0)),
            "above_250": _agata_episodes(inspection.find_hyperglycemic_events(grid, 250.0)),
        },
    }


def _agata_episodes(found: dict[str, Any]) -> dict[str, Any]:
    minutes = list(found["duration"])
    return {"count": len(minutes), "mean_minutes": sum(minutes) / len(minutes) if minutes else None}


def both(series: dict[str, list[int]]) -> dict[str, Any]:
    """The figures of both tools; of a long series those of iglu, as agata's time grows with the square."""
    values = pd.Series(series["mg_dl"], dtype=float)
    if not series["mg_dl"]:
        shares = {**iglu.below_percent(values, [54, 70]), **iglu.in_range_percent(values, [[70, 180]])}
        return {"iglu": shares, "iglu_like_r": None, "agata": None}
    timed = pd.Series(values.to_numpy(), index=pd.to_datetime(series["unix_s"], unit="s"))
    set_iglu_r_compatible(True)
    like_r = iglu.modd(timed.copy())
    set_iglu_r_compatible(False)  # Otherwise it leaves out the midnight that a series begins at.
    return {
        "iglu": iglu_of_values(values) | iglu_of_times(timed),
        "iglu_like_r": {"modd_mg_dl": like_r},
        "agata": agata(series) if len(values) <= AGATA_READINGS_MAX else None,
    }


def _plain(number: Any) -> Any:
    return number.item()  # NumPy's numbers as Python's.


if __name__ == "__main__":
    with contextlib.redirect_stdout(sys.stderr):  # The tools print warnings.
        answers = [both(each) for each in json.load(sys.stdin)]
    json.dump(answers, sys.stdout, default=_plain)
