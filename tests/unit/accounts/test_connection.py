from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from bg_ingest.accounts.connection import Connection, ConnectionState
from bg_ingest.providers.seam import Endpoint
from tests.support.fakes import NOON

ADA = Connection("ada", Endpoint("dexcom", "us"), ConnectionState.CONNECTED, NOON, NOON, 7)


def _key(connection: Connection) -> str | None:
    return connection.account_at(lambda: 1.0).account_key


def test_an_account_key_lasts_as_long_as_the_login() -> None:
    """New tokens keep the key; a new login or another user has another key."""
    assert _key(replace(ADA, generation=8, sealed_tokens=b"new")) == _key(ADA)

    others = {_key(replace(ADA, connected_at=NOON + timedelta(microseconds=1)))}
    others |= {_key(replace(ADA, user_id=user_id)) for user_id in ("Ada", "ada ", "ad")}
    assert len(others - {_key(ADA)}) == 4


def test_an_account_key_contains_no_user_id() -> None:
    """The key is sixteen hexadecimal digits."""
    account_key = _key(ADA)

    assert account_key is not None
    assert len(account_key) == 16
    assert set(account_key) <= set("0123456789abcdef")
