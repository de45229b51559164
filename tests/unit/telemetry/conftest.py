"""A process that has not logged yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bg_ingest.settings import settings
from bg_ingest.telemetry import logger, meter

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _fresh_process() -> Iterator[None]:
    _forget()
    yield
    _forget()


def _forget() -> None:
    logger.forget()
    settings.cache_clear()
    meter.meter.cache_clear()
