"""Moto's KMS: contexts and keys are really checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_kms import KMSClient


@pytest.fixture
def kms(monkeypatch: pytest.MonkeyPatch) -> Iterator[KMSClient]:
    """An empty KMS."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield boto3.client("kms", region_name="eu-west-1")  # noqa: TID251 - there is no wiring here.


@pytest.fixture
def key_id(kms: KMSClient) -> str:
    """A key of ours in KMS."""
    return kms.create_key()["KeyMetadata"]["KeyId"]
