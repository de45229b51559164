"""The signatures are those that botocore makes."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as TheirCredentials
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.aws.signature import Credentials, Signer, Target, sha256

AT = datetime(2026, 11, 7, 12, 0, 5, tzinfo=UTC)
SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
REGIONS = st.sampled_from(["eu-west-1", "us-gov-west-1"])
KEYS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=30)


def _theirs(credentials: Credentials) -> TheirCredentials:
    return TheirCredentials(credentials.key_id, credentials.secret, credentials.session_token)


def _signed_by_botocore(signer: auth.BaseSigner, request: AWSRequest) -> AWSRequest:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(auth, "get_current_datetime", lambda: AT.replace(tzinfo=None))
        signer.add_auth(request)
    return request


@given(
    body=st.binary(max_size=300),
    secret=SECRETS,
    token=st.none() | SECRETS,
    service=st.sampled_from(["dynamodb", "kms", "secretsmanager"]),
    region=REGIONS,
)
def test_the_signature_of_a_call_is_that_of_botocore(
    body: bytes, secret: str, token: str | None, service: str, region: str
) -> None:
    """For any body and key, with and without a session."""
    headers = {
        "Content-Type": "application/x-amz-json-1.0",
        "Host": f"{service}.{region}.amazonaws.com",
        "X-Amz-Target": "DynamoDB_20120810.GetItem",
    }
    credentials = Credentials("AKID", secret, token)
    ours = Signer(credentials, service, region).headers(Target("POST"), headers, sha256(body).hex(), AT)
    request = AWSRequest("POST", f"https://{headers['Host']}/", headers, body)
    theirs = _signed_by_botocore(auth.SigV4Auth(_theirs(credentials), service, region), request)

    assert ours == dict(theirs.headers)


@given(key=KEYS, prefix=KEYS, secret=SECRETS, token=st.none() | SECRETS, region=REGIONS)
def test_the_signature_of_an_object_is_that_of_botocore(
    key: str, prefix: str, secret: str, token: str | None, region: str
) -> None:
    """For any key and query."""
    path, query = "/" + quote(key, safe="/-_.~"), {"list-type": "2", "prefix": prefix}
    headers = {"Host": f"exports.s3.{region}.amazonaws.com", "X-Amz-Content-Sha256": sha256(b"").hex()}
    credentials = Credentials("AKID", secret, token)
    target = Target("GET", path, query)
    ours = Signer(credentials, "s3", region).headers(target, headers, sha256(b"").hex(), AT)
    request = AWSRequest("GET", f"https://{headers['Host']}{path}?{target.query_text}", headers, b"")
    theirs = _signed_by_botocore(auth.S3SigV4Auth(_theirs(credentials), "s3", region), request)

    assert ours["Authorization"] == theirs.headers["Authorization"]


@given(key=KEYS, name=KEYS, secret=SECRETS, token=st.none() | SECRETS, region=REGIONS)
def test_a_link_is_that_of_botocore(key: str, name: str, secret: str, token: str | None, region: str) -> None:
    """It has the same parameters and the same signature."""
    host, path = f"exports.s3.{region}.amazonaws.com", "/" + quote(key, safe="/-_.~")
    target = Target("GET", path, {"response-content-disposition": name})
    credentials = Credentials("AKID", secret, token)
    ours = Signer(credentials, "s3", region).link_query(target, host, 900, AT)
    signer = auth.S3SigV4QueryAuth(_theirs(credentials), "s3", region, expires=900)
    request = AWSRequest("GET", f"https://{host}{path}?{target.query_text}")
    theirs = _signed_by_botocore(signer, request)

    assert parse_qs(ours) == parse_qs(urlsplit(str(theirs.url)).query)


def test_keys_are_not_shown() -> None:
    """They do not appear in a traceback or a log."""
    assert "hidden" not in repr(Credentials("AKID", "hidden", "hidden too"))
