from __future__ import annotations

import httpx
import pytest

from bg_ingest.providers.errors import (
    ProviderError,
    RequestRefused,
    Throttled,
    TokenRejected,
    TryLater,
    Unavailable,
)
from bg_ingest.providers.http.statuses import error_for
from tests.support.fakes import NOON

# Every shape of error body that was seen, and some that were not.
BODIES = [
    b'{"error": "invalid_grant"}',
    b'{"error_description": "no"}',
    b'{"errors": [{"field": "startDate"}]}',
    b'{"message": "no"}',
    b'{"fault": {"faultstring": "no", "detail": {}}}',
    b'{"fault": {"faultString": "no"}}',
    b"<html>Maintenance</html>",
    b'{"cut": ',
    b"",
]


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, RequestRefused),
        (401, TokenRejected),
        (403, TokenRejected),
        (404, RequestRefused),
        (408, Unavailable),
        (418, RequestRefused),
        (429, Throttled),
        (499, RequestRefused),
        (300, Unavailable),
        (302, Unavailable),
        (500, Unavailable),
        (502, Unavailable),
        (503, Unavailable),
        (599, Unavailable),
    ],
)
def test_the_status_decides(status: int, kind: type[ProviderError], body: bytes) -> None:
    """Whatever the body claims, or if it is no JSON at all; and nothing of it is in the message."""
    refused = error_for(httpx.Response(status, content=body), "egvs", NOON)

    assert type(refused) is kind
    assert str(refused) == f"egvs: {status}"


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_success_is_no_refusal(status: int) -> None:
    """Any 2xx is an answer."""
    assert error_for(httpx.Response(status), "egvs", NOON) is None


@pytest.mark.parametrize("status", [408, 429, 503])
def test_how_long_dexcom_wants_us_to_wait_is_kept(status: int) -> None:
    """Retry-After comes with maintenance as well as with limits."""
    refused = error_for(httpx.Response(status, headers={"retry-after": "90"}), "egvs", NOON)

    assert isinstance(refused, TryLater)
    assert refused.retry_after_s == 90.0
