"""
What each route is for and what it answers, beside what its code says already.

It is not written at the routes themselves because every cold start would pay for it. Tests hold it to them:
there is an entry for every route, every answer of a fuzzed route is one of its entry's, and so is its scope.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bg_ingest import problems
from bg_ingest.access.caller import READ_SCOPE, WRITE_SCOPE
from bg_ingest.http_api.webhook_request import EgvsAvailable, EgvsCreated
from tools.interface import shapes

if TYPE_CHECKING:
    from pydantic import BaseModel

    from bg_ingest.problems import ProblemKind


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer that is no problem."""

    status: int
    description: str
    shape: type[BaseModel] | None = None
    listed: bool = False  # A JSON array of the shape.
    texts: tuple[str, ...] = ()  # Other media types than JSON.
    headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One route."""

    name: str
    tag: str
    summary: str
    answers: tuple[Answer, ...]
    scope: str | None = None  # What a service needs; without one the route is open to everybody.
    refusals: tuple[ProblemKind, ...] = ()
    asks_with: tuple[str, ...] = ()  # Request headers that change the answer.
    sends: tuple[type[BaseModel], ...] = ()  # One of these, where the code reads the body byte for byte.


READINGS, SYNCING, CONNECTING = "Readings", "Syncing", "Connecting"
PRIVACY, SERVICE = "Privacy", "The service itself"
_LIMITED = ("RateLimit", "RateLimit-Policy")
_UNCHANGED = Answer(304, "It is what the caller has already", headers=("ETag",))
_UNCHANGED_PAGE = Answer(304, "It is what the caller has already", headers=("ETag", "Link"))

ROUTES: dict[tuple[str, str], Entry] = {
    ("GET", "/api/bg/{userId}/latest"): Entry(
        "getLatestReading",
        READINGS,
        "The newest reading.",
        (Answer(200, "The newest reading", shapes.LatestReading, headers=("ETag",)), _UNCHANGED),
        READ_SCOPE,
        (problems.NO_READINGS,),
        ("If-None-Match",),
    ),
    ("GET", "/api/bg/{userId}"): Entry(
        "listReadings",
        READINGS,
        "The readings of a range that includes `from` and excludes `to`, page by page.",
        (
            Answer(
                200,
                "Readings; a Link header when there are more",
                shapes.Reading,
                listed=True,
                texts=("text/csv", "application/x-ndjson"),
                headers=("ETag", "Link"),
            ),
            _UNCHANGED_PAGE,
        ),
        READ_SCOPE,
        (problems.RANGE_TOO_LONG,),
        ("If-None-Match",),
    ),
    ("POST", "/api/bg/{userId}/sync"): Entry(
        "startSync",
        SYNCING,
        "Fetch from the provider now: what a poll would, or the range in the body.",
        (
            Answer(200, "The finished job", shapes.Job, headers=_LIMITED),
            Answer(
                202,
                "The job is queued, or goes on; Location shows it",
                shapes.Job,
                headers=("Location", *_LIMITED),
            ),
        ),
        WRITE_SCOPE,
        (
            problems.RANGE_TOO_LONG,
            problems.SYNC_RUNNING,
            problems.NOT_CONNECTED,
            problems.REAUTHORIZATION_NEEDED,
            problems.PROVIDER_UNAVAILABLE,
            problems.TOO_MANY_REQUESTS,
        ),
    ),
    ("GET", "/api/bg/{userId}/sync"): Entry(
        "getSyncState",
        SYNCING,
        "Where a user's syncing stands.",
        (Answer(200, "The state", shapes.SyncState),),
        READ_SCOPE,
    ),
    ("GET", "/api/bg/{userId}/sync/jobs"): Entry(
        "listJobs",
        SYNCING,
        "The jobs of the last thirty days, newest first, page by page.",
        (Answer(200, "Jobs; a Link header when there are more", shapes.Job, listed=True, headers=("Link",)),),
        READ_SCOPE,
    ),
    ("GET", "/api/bg/{userId}/sync/jobs/{jobId}"): Entry(
        "getJob",
        SYNCING,
        "One job.",
        (Answer(200, "The job", shapes.Job),),
        READ_SCOPE,
    ),
    ("POST", "/api/bg/{userId}/reconcile"): Entry(
        "reconcile",
        SYNCING,
        "Compare the last days with the provider's, and fetch what is missing.",
        (Answer(202, "The job is queued; Location shows it", shapes.Job, headers=("Location",)),),
        WRITE_SCOPE,
        (problems.NOT_CONNECTED, problems.REAUTHORIZATION_NEEDED),
    ),
    ("GET", "/api/bg/{userId}/completeness"): Entry(
        "getCompleteness",
        SYNCING,
        "How complete each day is, as the last reconciliation found it.",
        (Answer(200, "The days of the person's history", shapes.Completeness),),
        READ_SCOPE,
        (problems.RANGE_TOO_LONG,),
    ),
    ("PUT", "/api/bg/{userId}/settings"): Entry(
        "changeSettings",
        SYNCING,
        "Choose how often a person is polled; it takes effect at once.",
        (Answer(200, "The settings as they are now", shapes.Settings),),
        WRITE_SCOPE,
        (problems.NOT_CONNECTED,),
    ),
    ("GET", "/api/bg/{userId}/audit"): Entry(
        "listAudit",
        PRIVACY,
        "Who did what to a person's data: every write, and every read by somebody else; newest first.",
        (
            Answer(
                200,
                "Entries; a Link header when there are more",
                shapes.AuditEntry,
                listed=True,
                headers=("Link",),
            ),
        ),
        READ_SCOPE,
    ),
    ("DELETE", "/api/bg/{userId}"): Entry(
        "eraseUser",
        PRIVACY,
        "Remove everything stored about a person. It cannot be undone; repeating it is safe.",
        (
            Answer(200, "The receipt", shapes.Receipt),
            Answer(202, "There was more than fitted into one answer; it goes on", shapes.Receipt),
        ),
        WRITE_SCOPE,
    ),
    ("POST", "/api/bg/{userId}/connection"): Entry(
        "startConnection",
        CONNECTING,
        "Begin to connect a person: the address at which they log in, once.",
        (Answer(201, "A login was started", shapes.StartedLogin, headers=_LIMITED),),
        WRITE_SCOPE,
        (problems.TOO_MANY_REQUESTS,),
    ),
    ("GET", "/api/bg/{userId}/connection"): Entry(
        "getConnection",
        CONNECTING,
        "How a person's connection stands.",
        (Answer(200, "The connection", shapes.Connection),),
        READ_SCOPE,
    ),
    ("DELETE", "/api/bg/{userId}/connection"): Entry(
        "removeConnection",
        CONNECTING,
        "End the connection: tokens are gone, polling stops, readings stay.",
        (Answer(204, "There is no connection any more"),),
        WRITE_SCOPE,
    ),
    ("POST", "/api/bg/{userId}/webhook"): Entry(
        "receiveWebhook",
        SYNCING,
        "Take in a webhook: a range to fetch, or records. Its proof is a signature, or instead of"
        " `Webhook-Timestamp` and `Webhook-Signature` a token for this body as `Authorization: Bearer`.",
        (
            Answer(202, "It is queued", shapes.AcceptedWebhook, headers=_LIMITED),
            Answer(200, "It came before, and was queued then", shapes.DuplicateWebhook, headers=_LIMITED),
        ),
        refusals=(
            problems.SIGNATURE_INVALID,
            problems.USER_UNKNOWN,
            problems.NOT_FOUND,
            problems.BODY_TOO_LARGE,
            problems.RANGE_TOO_LONG,
            problems.TOO_MANY_REQUESTS,
        ),
        asks_with=("Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"),
        sends=(EgvsAvailable, EgvsCreated),
    ),
    ("GET", "/oauth/callback"): Entry(
        "finishLogin",
        CONNECTING,
        "Where the provider sends a person back to; the one-time state is the proof.",
        (
            Answer(200, "A page: connected, or the person said no", texts=("text/html",)),
            Answer(
                302, "On to the return address; `error` is in its query if it failed", headers=("Location",)
            ),
            Answer(400, "A page: the login is not valid, or no longer", texts=("text/html",)),
            Answer(502, "A page: the provider did not accept the login", texts=("text/html",)),
        ),
        refusals=(problems.STATE_INVALID,),
    ),
    ("GET", "/health"): Entry(
        "getHealth",
        SERVICE,
        "Whether the service answers.",
        (Answer(200, "It does", shapes.Health),),
    ),
    ("GET", "/ready"): Entry(
        "getReadiness",
        SERVICE,
        "Whether the service can work.",
        (Answer(200, "It can", shapes.Ready), Answer(503, "It cannot", shapes.NotReady)),
    ),
    ("GET", "/openapi.json"): Entry(
        "getDescription",
        SERVICE,
        "This interface as an OpenAPI 3.1 document.",
        (Answer(200, "The document", texts=("application/json",), headers=("ETag",)), _UNCHANGED),
        asks_with=("If-None-Match",),
    ),
    ("GET", "/docs"): Entry(
        "getDocs",
        SERVICE,
        "This interface as a page to read.",
        (Answer(200, "The page", texts=("text/html",), headers=("ETag",)), _UNCHANGED),
        asks_with=("If-None-Match",),
    ),
}
