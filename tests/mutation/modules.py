"""The mutated modules and their tests, the fastest test first."""

# A module, and every module that it consists of: merging is spread over four files.
# A further module is one more line here; its tests use no fixture of a conftest.py (trial.py).

from __future__ import annotations

from pathlib import Path

_LAYER = Path(__file__).parents[2] / "layers" / "core"
_READINGS, _SYNC = "tests/unit/readings", "tests/unit/sync"
_PROVIDERS = "tests/unit/providers"
_HTTP, _DEXCOM = f"{_PROVIDERS}/http", f"{_PROVIDERS}/dexcom"
_MERGING = tuple(
    f"{_READINGS}/merging/test_{name}.py"
    for name in (
        "hour",
        "revisions",
        "deletion",
        "identity",
        "relayed",
        "reading_index",
        "hour_properties",
    )
)
_PUBLISHING = tuple(f"tests/unit/publishing/test_{name}.py" for name in ("events", "republish"))
_RECORDS = tuple(f"{_DEXCOM}/test_{name}.py" for name in ("responses", "glucose", "times"))
_STATISTICS = "tests/unit/statistics"
_SUMMARY = f"{_STATISTICS}/test_summary.py"

MODULES: dict[str, tuple[str, ...]] = {
    "bg_ingest.readings.merging.hour": _MERGING,
    "bg_ingest.readings.merging.revisions": _MERGING,
    "bg_ingest.readings.merging.identity": _MERGING,
    "bg_ingest.readings.merging.reading_index": _MERGING,
    "bg_ingest.readings.stored.stored_reading": (
        f"{_READINGS}/test_stored_reading.py",
        f"{_READINGS}/test_columns.py",
        f"{_READINGS}/test_as_of.py",
        *_MERGING,
        *_PUBLISHING,
    ),
    "bg_ingest.readings.gaps": (f"{_READINGS}/test_gaps.py", f"{_READINGS}/test_completeness.py"),
    "bg_ingest.readings.completeness": (f"{_READINGS}/test_completeness.py",),
    "bg_ingest.readings.cursor": (f"{_READINGS}/test_cursor.py",),
    "bg_ingest.sync.windows": (f"{_SYNC}/test_windows.py",),
    "bg_ingest.sync.dispatching.poll_slots": (f"{_SYNC}/test_poll_slots.py",),
    "bg_ingest.sync.worker": (f"{_SYNC}/test_worker.py",),
    "bg_ingest.providers.http.policy": (f"{_HTTP}/test_policy.py",),
    "bg_ingest.providers.http.admission": (f"{_HTTP}/test_admission.py", f"{_HTTP}/test_rate_limiter.py"),
    "bg_ingest.providers.http.circuit": tuple(
        f"{_HTTP}/test_{name}.py" for name in ("circuit", "circuit_accounts", "admission")
    ),
    "bg_ingest.providers.dexcom.responses": _RECORDS,
    "bg_ingest.providers.dexcom.client": (f"{_DEXCOM}/test_client.py", f"{_DEXCOM}/test_times.py"),
    "bg_ingest.providers.nightscout.entry_parser": (f"{_PROVIDERS}/nightscout/test_entry_parser.py",),
    "bg_ingest.providers.nightscout.site_address": (f"{_PROVIDERS}/nightscout/test_site_address.py",),
    "bg_ingest.providers.http.send": (f"{_HTTP}/test_send.py",),
    "bg_ingest.access.caller": ("tests/unit/access/test_caller.py",),
    "bg_ingest.publishing.republish": _PUBLISHING,
    "bg_ingest.publishing.events": _PUBLISHING,
    "bg_ingest.publishing.account_events": ("tests/unit/publishing/test_account_events.py",),
    "bg_ingest.statistics.bands": (f"{_STATISTICS}/test_bands.py", _SUMMARY),
    "bg_ingest.statistics.days": (f"{_STATISTICS}/test_days.py", _SUMMARY),
    "bg_ingest.statistics.distribution": (f"{_STATISTICS}/test_distribution.py", _SUMMARY),
    "bg_ingest.statistics.episodes": (f"{_STATISTICS}/test_episodes.py", _SUMMARY),
    "bg_ingest.statistics.lags": (f"{_STATISTICS}/test_lags.py", _SUMMARY),
    "bg_ingest.statistics.risk": (f"{_STATISTICS}/test_risk.py", _SUMMARY),
    "bg_ingest.statistics.profile": (f"{_STATISTICS}/test_profile.py",),
    "bg_ingest.statistics.series": (f"{_STATISTICS}/test_days.py", _SUMMARY),
    "bg_ingest.statistics.summary": (_SUMMARY,),
    "bg_ingest.statistics.as_json": (f"{_STATISTICS}/test_as_json.py", _SUMMARY),
    "bg_ingest.webhooks.authentication": ("tests/unit/webhooks/test_authentication.py",),
    "bg_ingest.sync.orders.queue": (f"{_SYNC}/test_queue.py", f"{_SYNC}/test_worker.py"),
}


def source_of(module: str) -> str:
    """Return the source of a module."""
    return _LAYER.joinpath(*module.split(".")).with_suffix(".py").read_text(encoding="utf-8")
