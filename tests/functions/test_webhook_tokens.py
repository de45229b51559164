"""Webhooks that a token authenticates instead of a signature."""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from http.server import HTTPServer
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from bg_ingest.clock import SystemClock
from tests.functions.webhook_sending import sent
from tests.support.web_server import ANY_PORT, QuietHandler, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from tests.functions.conftest import FunctionsWorld

KEY = ec.generate_private_key(ec.SECP256R1())


@contextmanager
def _published() -> Iterator[str]:
    """Serve the key set of a sender on this machine."""
    document = json.dumps({"keys": [ECAlgorithm.to_jwk(KEY.public_key(), as_dict=True) | {"kid": "1"}]})

    class KeySetHandler(QuietHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(document.encode())

    with serving(HTTPServer(ANY_PORT, KeySetHandler)) as address:
        yield f"{address}/keys"


def _with_token(world: FunctionsWorld, **claims: Any) -> dict[str, Any]:
    event = world.event("webhook_token")
    said = {
        "aud": "bg-ingest",
        "exp": int(SystemClock().now().timestamp()) + 300,
        "jti": event["headers"]["webhook-id"],
        "sub": "demo",
        "body_sha256": hashlib.sha256(event["body"].encode()).hexdigest(),
    }
    token = jwt.encode(said | claims, KEY, "ES256", headers={"kid": "1"})
    event["headers"] |= {"authorization": f"Bearer {token}"}
    return event


def test_a_token_authenticates_a_webhook(world: FunctionsWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """It must be for this audience, id, user and body; an invalid signature beside it is still rejected."""
    with _published() as url:
        world.restarted(monkeypatch, WEBHOOK_JWKS_URL=url, WEBHOOK_AUDIENCE="bg-ingest")
        for claims in ({"aud": "another-audience"}, {"jti": "msg_2"}, {"sub": "ada"}):
            assert sent(world, _with_token(world, **claims))["statusCode"] == 401
        both = _with_token(world)
        both["headers"] |= {"webhook-signature": "v1,"}
        assert sent(world, both)["statusCode"] == 401
        without_id = _with_token(world)
        del without_id["headers"]["webhook-id"]
        assert sent(world, without_id)["statusCode"] == 401
        basic = _with_token(world)
        basic["headers"]["authorization"] = basic["headers"]["authorization"].replace("Bearer", "Basic")
        assert sent(world, basic)["statusCode"] == 401

        assert sent(world, _with_token(world))["statusCode"] == 202
        assert sent(world, _with_token(world))["statusCode"] == 200


def test_unavailable_keys_are_logged(
    world: FunctionsWorld, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sender gets the same 401, and the log has the error."""
    with _published() as url:
        pass  # From here on no server listens on this port.
    world.restarted(monkeypatch, WEBHOOK_JWKS_URL=url, WEBHOOK_AUDIENCE="bg-ingest")

    assert sent(world, _with_token(world))["statusCode"] == 401
    assert '"message":"webhook keys unavailable"' in capsys.readouterr().out
