from __future__ import annotations

import json

import httpx
import pytest

from bg_ingest.providers.errors import ContractBroken, Garbled, TokenRejected, Unavailable
from bg_ingest.providers.http.call_record import Call
from bg_ingest.providers.http.send import bearer_header, parse_json_object, send
from tests.unit.providers.http.fake_provider import HOST, Replies, ok, without_retries


def test_request_goes_to_the_path_of_the_call() -> None:
    """The URL is the base URL, the path of the call and the suffix, which records do not contain."""
    replies = Replies(ok())

    send(without_retries(replies), "DELETE", Call("unsubscribe", "/v3/hooks"), suffix="/7")

    (request,) = replies.requests
    assert (request.method, str(request.url)) == ("DELETE", f"{HOST}/v3/hooks/7")


def test_redirect_is_not_followed() -> None:
    """The token of a request must not reach the host that a redirect names."""
    replies = Replies(httpx.Response(302, headers={"location": "https://elsewhere.test/"}), ok())

    with pytest.raises(Unavailable, match="egvs: 302"):
        send(without_retries(replies), "GET", Call("egvs", "/v3/egvs"))
    assert replies.calls == 1


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"records": [', b"NaN}", b"[" * 100_000])
def test_body_that_is_not_json_is_garbled(body: bytes) -> None:
    """The error of a body that is not JSON does not contain the body."""
    with pytest.raises(Garbled, match="egvs: 200 without JSON") as caught:
        parse_json_object(httpx.Response(200, content=body), "egvs")

    assert caught.value.__context__ is None


@pytest.mark.parametrize("body", [b"[]", b"null", b'"records"', b"7"])
def test_json_that_is_not_an_object_breaks_the_contract(body: bytes) -> None:
    """A complete JSON value of another type raises ContractBroken, which is not retried."""
    with pytest.raises(ContractBroken):
        parse_json_object(httpx.Response(200, content=body), "egvs")


def test_invalid_number_or_byte_leaves_the_rest_readable() -> None:
    """A very long number, an invalid byte and a byte order mark do not prevent parsing."""
    body = b'\xef\xbb\xbf{"ticks": ' + b"9" * 5000 + b', "trend": "fl\xffat", "value": 120}'

    document = parse_json_object(httpx.Response(200, content=body), "egvs")

    assert document == {"ticks": float("inf"), "trend": "fl\ufffdat", "value": 120}
    assert json.dumps(document["value"]) == "120"


def test_bearer_header_contains_the_token() -> None:
    """A token of any length is sent unchanged."""
    assert bearer_header("a" * 5000) == {"Authorization": "Bearer " + "a" * 5000}


@pytest.mark.parametrize("token", ["line\nbreak", "caf\u00e9", " padded", ""])
def test_token_that_does_not_fit_into_a_header_is_rejected(token: str) -> None:
    """Such a token would appear in the text of an encoding error; the error that is raised has no token."""
    with pytest.raises(TokenRejected) as caught:
        bearer_header(token)

    assert not token or token not in str(caught.value)
