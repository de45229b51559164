"""The words of the description that belong to no single route."""

from __future__ import annotations

from typing import Any

from bg_ingest.access.caller import READ_SCOPE, WRITE_SCOPE
from bg_ingest.http_api.params import RANGE_MAX
from bg_ingest.problems import CONTENT_TYPE

# Paragraphs, with `code`; the page shows them as they stand here.
ABOUT = f"""\
Times are RFC 3339 in UTC with `Z`, names in JSON are snake_case, glucose is in mg/dL.

**Who may ask.** Send `Authorization: Bearer <JWT>`; the gateway checks it, and answers 401 itself if it \
is missing or not valid. A person's token opens their own data. A service's token needs the scope \
`{READ_SCOPE}` to read anybody's data and `{WRITE_SCOPE}` to act for anybody; a token issued without the \
scope a request needs gets 403, whether the user exists or not. Health, this description and the login \
callback are open; a webhook carries its own proof.

**Errors** are problem documents (RFC 9457, `{CONTENT_TYPE}`). Their `type` says which kind of problem \
it is and never changes; `instance` is the correlation id of the request. Nothing of what was sent is \
repeated in them.

**Correlation.** Every answer but the gateway's own (401, and 429 for all callers together) carries \
`X-Correlation-ID`: the caller's own if the request \
had one, else the trace id of its `traceparent`, else a new one. The same id is in the log and in the \
job that the request started.

**Forms.** Answers are JSON. The readings of a range also come as `text/csv` or `application/x-ndjson`, \
whichever `Accept` names: same order, same pages. What is sent is read as JSON, whatever it is labelled.

**Pages.** A list that goes on has a header `Link: <…>; rel="next"` (RFC 8288). Follow the address as it \
is: its cursor is opaque, and stays right while data arrives.

**Caching.** What is read has an `ETag`; send it back in `If-None-Match` and the answer is 304 while \
nothing has changed. Readings may be kept by the person's own client only, which has to ask every time; \
everything else about a person may not be kept at all.

**Limits.** A range has at most {RANGE_MAX.days} days and a page at most 1,000 readings or 200 jobs. All \
callers together may send 1,000 requests a second, in bursts of 2,000; beyond that the gateway answers \
429.
"""

TAGS = {
    "Readings": "What is stored about a person's glucose.",
    "Syncing": "Fetching from the provider: start it, see where it stands, see what became of it.",
    "Connecting": "A person's consent at the provider: begin, see, end.",
    "Privacy": "Who looked, and the right to be forgotten.",
    "The service itself": "Open to everybody.",
}

REQUEST_HEADERS = {
    "If-None-Match": "The ETag of the answer the caller has; 304 if it is still the right one",
    "Webhook-Id": "The sender's own id of this webhook: a repetition under the same id is harmless",
    "Webhook-Timestamp": "When it was sent, in seconds of the Unix epoch; five minutes either way",
    "Webhook-Signature": "By Standard Webhooks 1.0: `v1,` and the HMAC-SHA256 in base64; several by spaces",
    "X-Correlation-ID": "An id of the caller's own for this request: up to 128 letters, digits and `._:/=+-`",
}


def _header(description: str, example: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}, "example": example}


HEADERS = {
    "X-Correlation-ID": _header("The id of this request", "0f0e7c9c-5b0f-4d3b-9f5e-2f8f0c1d2e3a"),
    "Cache-Control": _header("Who may keep the answer, and for how long", "private, no-cache"),
    "ETag": _header("Stands for this answer", '"5d41402abc4b2a76b9719d911017c592"'),
    "Link": _header("The next page, if there is one", '<https://…?cursor=…>; rel="next"'),
    "Location": _header("Where to look next", "https://…/sync/jobs/019b0c2f5d4e0123456789abcdef"),
    "RateLimit": _header("What is left of the caller's limit", '"sync";r=29;t=60'),
    "RateLimit-Policy": _header("The caller's limit", '"sync";q=30;w=60'),
    "Retry-After": _header("Seconds after which it is worth trying again", "30"),
}
