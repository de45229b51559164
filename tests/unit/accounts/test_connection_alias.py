from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from bg_ingest.accounts.connection import Connection, ConnectionState
from bg_ingest.providers.seam import Endpoint
from tests.support.fakes import NOON

ADA = Connection(
    "ada", Endpoint("dexcom", "us", "https://dexcom.test"), ConnectionState.CONNECTED, NOON, NOON, 7
)


def _key(connection: Connection) -> str | None:
    return connection.account_at(lambda: 1.0).account_key


def test_it_lasts_as_long_as_the_login() -> None:
    """New tokens are the same account's; the next login, or another person's, is another's."""
    assert _key(replace(ADA, generation=8, sealed_tokens=b"new")) == _key(ADA)

    others = {_key(replace(ADA, connected_at=NOON + timedelta(microseconds=1)))}
    others |= {_key(replace(ADA, user_id=user_id)) for user_id in ("Ada", "ada ", "ad")}
    assert len(others - {_key(ADA)}) == 4


def test_it_names_nobody() -> None:
    """Sixteen digits in which neither the person nor their login shows."""
    alias = _key(ADA)

    assert alias is not None
    assert len(alias) == 16
    assert set(alias) <= set("0123456789abcdef")
