from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from bg_ingest.aws.cached_secret import MAX_AGE_S, CachedSecret
from tests.support.fakes import FakeClock


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A Secrets Manager that holds the first secret."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        client = boto3.client("secretsmanager", region_name="eu-west-1")  # noqa: TID251 - there is no wiring here.
        client.create_secret(Name="dexcom", SecretString="first")
        yield client


@pytest.fixture
def held(manager: Any, clock: FakeClock) -> CachedSecret[str]:
    """The secret as one process caches it."""
    return CachedSecret(lambda: manager.get_secret_value(SecretId="dexcom")["SecretString"], clock)


def test_a_rotated_secret_is_used_within_five_minutes(
    held: CachedSecret[str], manager: Any, clock: FakeClock
) -> None:
    """A cached secret is read again after five minutes and not before."""
    assert held.get() == "first"
    manager.put_secret_value(SecretId="dexcom", SecretString="second")
    clock.advance(MAX_AGE_S - 1)
    assert held.get() == "first"

    clock.advance(1)
    assert held.get() == "second"


def test_a_cached_secret_is_used_while_reading_fails(
    held: CachedSecret[str], manager: Any, clock: FakeClock
) -> None:
    """If the secret cannot be read, then the cached one is used, and the next call retries."""
    held.get()
    manager.delete_secret(SecretId="dexcom", ForceDeleteWithoutRecovery=True)
    clock.advance(MAX_AGE_S)
    assert held.get() == "first"

    manager.create_secret(Name="dexcom", SecretString="third")
    assert held.get() == "third"


def test_a_first_read_that_fails_raises(held: CachedSecret[str], manager: Any) -> None:
    """Without a cached secret the error of Secrets Manager is raised."""
    manager.delete_secret(SecretId="dexcom", ForceDeleteWithoutRecovery=True)

    with pytest.raises(manager.exceptions.ResourceNotFoundException):
        held.get()
