"""Jobs in sentences, the failed ones first."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from bg_ingest.facades.page.markup import element, folded, joined
from bg_ingest.facades.page.wording import counted, grouped, in_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from markupsafe import Markup

    from bg_ingest.facades.page.wording import Wording

_UNFOLDED = 8  # Jobs that are shown at once.
_KINDS = {"incremental": "Sync", "backfill": "History", "reconcile": "Daily comparison"}
_TRIGGERS = {
    "schedule": "by the schedule",
    "api": "by request",
    "connection": "after the login",
    "webhook": "by a message of the provider",
}


def jobs_in_words(jobs: Sequence[Mapping[str, Any]], wording: Wording) -> Markup:
    """The list; `jobs` are what the API answers, newest first."""
    if not jobs:
        return element("p", "No sync has run in the last thirty days.", class_="muted")
    ordered = sorted(jobs, key=lambda job: job["status"] != "failed")
    first, rest = ordered[:_UNFOLDED], ordered[_UNFOLDED:]
    more = folded(f"{counted(len(rest), 'more job')}", _lines(rest, wording)) if rest else None
    return joined(_lines(first, wording), more)


def _lines(jobs: Sequence[Mapping[str, Any]], wording: Wording) -> Markup:
    return element(
        "ul",
        [
            element("li", job_in_words(job, wording), class_="failed" if job["status"] == "failed" else None)
            for job in jobs
        ],
        class_="lines",
    )


def job_in_words(job: Mapping[str, Any], wording: Wording) -> str:
    """One job."""
    at = job["finished_at"] or job["started_at"]
    when = f", {wording.clock(datetime.fromisoformat(at))}" if at else ""
    name = (
        f"{_KINDS.get(job['kind'], in_words(job['kind']).capitalize())} {_TRIGGERS.get(job['trigger'], '')}"
    )
    return f"{name.strip()}{when}: {_outcome(job)}."


def _outcome(job: Mapping[str, Any]) -> str:
    error = job["error"]
    match job["status"]:
        case "queued":
            return "waiting for its turn"
        case "running":
            return "running now"
        case "deferred":
            return f"put back ({in_words(error['type'])}), and retried" if error else "put back, and retried"
        case "failed":
            attempts = counted(error["attempts"], "attempt") if error else "its attempts"
            return f"failed after {attempts}: {in_words(error['type'])}" if error else "failed"
    return _counts(job["counts"])


def _counts(counts: Mapping[str, int]) -> str:
    if not counts["fetched"]:
        return "nothing new"
    parts = [
        f"{grouped(counts[name])} {word}"
        for name, word in (("stored", "new"), ("revised", "corrected"), ("invalid", "unreadable"))
        if counts[name]
    ]
    return f"{' and '.join(parts) or 'nothing new'} of {counted(counts['fetched'], 'record')}"
