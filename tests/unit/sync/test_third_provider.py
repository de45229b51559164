from __future__ import annotations

import ast
import inspect
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from bg_ingest.accounts.connection import Connections
from bg_ingest.dynamo import Table
from bg_ingest.sync.connected_provider import ConnectedProvider
from tests.support import third_provider
from tests.support.fakes import NOON, FakeClock
from tests.support.logins import save_login
from tests.support.memory_dynamo import MemoryDynamo
from tests.support.third_provider import THIRD, ThirdProvider, UserIdTokens
from tests.support.turns import endless_turn
from tests.unit.sync.stage import SyncStage, seen_at_once

if TYPE_CHECKING:
    from bg_ingest.providers.seam import Provider


def test_a_third_provider_takes_at_most_forty_lines() -> None:
    """A provider for the engine's tests needs no more than that."""
    tree = ast.parse(inspect.getsource(third_provider))
    (provider,) = [
        node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "ThirdProvider"
    ]

    assert provider.end_lineno is not None
    assert provider.end_lineno - provider.lineno + 1 <= 40


def test_the_engine_polls_a_third_provider() -> None:
    """A poll stores the readings of the provider."""
    stage = SyncStage(seen_at_once(NOON - timedelta(minutes=5 * age) for age in range(1, 13)))

    result = stage.sync()

    assert result.counts is not None
    assert result.counts.stored == 12
    assert not stage.missing()


def test_a_provider_without_upload_times_is_not_asked() -> None:
    """The provider is not called, and there is no range of uploads."""
    clock = FakeClock()
    connections = Connections(Table(MemoryDynamo(), "users"), clock)  # type: ignore[arg-type]  # A stand-in.
    save_login(connections, "ada", THIRD, b"sealed", data_from=NOON)
    third = ThirdProvider(SyncStage().provider)
    silent: Provider = replace(third, capabilities=replace(third.capabilities, upload_times=False))
    source = ConnectedProvider(
        connections, UserIdTokens(), {silent.name: silent}, endless_turn(), lambda: math.inf
    )

    assert source.uploaded_since("ada", datetime(1970, 1, 1, tzinfo=UTC)) is None
