"""
Signatures of requests to AWS, version 4: in headers, and in a URL that others may open.

botocore's own import most of botocore, which would make every cold start longer. Tests compare these with
botocore's.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

_ALGORITHM = "AWS4-HMAC-SHA256"
_OF_A_LINK = "UNSIGNED-PAYLOAD"  # A request for a link has no body.


@dataclass(frozen=True, slots=True)
class Credentials:
    """The key that signs, and the token of a role's session."""

    key_id: str
    secret: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Target:
    """What a request asks for; the path is encoded."""

    method: str
    path: str = "/"
    query: Mapping[str, str] = field(default_factory=dict)

    @property
    def query_text(self) -> str:
        """The query as it is sent and signed."""
        return "&".join(f"{name}={quote(value, safe='-_.~')}" for name, value in sorted(self.query.items()))


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs requests to one service in one region."""

    credentials: Credentials
    service: str
    region: str

    def headers(
        self, target: Target, headers: Mapping[str, str], body_hash: str, at: datetime
    ) -> dict[str, str]:
        """The headers of a request with those that sign it; `headers` contains the host."""
        sent = {**headers, "X-Amz-Date": _stamp(at)}
        if self.credentials.session_token:
            sent["X-Amz-Security-Token"] = self.credentials.session_token
        names, proof = self._proof(target, sent, body_hash, at)
        credential = f"Credential={self.credentials.key_id}/{self._scope(at)}"
        return sent | {
            "Authorization": f"{_ALGORITHM} {credential}, SignedHeaders={names}, Signature={proof}"
        }

    def link_query(self, target: Target, host: str, valid_s: int, at: datetime) -> str:
        """The query of a URL that needs no headers, for this time."""
        query = {
            **target.query,
            "X-Amz-Algorithm": _ALGORITHM,
            "X-Amz-Credential": f"{self.credentials.key_id}/{self._scope(at)}",
            "X-Amz-Date": _stamp(at),
            "X-Amz-Expires": str(valid_s),
            "X-Amz-SignedHeaders": "host",
        }
        if self.credentials.session_token:
            query["X-Amz-Security-Token"] = self.credentials.session_token
        unsigned = Target(target.method, target.path, query)
        _, proof = self._proof(unsigned, {"Host": host}, _OF_A_LINK, at)
        return f"{unsigned.query_text}&X-Amz-Signature={proof}"

    def _proof(
        self, target: Target, headers: Mapping[str, str], body_hash: str, at: datetime
    ) -> tuple[str, str]:
        """The names of the signed headers, and the signature."""
        lines = sorted((name.lower(), value) for name, value in headers.items())
        names = ";".join(name for name, _ in lines)
        signed = (f"{name}:{value}" for name, value in lines)
        canonical = "\n".join((target.method, target.path, target.query_text, *signed, "", names, body_hash))
        key = f"AWS4{self.credentials.secret}".encode()
        for part in self._scope(at).split("/"):
            key = _hmac(key, part)
        text = "\n".join((_ALGORITHM, _stamp(at), self._scope(at), sha256(canonical.encode()).hex()))
        return names, _hmac(key, text).hex()

    def _scope(self, at: datetime) -> str:
        return f"{at:%Y%m%d}/{self.region}/{self.service}/aws4_request"


def sha256(content: bytes) -> bytes:
    """The hash of a body."""
    return hashlib.sha256(content).digest()


def _stamp(at: datetime) -> str:
    return f"{at:%Y%m%dT%H%M%SZ}"


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
