from __future__ import annotations

import json

import httpx
import pytest

from bg_ingest.providers.errors import ContractBroken, Garbled, ProviderError, TokenRejected, Unavailable
from bg_ingest.providers.http.call_record import Call
from bg_ingest.providers.http.send import bearer_header, parse_json_object, send
from tests.unit.providers.dexcom.made_up import TOKEN, Replies, ok, plain

CALL = Call("egvs", "/v3/egvs")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (httpx.ReadTimeout("timed out"), Unavailable),
        (httpx.ConnectError("refused"), Unavailable),
        (httpx.RemoteProtocolError("peer closed connection"), Unavailable),
        (httpx.DecodingError("not gzip"), Garbled),
    ],
)
def test_no_answer_is_an_error_of_ours(error: Exception, kind: type[ProviderError]) -> None:
    """Also without a polite transport the caller needs to know one tree of errors."""
    with pytest.raises(kind, match=rf"GET /v3/egvs: {type(error).__name__}"):
        send(plain(Replies(error)), "GET", "/v3/egvs", CALL)


def test_the_text_of_a_library_stays_behind() -> None:
    """An error beneath ours may quote the request; nobody who prints ours finds it hanging there."""
    with pytest.raises(Unavailable) as caught:
        send(plain(Replies(httpx.LocalProtocolError(f"Illegal header {TOKEN}"))), "GET", "/v3/egvs", CALL)

    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert TOKEN not in str(caught.value)


def test_a_redirect_is_not_followed() -> None:
    """The token belongs to Dexcom, not to wherever an answer points."""
    replies = Replies(httpx.Response(302, headers={"location": "https://elsewhere.test/"}), ok())

    assert send(plain(replies), "GET", "/v3/egvs", CALL).status_code == 302
    assert replies.calls == 1


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"records": [', b"NaN}", b"[" * 100_000])
def test_what_is_no_json_is_garbled(body: bytes) -> None:
    """It may have been cut on the way, or somebody else answered; later it may be better."""
    with pytest.raises(Garbled, match="egvs: 200 without JSON") as caught:
        parse_json_object(httpx.Response(200, content=body), "egvs")

    assert caught.value.__context__ is None


@pytest.mark.parametrize("body", [b"[]", b"null", b'"records"', b"7"])
def test_json_that_is_no_object_breaks_the_contract(body: bytes) -> None:
    """It arrived whole, and is not what was agreed."""
    with pytest.raises(ContractBroken):
        parse_json_object(httpx.Response(200, content=body), "egvs")


def test_one_broken_number_or_byte_costs_only_itself() -> None:
    """The rest of the answer is read; a byte order mark is no harm either."""
    body = b'\xef\xbb\xbf{"ticks": ' + b"9" * 5000 + b', "trend": "fl\xffat", "value": 120}'

    document = parse_json_object(httpx.Response(200, content=body), "egvs")

    assert document == {"ticks": float("inf"), "trend": "fl\ufffdat", "value": 120}
    assert json.dumps(document["value"]) == "120"


def test_a_token_is_shown_as_it_is() -> None:
    """Opaque, of any length."""
    assert bearer_header("a" * 5000) == {"Authorization": "Bearer " + "a" * 5000}


@pytest.mark.parametrize("token", ["line\nbreak", "caf\u00e9", " padded", ""])
def test_a_token_that_fits_no_header_is_never_sent(token: str) -> None:
    """It would come back in the text of an encoding error, and from there get into a log."""
    with pytest.raises(TokenRejected) as caught:
        bearer_header(token)

    assert not token or token not in str(caught.value)
