"""The service's S3 client and botocore's see the same objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from bg_ingest.aws import aws_clients
from bg_ingest.exporting.export_objects import ExportObjects
from tests.support.aws_in_process import aws_in_process
from tests.support.moto_resources import bucket, s3_client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bg_ingest.aws.s3_client import S3Client

REGION = "eu-west-1"
KEYS = ["user/a/1.csv", "user/a/2 & <3>+.csv", "user/a/\N{DROPLET}.csv", "user/b/1.csv"]


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[S3Client, Any]]:
    """Our client and botocore's. The bucket has an object for each key; a page of its list has two keys."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "2")
    with mock_aws(), aws_in_process():
        bucket("exports", REGION)
        ours = aws_clients.s3(REGION)
        for key in KEYS:
            ours.put_object(Bucket="exports", Key=key, Body=key.encode(), ContentType="text/csv")
        yield ours, s3_client(REGION)


def test_objects_are_stored_as_given(clients: tuple[S3Client, Any]) -> None:
    """With their content and type, under any key."""
    _, theirs = clients
    for key in KEYS:
        found = theirs.get_object(Bucket="exports", Key=key)
        assert (found["Body"].read(), found["ContentType"]) == (key.encode(), "text/csv")


def test_pages_of_keys_are_those_of_botocore(clients: tuple[S3Client, Any]) -> None:
    """Each page names the next one, and the last one none."""
    request: dict[str, Any] = {"Bucket": "exports", "Prefix": "user/a/"}
    for count in (2, 1):
        ours, theirs = (client.list_objects_v2(**request) for client in clients)
        assert [each["Key"] for each in ours["Contents"]] == [each["Key"] for each in theirs["Contents"]]
        assert len(ours["Contents"]) == count
        assert ours.get("NextContinuationToken") == theirs.get("NextContinuationToken")
        request["ContinuationToken"] = ours.get("NextContinuationToken")
    assert request["ContinuationToken"] is None
    assert clients[0].list_objects_v2(Bucket="exports", Prefix="nothing")["Contents"] == []


def test_all_objects_of_a_prefix_are_removed(clients: tuple[S3Client, Any]) -> None:
    """Page by page, with any characters in their keys; others stay."""
    ours, theirs = clients
    objects = ExportObjects(ours, "exports")
    for page in objects._pages("user/a/"):  # noqa: SLF001 - the pages of one user.
        objects.remove(page)

    left = theirs.list_objects_v2(Bucket="exports")
    assert [each["Key"] for each in left["Contents"]] == ["user/b/1.csv"]


def test_a_link_names_the_object_and_the_file(clients: tuple[S3Client, Any]) -> None:
    """At the host of the bucket, with the parameters that botocore's link has."""
    ours, theirs = clients
    parameters = {
        "Bucket": "exports",
        "Key": KEYS[1],
        "ResponseContentDisposition": 'attachment; filename="june 1.csv"',
    }
    link, other = (
        urlsplit(client.generate_presigned_url("get_object", Params=parameters, ExpiresIn=900))
        for client in (ours, theirs)
    )

    assert link.netloc == "exports.s3.eu-west-1.amazonaws.com"
    assert link.path == other.path
    assert parse_qs(link.query).keys() >= {"X-Amz-Signature", "X-Amz-Security-Token"}
    name = "response-content-disposition"
    assert parse_qs(link.query)[name] == parse_qs(other.query)[name]


def test_errors_of_s3_are_those_of_botocore(clients: tuple[S3Client, Any]) -> None:
    """With their code and operation."""
    errors = []
    for client in clients:
        with pytest.raises(ClientError) as error:
            client.list_objects_v2(Bucket="nowhere", Prefix="user/")
        errors.append((error.value.response["Error"]["Code"], error.value.operation_name))

    assert errors[0] == errors[1] == ("NoSuchBucket", "ListObjectsV2")


def test_what_the_client_does_not_know_is_an_error(clients: tuple[S3Client, Any]) -> None:
    """It never does something else instead."""
    ours, _ = clients
    with pytest.raises(ValueError, match="no links for put_object"):
        ours.generate_presigned_url("put_object", Params={}, ExpiresIn=1)
    with pytest.raises(ValueError, match="no checksum by CRC32"):
        ours.put_object(Bucket="exports", Key="k", Body=b"", ContentType="t", ChecksumAlgorithm="CRC32")
