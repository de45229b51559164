"""
HTTP responses: their bodies and headers, caching, compression, and the limit per caller.

The fields of a limit are those of draft-ietf-httpapi-ratelimit-headers-10: the policy allows `q` calls in `w`
seconds, and `r` calls are left for the next `t` seconds.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from aws_lambda_powertools.event_handler import Response

from bg_ingest import problems, telemetry
from bg_ingest.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

    from bg_ingest.access.caller_limits import LimitPolicy, LimitStatus
    from bg_ingest.http_api.serving import ApiSettings

NO_STORE = {"Cache-Control": "no-store"}
# The result page of a login needs its own style only, and no other site may put it into a frame.
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
# A shorter body is not compressed.
BODY_BYTES_MIN = 1_024
_LEVEL = 4  # Readings shrink to a tenth at every level. Higher levels cost more time for a few bytes.
_NO_WEIGHT = re.compile(r"q=0(\.0{0,3})?", re.ASCII | re.IGNORECASE)


def json_response(
    body: Any, status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> Response[str]:
    """Return a JSON response that no cache may store."""
    text = json.dumps(body, separators=(",", ":"))
    return Response(
        status, content_type="application/json", body=text, headers={**NO_STORE, **(headers or {})}
    )


def cacheable_response(
    app: APIGatewayHttpResolver,
    body: str | bytes,
    content_type: str = "application/json",
    *,
    validated_by: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response[str]:
    """
    Return a response with an ETag, or 304 if the caller sent that ETag.

    The ETag is a hash of `validated_by`, or of the body if that is None. `validated_by` is for a body that
    changes each second. `private, no-cache`: the caller's own client may store the response but must
    revalidate it before each use, so that an old glucose value is never shown as the current one.
    """
    digest = hashlib.sha256(f"{content_type}\n{validated_by or body!s}".encode()).hexdigest()[:32]
    fields = {"Cache-Control": "private, no-cache", "ETag": f'"{digest}"', "Vary": "Accept"}
    fields |= headers or {}
    if _matches(app.current_event.headers.get("if-none-match"), digest):
        return Response(HTTPStatus.NOT_MODIFIED, body="", headers=fields)
    return file_response(body, content_type, fields)


def file_response(body: str | bytes, content_type: str, headers: Mapping[str, str]) -> Response[str]:
    """Return a text, or the bytes of a file."""
    if isinstance(body, str):
        return Response(HTTPStatus.OK, content_type=content_type, body=body, headers=headers)
    # Powertools encodes bytes by itself, but its validation of responses expects text before that.
    text = base64.b64encode(body).decode()
    response = Response(HTTPStatus.OK, content_type=content_type, body=text, headers=headers)
    response.base64_encoded = True
    return response


def problem_response(problem: Problem) -> Response[str]:
    """Return a problem document as a response; a route raises the Problem instead."""
    return Response(
        problem.kind.status,
        content_type=problems.CONTENT_TYPE,
        body=problem.document(telemetry.correlation_id()),
        headers={**NO_STORE, **problem.headers},
    )


def public_address(
    app: APIGatewayHttpResolver, api: ApiSettings, path: str, query: Mapping[str, str] | None = None
) -> str:
    """Return the full URL at which the caller reaches a path of this API."""
    # Not from a header such as X-Forwarded-Host: any client can set those.
    base = api.public_url or f"https://{app.current_event.raw_event['requestContext']['domainName']}"
    return f"{base.rstrip('/')}{path}{'?' + urlencode(query) if query else ''}"


def next_link(
    app: APIGatewayHttpResolver, api: ApiSettings, query: Mapping[str, str] | None
) -> dict[str, str]:
    """Return the Link header to the next page of this resource (RFC 8288); nothing after the last page."""
    if query is None:
        return {}
    url = public_address(app, api, app.current_event.raw_event["rawPath"], query)
    return {"Link": f'<{url}>; rel="next"'}


def rate_headers(policy: LimitPolicy, status: LimitStatus) -> dict[str, str]:
    """Return the rate-limit headers of a call that was counted."""
    return {
        "RateLimit-Policy": f'"{policy.name}";q={policy.calls_max};w={policy.window_s}',
        "RateLimit": f'"{policy.name}";r={status.remaining};t={status.resets_in_s}',
    }


def too_many_requests(policy: LimitPolicy, status: LimitStatus) -> Problem:
    """Return the 429 of a call that exceeds its limit."""
    return Problem(
        problems.TOO_MANY_REQUESTS,
        f"At most {policy.calls_max} requests in {policy.window_s} seconds. Retry after `Retry-After`"
        " seconds.",
        headers=rate_headers(policy, status) | {"Retry-After": str(status.resets_in_s)},
    )


def headers_or_429(policy: LimitPolicy, status: LimitStatus) -> dict[str, str]:
    """Return the rate-limit headers of a call that was counted; raise 429 if it exceeds the limit."""
    if not status.accepted:
        raise too_many_requests(policy, status)
    return rate_headers(policy, status)


def gzipped(answer: dict[str, Any], accept_encoding: str | None) -> dict[str, Any]:
    """Return a Lambda response compressed if that is accepted and pays; unchanged otherwise."""
    body: str = answer.get("body") or ""
    if answer.get("isBase64Encoded") or len(body) <= BODY_BYTES_MIN:
        return answer
    headers = dict(answer["headers"])
    vary = [headers["Vary"]] if "Vary" in headers else []
    headers["Vary"] = ", ".join([*vary, "Accept-Encoding"])
    if not accepts_gzip(accept_encoding):
        return answer | {"headers": headers}
    headers["Content-Encoding"] = "gzip"
    # A strong ETag names exact bytes (RFC 9110, 8.8.3.3). Compressed, it says "the same content" only.
    if "ETag" in headers:
        headers["ETag"] = "W/" + headers["ETag"].removeprefix("W/")
    packed = gzip.compress(body.encode(), _LEVEL, mtime=0)
    return answer | {"headers": headers, "body": base64.b64encode(packed).decode(), "isBase64Encoded": True}


def accepts_gzip(accept_encoding: str | None) -> bool:
    """Return whether `Accept-Encoding` allows gzip (RFC 9110, 12.5.3): by its name first, else by `*`."""
    allowed: dict[str, bool] = {}
    for part in (accept_encoding or "").lower().split(","):
        coding, *parameters = (each.strip() for each in part.split(";"))
        allowed[coding] = not any(map(_NO_WEIGHT.fullmatch, parameters))
    return allowed.get("gzip", allowed.get("x-gzip", allowed.get("*", False)))


def _matches(if_none_match: str | None, digest: str) -> bool:
    """RFC 9110, 13.1.2: any tag of a list, weak or strong, or `*`."""
    tags = [tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")]
    return "*" in tags or f'"{digest}"' in tags
