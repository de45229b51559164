"""Fixtures with moto's KMS, which checks contexts and keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from moto import mock_aws

from tests.support.moto_kms import kms_client, quick_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_kms import KMSClient


@pytest.fixture
def kms(monkeypatch: pytest.MonkeyPatch) -> Iterator[KMSClient]:
    """An empty KMS."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield kms_client()


@pytest.fixture
def key_id(kms: KMSClient) -> str:
    """The id of a new key in KMS."""
    return quick_key(kms)
