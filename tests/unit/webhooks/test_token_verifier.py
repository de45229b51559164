from __future__ import annotations

import base64
import hashlib
import hmac
import json
from functools import cache
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from bg_ingest.webhooks import jwks
from bg_ingest.webhooks.authentication import Delivered
from bg_ingest.webhooks.jwks import FRESH_S, REFRESH_S, STALE_S, KeySet, KeysUnavailable, fetched, usable
from bg_ingest.webhooks.token_verifier import LIFE_S_MAX, TokenVerifier
from tests.support.fakes import NOON, FakeClock

BODY = b'{"type": "egvs.available"}'
NOW_S = int(NOON.timestamp())


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    """The RSA key of all tests, because creating one takes long."""
    return rsa.generate_private_key(65537, 2048)


EC_KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_EC_KEY = ec.generate_private_key(ec.SECP256R1())


def published(*ids: str) -> dict[str, Any]:
    """The key set of a sender, including keys of unsupported types."""
    every = {
        "rsa": RSAAlgorithm.to_jwk(rsa_key().public_key(), as_dict=True) | {"kid": "rsa", "use": "sig"},
        "ec": ECAlgorithm.to_jwk(EC_KEY.public_key(), as_dict=True) | {"kid": "ec"},
        "other": ECAlgorithm.to_jwk(OTHER_EC_KEY.public_key(), as_dict=True) | {"kid": "other"},
        "shared": {"kty": "oct", "kid": "shared", "k": "c2hhcmVk"},
        "sealing": RSAAlgorithm.to_jwk(rsa_key().public_key(), as_dict=True)
        | {"kid": "sealing", "use": "enc"},
        "long": RSAAlgorithm.to_jwk(rsa_key().public_key(), as_dict=True) | {"kid": "long", "alg": "RS512"},
        "strange": {"kty": "lattice", "kid": "strange"},
    }
    return {"keys": [every[name] for name in ids or every]}


class KeySetServer:
    """A server that publishes a key set and counts the requests."""

    def __init__(self, *ids: str) -> None:
        self.document: dict[str, Any] | None = published(*ids)
        self.asked = 0
        self.clock = FakeClock()
        self.troubles: list[str] = []
        self.keys = KeySet(self.fetch, self.clock, lambda trouble: self.troubles.append(str(trouble)))
        self.tokens = TokenVerifier(self.keys, "bg-ingest")

    def fetch(self) -> dict[str, Any]:
        """The key set; KeysUnavailable if it cannot be fetched."""
        self.asked += 1
        if self.document is None:
            raise KeysUnavailable("the key set answers 503")
        return self.document

    def proves(
        self, token: str, body: bytes = BODY, *, webhook_id: str = "msg_1", user_id: str = "ada"
    ) -> bool:
        """Whether a token authenticates this webhook."""
        return self.tokens.prove(token, Delivered(webhook_id, user_id, body), NOON)


def claims(**changes: Any) -> dict[str, Any]:
    """The claims of a valid token; None removes a claim."""
    every = {
        "aud": "bg-ingest",
        "exp": NOW_S + 300,
        "jti": "msg_1",
        "sub": "ada",
        "body_sha256": hashlib.sha256(BODY).hexdigest(),
        **changes,
    }
    return {name: value for name, value in every.items() if value is not None}


def token(key: Any = EC_KEY, algorithm: str = "ES256", kid: str | None = "ec", **changes: Any) -> str:
    """A valid token, with some claims changed."""
    return jwt.encode(claims(**changes), key, algorithm, headers={"kid": kid} if kid else None)


def test_rsa_and_ec_keys_authenticate_a_body() -> None:
    """Tokens with RS256 and ES256 are accepted after one fetch of the key set."""
    sender = KeySetServer()

    assert sender.proves(token())
    assert sender.proves(token(rsa_key(), "RS256", "rsa"))
    assert sender.asked == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "somebody-else"},
        {"aud": None},
        {"exp": None},
        {"exp": NOW_S},
        {"exp": NOW_S - 1},
        {"exp": NOW_S + LIFE_S_MAX + 1},
        {"exp": float("nan")},
        {"exp": "never"},
        {"nbf": NOW_S + 1},
        {"nbf": "soon"},
        {"body_sha256": None},
        {"body_sha256": hashlib.sha256(b"another").hexdigest()},
        {"body_sha256": 7},
        {"body_sha256": "ä"},
        {"body_sha256": "\ud800"},
        {"jti": None},
        {"jti": "msg_2"},
        {"jti": "\ud800"},
        {"sub": None},
        {"sub": "bob"},
        {"sub": "\ud800"},
    ],
    ids=str,
)
def test_a_signed_token_with_invalid_claims_is_rejected(changes: dict[str, Any]) -> None:
    """A signed token for another audience, another time or another body is rejected."""
    assert not KeySetServer().proves(token(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": NOW_S + 1},
        {"exp": NOW_S + LIFE_S_MAX},
        {"nbf": NOW_S},
        {"aud": ["others", "bg-ingest"]},
        {"body_sha256": hashlib.sha256(BODY).hexdigest().upper()},
        {"iat": NOW_S, "iss": "sender"},
    ],
    ids=str,
)
def test_claims_at_the_limits_are_accepted(changes: dict[str, Any]) -> None:
    """The times in a token are compared to the second."""
    assert KeySetServer().proves(token(**changes))


def test_a_token_is_valid_for_its_own_id_and_user_only() -> None:
    """The same token under another id, or at another user's address, is rejected."""
    sender, one = KeySetServer(), token()

    assert sender.proves(one)
    assert not sender.proves(one, webhook_id="msg_2")
    assert not sender.proves(one, user_id="bob")


def test_a_lone_surrogate_in_a_token_is_rejected() -> None:
    """A header that is not text is an invalid token, not an error of the service."""
    assert not KeySetServer().proves("\ud800")
    assert not KeySetServer().proves(token() + "\udfff")


def test_a_token_is_valid_for_its_own_body_only() -> None:
    """A body with one more byte is rejected."""
    assert not KeySetServer().proves(token(), BODY + b" ")


def test_a_token_does_not_choose_its_algorithm() -> None:
    """An unsigned token, an HMAC with a public key, and an algorithm other than the key's are rejected."""
    sender = KeySetServer()
    forged = [
        token("", "none", "rsa"),
        _signed_with_the_public_key(),
        token(b"shared" * 6, "HS256", "shared"),
        token(OTHER_EC_KEY),
        token(rsa_key(), "RS512", "rsa"),
        token(rsa_key(), "RS512", "long"),
        token(rsa_key(), "RS256", "sealing"),
        token(rsa_key(), "RS256", "ec"),
    ]

    assert not [made for made in forged if sender.proves(made)]


def _signed_with_the_public_key() -> str:
    """A token that PyJWT refuses to create."""
    public = (
        rsa_key()
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    parts = [json.dumps(part).encode() for part in ({"alg": "HS256", "kid": "rsa"}, claims())]
    signed = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    digest = base64.urlsafe_b64encode(hmac.digest(public, signed, "sha256")).rstrip(b"=")
    return (signed + b"." + digest).decode()


def test_a_token_without_kid_needs_a_single_key() -> None:
    """If the key set has several keys, then a token without a key id is rejected."""
    assert KeySetServer("ec").proves(token(kid=None))
    assert not KeySetServer("ec", "other").proves(token(kid=None))


@given(
    st.text(max_size=200) | st.binary(max_size=100).map(lambda raw: base64.urlsafe_b64encode(raw).decode())
)
def test_an_invalid_token_raises_no_error(garbage: str) -> None:
    """Any text is rejected without an exception."""
    sender, good = KeySetServer("ec"), token()
    header, payload, signed = good.split(".")

    for made in (
        garbage,
        f"{garbage}.{payload}.{signed}",
        f"{header}.{garbage}.{signed}",
        f"{header}.{payload}.{garbage}",
    ):
        assert made == good or not sender.proves(made)


@pytest.mark.parametrize(
    "header",
    [
        "[" * 100_000,
        '{"alg": "ES256", "kid": ["ec"]}',
        '{"alg": ["ES256"], "kid": "ec"}',
        '{"alg": "ES256", "kid": null}',
        '{"alg": "ES256", "kid": "ec", "crit": ["exp"]}',
        '{"alg": "ES256", "kid": "ec", "b64": false}',
        "7" * 5_000,
        "null",
    ],
)
def test_an_invalid_token_header_raises_no_error(header: str) -> None:
    """A header with deep nesting, a wrong type or a huge number is rejected without an exception."""
    encoded = base64.urlsafe_b64encode(header.encode()).decode().rstrip("=")

    assert not KeySetServer().proves(f"{encoded}.{token().partition('.')[2]}")


def test_an_unknown_key_id_refetches_the_key_set() -> None:
    """An unknown key id causes a fetch, but at most one every half minute."""
    sender = KeySetServer("ec")
    assert sender.proves(token())
    sender.document = published("ec", "other")
    for _ in range(5):
        assert not sender.proves(token(OTHER_EC_KEY, kid="other"))
    assert sender.asked == 1

    sender.clock.advance(REFRESH_S)
    assert sender.proves(token(OTHER_EC_KEY, kid="other"))
    for number in range(100):
        assert not sender.proves(token(kid=f"made-up-{number}"))
    assert sender.asked == 2


def test_a_removed_key_is_rejected_after_five_minutes() -> None:
    """A key that is no longer in the key set is rejected at the next refresh."""
    sender = KeySetServer("ec", "other")
    assert sender.proves(token())
    sender.document = published("other")
    sender.clock.advance(FRESH_S - 1)
    assert sender.proves(token())

    sender.clock.advance(1)
    assert not sender.proves(token())


def test_cached_keys_are_used_during_an_outage() -> None:
    """Cached keys are valid for one more hour, and without cached keys every token is rejected."""
    sender = KeySetServer("ec")
    assert sender.proves(token())
    sender.document = None
    sender.clock.advance(FRESH_S + STALE_S)
    assert sender.proves(token())
    assert sender.troubles == ["the key set answers 503"]
    sender.clock.advance(1)
    assert not sender.proves(token())

    never = KeySetServer("ec")
    never.document = None
    assert not never.proves(token())


@pytest.mark.parametrize("document", [{}, {"keys": None}, {"keys": {}}])
def test_a_key_set_without_a_list_of_keys_is_refused(document: dict[str, Any]) -> None:
    """KeysUnavailable is raised, so that the cached keys stay in use."""
    with pytest.raises(KeysUnavailable):
        usable(document)


def test_invalid_keys_in_a_key_set_are_ignored() -> None:
    """The valid keys of the same set are used."""
    document = {
        "keys": [None, 7, [], {}, {"kty": 7}, {"kty": "RSA", "n": "!", "e": 1}, *published("ec")["keys"]]
    }

    assert set(usable(document)) == {"ec"}


def _fetched(answer: httpx.Response | Exception) -> dict[str, Any]:
    def handle(_: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    with httpx.Client(transport=httpx.MockTransport(handle)) as http:
        return fetched("https://sender.example.org/keys", http)


def test_a_key_set_is_fetched_unchanged() -> None:
    """The fetched document equals the published one."""
    assert _fetched(httpx.Response(200, json=published("ec"))) == published("ec")


@pytest.mark.parametrize(
    "answer",
    [
        httpx.ConnectError("no"),
        httpx.ReadTimeout("slow"),
        httpx.Response(500),
        httpx.Response(302, headers={"location": "https://elsewhere.example.org"}),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, text="[]"),
        httpx.Response(200, text="[" * 50_000),
        httpx.Response(200, text=json.dumps({"keys": ["x" * jwks.BYTES_MAX]})),
    ],
    ids=["unreachable", "slow", "500", "elsewhere", "no JSON", "a list", "deep", "long"],
)
def test_an_unusable_answer_raises_keys_unavailable(answer: httpx.Response | Exception) -> None:
    """Every failure raises KeysUnavailable, and no redirect is followed."""
    with pytest.raises(KeysUnavailable):
        _fetched(answer)
