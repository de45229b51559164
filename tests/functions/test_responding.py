"""HEAD, and compressed responses."""

from __future__ import annotations

import base64
import gzip
import json
from typing import TYPE_CHECKING

import pytest

from bg_ingest.http_api.responding import accepts_gzip
from bg_ingest.wiring.connect_parts import connect_deps
from tests.functions.conftest import part
from tests.functions.gateway import Claims, Request, send

if TYPE_CHECKING:
    from tests.functions.conftest import FunctionsWorld

DEMO: Claims = {"sub": "demo"}
GZIP = {"Accept-Encoding": "br, gzip;q=0.8"}


@pytest.mark.parametrize(
    "url", ["/api/bg/demo", "/api/bg/demo/latest", "/api/bg/demo/sync", "/health", "/docs", "/", "/none"]
)
def test_head_is_get_without_the_body(world: FunctionsWorld, url: str) -> None:
    """The status and the headers are the same, except for the id."""
    _, got = send(world, Request("GET", url, DEMO))
    _, head = send(world, Request("HEAD", url, DEMO))

    assert head["body"] == ""
    assert head["statusCode"] == got["statusCode"]
    assert {**head["headers"], "Vary": ""} == {**got["headers"], "Vary": ""}


@pytest.mark.parametrize("url", ["/api/bg/demo", "/api/bg/eve/latest", "/docs", "/oauth/callback", "/none"])
def test_every_response_forbids_sniffing_and_plain_http(world: FunctionsWorld, url: str) -> None:
    """Success, refusal, page and problem have the two headers."""
    _, answer = send(world, Request("GET", url, DEMO))

    assert answer["headers"]["X-Content-Type-Options"] == "nosniff"
    assert answer["headers"]["Strict-Transport-Security"].startswith("max-age=63072000")


def test_head_needs_the_same_right_as_get(world: FunctionsWorld) -> None:
    """The read scope is enough, and another user's data stays closed."""
    reader: Claims = {"sub": "a-service", "scope": "bg/read"}
    _, allowed = send(world, Request("HEAD", "/api/bg/demo", reader))
    _, forbidden = send(world, Request("HEAD", "/api/bg/eve", DEMO))

    assert (allowed["statusCode"], forbidden["statusCode"]) == (200, 403)


def test_head_of_the_callback_uses_up_no_login(world: FunctionsWorld) -> None:
    """A link preview asks with HEAD before the browser comes."""
    logins = part(connect_deps).logins
    state, _ = logins.start("demo", None)
    _, head = send(world, Request("HEAD", f"/oauth/callback?state={state}&code=c"))

    assert head["statusCode"] == 200
    assert logins.finish(state) is not None


def test_a_long_body_is_compressed_if_accepted(world: FunctionsWorld) -> None:
    """It is the same JSON, and its ETag no longer promises the same bytes."""
    _, plain = send(world, Request("GET", "/api/bg/demo", DEMO))
    _, packed = send(world, Request("GET", "/api/bg/demo", DEMO, GZIP))

    assert gzip.decompress(base64.b64decode(packed["body"])).decode() == plain["body"]
    assert packed["headers"]["Content-Encoding"] == "gzip"
    assert packed["headers"]["ETag"] == "W/" + plain["headers"]["ETag"]
    assert packed["headers"]["Vary"] == plain["headers"]["Vary"] == "Accept, Accept-Encoding"
    assert len(packed["body"]) * 2 < len(plain["body"])


def test_a_compressed_response_can_be_revalidated(world: FunctionsWorld) -> None:
    """The weak ETag of the compressed response gets 304."""
    _, packed = send(world, Request("GET", "/api/bg/demo", DEMO, GZIP))
    again = {**GZIP, "If-None-Match": packed["headers"]["ETag"]}
    _, answer = send(world, Request("GET", "/api/bg/demo", DEMO, again))

    assert (answer["statusCode"], answer["body"]) == (304, "")


def test_a_short_body_is_not_compressed(world: FunctionsWorld) -> None:
    """Up to 1 kB the compressed response would hardly be shorter."""
    _, answer = send(world, Request("GET", "/health", DEMO, GZIP))

    assert json.loads(answer["body"])["status"] == "ok"


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        (None, False),
        ("", False),
        ("br", False),
        ("gzip", True),
        ("GZIP", True),
        ("gzip;q=0", False),
        ("gzip;q=0.000, *", False),
        ("gzip; q=0.1", True),
        ("*", True),
        ("identity", False),
    ],
)
def test_gzip_is_accepted_as_the_header_says(header: str | None, *, accepted: bool) -> None:
    """`q=0` refuses a coding that is named or matched by `*`."""
    assert accepts_gzip(header) is accepted
