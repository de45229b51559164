"""Moto's KMS with keys that are cheap to create."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.kms.models import kms_backends

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

_REGION = "eu-west-1"


@cache
def kms_client() -> KMSClient:
    """One client for all tests. It has no state, and creating it takes longer than most tests."""
    return boto3.client(  # noqa: TID251 - tests have no wiring.
        "kms", region_name=_REGION, aws_access_key_id="testing", aws_secret_access_key="testing"
    )


def quick_key(_: object) -> str:
    """
    The id of a new key for encryption, for any client of moto's.

    Moto generates a key pair for every key, also for one that never signs, and encrypts with any key. An RSA
    pair takes 0.1 s of CPU, in each of hundreds of tests. An elliptic pair takes almost none. A request would
    take ten times as long.
    """
    key_id: str = _new_key().id
    return key_id


def same_key() -> str:
    """The id of a key that is the same in each AWS, so that settings which name it are the same."""
    key = _first_key()
    kms_backends[DEFAULT_ACCOUNT_ID][_REGION].keys[key.id] = key
    key_id: str = key.id
    return key_id


@cache
def _first_key() -> Any:
    return _new_key()


def _new_key() -> Any:
    backend = kms_backends[DEFAULT_ACCOUNT_ID][_REGION]
    return backend.create_key(None, "ENCRYPT_DECRYPT", "ECC_NIST_P256", "", None)
