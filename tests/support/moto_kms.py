"""Moto's KMS, quickly."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import boto3

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient


@cache
def kms_client() -> KMSClient:
    """One for all tests: it holds nothing, and making it takes longer than most of them."""
    return boto3.client(  # noqa: TID251 - there is no wiring here.
        "kms", region_name="eu-west-1", aws_access_key_id="testing", aws_secret_access_key="testing"
    )


def quick_key(kms: KMSClient) -> str:
    """
    The id of a new key that encrypts.

    Moto draws a pair for every key, also for those that will never sign, and encrypts with any of them. A
    pair of the ordinary kind takes 0.1 s of CPU, which hundreds of tests would pay; an elliptic one nothing.
    """
    return kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]["KeyId"]
