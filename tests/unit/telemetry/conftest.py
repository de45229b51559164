"""Fixtures for a process that has not logged yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bg_ingest.telemetry import logger
from bg_ingest.telemetry.meter import meter

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _fresh_process() -> Iterator[None]:
    logger.reset()
    meter.drain()
    yield
    logger.reset()
    meter.drain()
