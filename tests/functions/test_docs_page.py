"""The page at /docs and the files of Swagger UI that it loads."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from typing import TYPE_CHECKING

import pytest

from tests.functions.gateway import Request, send

if TYPE_CHECKING:
    from tests.functions.conftest import FunctionsWorld

ASSET = re.compile(r'(?:href|src)="(docs/[^"]+)" integrity="sha256-([^"]+)"')
LAMBDA_RESPONSE_BYTES_MAX = 6_000_000


def _page(world: FunctionsWorld) -> tuple[str, str]:
    _, answer = send(world, Request("GET", "/docs"))
    return answer["body"], answer["headers"]["Content-Security-Policy"]


def test_the_page_loads_nothing_from_another_host(world: FunctionsWorld) -> None:
    """Every address in it is relative, and the policy allows its own host only."""
    page, policy = _page(world)

    assert "://" not in page
    assert policy.startswith("default-src 'none'; ")
    assert set(re.findall(r"'[\w-]+'|\bdata:|https?:", policy)) == {"'none'", "'self'", "data:"}


def test_policy_allows_each_inline_script_by_its_hash(world: FunctionsWorld) -> None:
    """No inline code runs but that of the page itself; a changed script would have another hash."""
    page, policy = _page(world)
    inline = re.findall(r"<(script|style)>(.*?)</\1>", page, flags=re.DOTALL)

    assert [tag for tag, _ in inline] == ["style", "script"]
    for tag, text in inline:
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'self' 'sha256-{digest}'" in policy


def test_each_file_of_the_page_has_the_hash_it_names(world: FunctionsWorld) -> None:
    """A browser rejects a file with other content, so the page and the installed files belong together."""
    assets = ASSET.findall(_page(world)[0])

    assert len(assets) == 2
    for url, integrity in assets:
        _, answer = send(world, Request("GET", f"/{url}"))
        assert base64.b64encode(hashlib.sha256(answer["body"].encode()).digest()).decode() == integrity
        assert answer["headers"]["Cache-Control"] == "public, max-age=31536000, immutable"
        assert len(answer["body"]) < LAMBDA_RESPONSE_BYTES_MAX


def test_a_file_of_the_page_is_compressed_on_request(world: FunctionsWorld) -> None:
    """A browser that accepts gzip receives under a third of the bytes."""
    url, _ = ASSET.findall(_page(world)[0])[1]
    _, plain = send(world, Request("GET", f"/{url}"))
    _, answer = send(world, Request("GET", f"/{url}", headers={"Accept-Encoding": "gzip, br"}))
    compressed = base64.b64decode(answer["body"])

    assert answer["isBase64Encoded"]
    assert answer["headers"]["Content-Encoding"] == "gzip"
    assert answer["headers"]["Vary"] == "Accept-Encoding"
    assert gzip.decompress(compressed).decode() == plain["body"]
    assert len(compressed) < len(plain["body"]) / 3


@pytest.mark.parametrize("name", ["html.py", "..%2Fapi_gateway.py", "%2Fetc%2Fpasswd", "openapi.json"])
def test_no_other_file_is_served(world: FunctionsWorld, name: str) -> None:
    """Only the two files that the page names; not the code beside them."""
    _, answer = send(world, Request("GET", f"/docs/{name}"))

    assert answer["statusCode"] == 404
