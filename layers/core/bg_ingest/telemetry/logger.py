"""The service's log: its level, its output, and the function that writes a line."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from bg_ingest.clock import SystemClock
from bg_ingest.settings import load
from bg_ingest.telemetry import outputs
from bg_ingest.telemetry.json_lines import Fact, JsonLines
from bg_ingest.telemetry.outputs import LossyHandler

if TYPE_CHECKING:
    from bg_ingest.clock import Clock
    from bg_ingest.settings import Settings

_logger = logging.getLogger("bg_ingest")
# Below WARNING these libraries log secrets: botocore the plain-text keys of KMS, httpx whole URLs, httpcore
# headers.
_CAP_AT_WARNING = ("boto3", "botocore", "urllib3", "httpx", "httpcore")
# pika logs the beginning of a returned message, which holds values. It also warns of every connection that
# ends, which is normal for a frozen function. The service logs what matters of it.
_SILENCED = "pika"


def configure(
    settings: Settings | None = None,
    clock: Clock | None = None,
    *,
    level: str | None = None,
    output: str | None = None,
) -> None:
    """Log from this level on to this output; by default as LOG_LEVEL and LOG_OUTPUT say."""
    settings = settings or load()
    function = settings.aws_lambda_function_name
    handler = outputs.handler_for(output or settings.log_output, function, clock or SystemClock())
    handler.setFormatter(JsonLines(function))
    reset()
    _logger.addHandler(handler)
    _logger.setLevel(level or settings.log_level)
    _logger.propagate = False  # The Lambda runtime's own handler would write every line a second time.
    for name in _CAP_AT_WARNING:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger(_SILENCED).setLevel(logging.CRITICAL)


def ensure_configured(settings: Settings, clock: Clock) -> None:
    """Configure as the settings say, unless `configure` was called before."""
    if not _own_handlers():
        configure(settings, clock)


def reset() -> None:
    """Remove the service's handlers; handlers of other code stay."""
    for handler in _own_handlers():
        _logger.removeHandler(handler)
        with suppress(OSError, ValueError):  # A file on a full disk.
            handler.close()


def log(
    message: str,
    *,
    level: int = logging.INFO,
    raised: BaseException | None = None,
    callers: int = 1,
    **facts: Fact,
) -> None:
    """Write one line; its `module` is the caller's, or that of `callers` frames above."""
    _logger.log(level, message, extra={"facts": facts}, exc_info=raised, stacklevel=1 + callers)


def _own_handlers() -> list[LossyHandler]:
    return [handler for handler in _logger.handlers if isinstance(handler, LossyHandler)]
