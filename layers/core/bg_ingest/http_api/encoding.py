"""Content coding of responses: gzip, if the caller accepts it and the body is longer than 1 kB."""

from __future__ import annotations

import base64
import gzip
import re
from typing import Any

BODY_BYTES_MIN = 1_024
_LEVEL = 4  # Readings shrink to a tenth at every level. Higher levels cost more time for a few bytes.
_NO_WEIGHT = re.compile(r"q=0(\.0{0,3})?", re.ASCII | re.IGNORECASE)


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
