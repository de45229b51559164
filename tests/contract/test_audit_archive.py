"""The archive of the audit in a bucket with object lock, as the template makes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from bg_ingest.publishing.audit_archive import AuditArchive
from tests.support.fakes import FakeClock
from tests.support.template_document import resource

if TYPE_CHECKING:
    from collections.abc import Iterator

_REGION = "eu-west-1"
_DAYS = 365


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An S3 with the bucket, locked as in production."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    settings = resource("AuditArchiveBucket")
    retention = settings["ObjectLockConfiguration"]["Rule"]["DefaultRetention"]
    strict = {"Mode": retention["Mode"]["Fn::If"][2], "Days": _DAYS}
    with mock_aws():
        client = boto3.client("s3", region_name=_REGION)  # noqa: TID251 - there is no wiring here.
        client.create_bucket(
            Bucket="archive",
            ObjectLockEnabledForBucket=settings["ObjectLockEnabled"],
            CreateBucketConfiguration={"LocationConstraint": _REGION},
        )
        client.put_object_lock_configuration(
            Bucket="archive",
            ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": strict}},
        )
        yield client


def _versions(s3: Any) -> list[dict[str, Any]]:
    versions: list[dict[str, Any]] = s3.list_object_versions(Bucket="archive")["Versions"]
    return versions


def test_an_archived_object_can_be_neither_removed_nor_replaced(s3: Any) -> None:
    """An administrator is refused, too; another object of the same name leaves the first one readable."""
    AuditArchive(s3, "archive", FakeClock()).add(["one", "two"])
    (first,) = _versions(s3)

    with pytest.raises(ClientError, match="AccessDenied"):
        s3.delete_object(
            Bucket="archive",
            Key=first["Key"],
            VersionId=first["VersionId"],
            BypassGovernanceRetention=True,
        )
    s3.put_object(Bucket="archive", Key=first["Key"], Body=b"forged")
    kept = s3.get_object(Bucket="archive", Key=first["Key"], VersionId=first["VersionId"])
    assert kept["Body"].read() == b"one\ntwo\n"
    assert kept["ObjectLockMode"] == "COMPLIANCE"


def test_two_batches_of_one_moment_are_two_objects(s3: Any) -> None:
    """No batch replaces another one; the key begins with the day."""
    archive = AuditArchive(s3, "archive", FakeClock())
    archive.add(["one"])
    archive.add(["two"])

    assert len({version["Key"] for version in _versions(s3)}) == 2
    assert all(version["Key"].startswith("2026/04/26/") for version in _versions(s3))
