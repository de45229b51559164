"""Texts of the OpenAPI document that belong to no single route."""

from __future__ import annotations

from typing import Any

from bg_ingest.access.caller import READ_SCOPE, WRITE_SCOPE
from bg_ingest.http_api import description
from bg_ingest.http_api.requests.parsing import RANGE_MAX
from bg_ingest.problems import CONTENT_TYPE
from tools.interface.errors import every_kind

EXAMPLE_JOB_ID = "019b0c2f5d4e0123456789abcdef"
_EXAMPLES = {"userId": "demo", "jobId": EXAMPLE_JOB_ID, "grantId": EXAMPLE_JOB_ID, "exportId": EXAMPLE_JOB_ID}

ABOUT = f"""\
Times are RFC 3339 in UTC with `Z`. Names in JSON are snake_case. Glucose is in mg/dL.

**Try it out.** Press *Authorize* and paste a token, of a user as `person` or of a service as `service`. \
Then open a route and press *Try it out*. docs/api.md says how to get a token.

**Authentication.** Send `Authorization: Bearer <JWT>`. The gateway checks the token, and responds 401 \
itself if it is missing or not valid. The token of a user opens the data of this user. The token of a \
service needs the scope `{READ_SCOPE}` to read any user's data, and `{WRITE_SCOPE}` to act for any user. \
Without the scope the response is 403, whether the user exists or not. Health, this document and the login \
callback need no token. A webhook carries its own signature or token.

**Errors** are problem documents (RFC 9457, `{CONTENT_TYPE}`). `type` is the kind of problem and never \
changes; its last part is listed below. `detail` says what to do next. `instance` is the correlation id. \
A problem document never repeats a value from the request.

**Correlation.** Every response of the service carries `X-Correlation-ID`: the caller's own id if the \
request had one, else the trace id of its `traceparent`, else a new id. The log and the job that the request \
started have the same id. Responses of the gateway itself (401, and 429 for all callers together) have none.

**Media types.** Responses are JSON. The readings of a range are also available as `text/csv` or \
`application/x-ndjson`, as `Accept` says, in the same order and pages. A request body is read as JSON, \
regardless of its `Content-Type`.

**Pages.** If a list has a next page, then the response has a header `Link: <…>; rel="next"` (RFC 8288). \
Follow this URL unchanged: its cursor stays valid while new data arrives.

**Caching.** Responses with readings have an `ETag`. Send it back in `If-None-Match`: the response is 304 \
while nothing has changed. Only the caller's own client may store readings, and it must revalidate them \
before each use. No other data of a user may be stored by a cache.

**Limits.** A range has at most {RANGE_MAX.days} days, and a page at most 1,000 readings or 200 jobs. All \
callers together may send 1,000 requests a second, in bursts of 2,000; beyond that the gateway responds 429.

<details><summary>Kinds of problems</summary>

| status | last part of `type` | title |
|---|---|---|
{chr(10).join(f"| {kind.status} | `{kind.slug}` | {kind.title} |" for kind in every_kind())}

</details>
"""

TAGS = {
    description.READINGS: "The stored glucose readings of a user.",
    description.STATISTICS: "Figures of a user's glucose over local days, and the glucose profile.",
    description.GRANTS: "Read access that a user gives to an app or to another person.",
    description.SHARED: "The data that a grant opens, for the app or person that has its token.",
    description.EXPORT: "Readings as files, at once or in the background, and the list of users.",
    description.SYNCING: "Fetching from the provider: start a sync, and follow its state and jobs.",
    description.CONNECTING: "A user's consent at the provider: start a login, show the connection, end it.",
    description.PRIVACY: "The audit log, and the right to erasure.",
    description.SERVICE: "These routes need no token.",
}

TOKENS = {
    "person": "The token of a user. It opens this user's own data.",
    "service": "The token of a service. Its scopes open every user's data.",
    "grant": "The token of a grant. It opens what the grant names.",
}

REQUEST_HEADERS = {
    "If-None-Match": "The ETag of the response that the caller has; 304 if it still holds",
    "Webhook-Id": "The sender's id of this webhook; a repetition with the same id has no effect",
    "Webhook-Timestamp": "Time of sending, in seconds of the Unix epoch; at most five minutes off",
    "Webhook-Signature": "Standard Webhooks 1.0: `v1,` and the HMAC-SHA256 in base64; or send a token",
    description.CORRELATION_ID: "The caller's id of this request: up to 128 letters, digits and `._:/=+-`",
}


def with_examples(path: str) -> str:
    """Return a path with an example in place of each parameter."""
    for name, example in _EXAMPLES.items():
        path = path.replace(f"{{{name}}}", example)
    return path


def _header(text: str, example: str) -> dict[str, Any]:
    return {"description": text, "schema": {"type": "string"}, "example": example}


RESPONSE_HEADERS = {
    description.CORRELATION_ID: _header("The id of this request", "0f0e7c9c-5b0f-4d3b-9f5e-2f8f0c1d2e3a"),
    "Cache-Control": _header("Which caches may store the response, and for how long", "private, no-cache"),
    "BG-Removed": _header("With `as_of`: readings that were there and have expired since", "12"),
    "Content-Disposition": _header("The name of the file", 'attachment; filename="…"'),
    "ETag": _header("Identifies this version of the response", '"5d41402abc4b2a76b9719d911017c592"'),
    "Link": _header("The URL of the next page, if there is one", '<https://…?cursor=…>; rel="next"'),
    "Location": _header("The URL of the job, or of the page to go to", f"https://…/jobs/{EXAMPLE_JOB_ID}"),
    "RateLimit": _header("What is left of the caller's limit", '"sync";r=29;t=60'),
    "RateLimit-Policy": _header("The caller's limit", '"sync";q=30;w=60'),
    "Retry-After": _header("Seconds to wait before a retry", "30"),
}
