"""The service's log: who writes a line, at which level, to where."""

from __future__ import annotations

import logging
from contextlib import suppress

from bg_ingest.clock import SystemClock
from bg_ingest.settings import settings
from bg_ingest.telemetry import outputs
from bg_ingest.telemetry.json_lines import Fact, JsonLines
from bg_ingest.telemetry.lossy_handler import LossyHandler

_logger = logging.getLogger("bg_ingest")
# Below WARNING these write what nobody may read: botocore the plaintext KMS answers with, httpx whole URLs,
# httpcore headers.
_CAP_AT_WARNING = ("boto3", "botocore", "urllib3", "httpx", "httpcore")
# pika writes the beginning of a message that came back, which holds values, and warns of every connection
# that ends, which for a function that rests is the rule. What matters of it is told by ourselves.
_SILENCED = "pika"


def configure(*, level: str | None = None, output: str | None = None) -> None:
    """Write lines from this level on to this place; what is not given is as LOG_LEVEL and LOG_OUTPUT say."""
    own = settings()
    function = own.aws_lambda_function_name
    handler = outputs.handler_for(output or own.log_output, function, SystemClock())
    handler.setFormatter(JsonLines(function))
    forget()
    _logger.addHandler(handler)
    _logger.setLevel(level or own.log_level)
    _logger.propagate = False  # The runtime's own handler would write every line a second time.
    for name in _CAP_AT_WARNING:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger(_SILENCED).setLevel(logging.CRITICAL)


def ready() -> None:
    """Configure as the settings say, unless somebody configured already."""
    if not _ours():
        configure()


def forget() -> None:
    """As if nobody had configured anything yet; other people's handlers stay."""
    for handler in _ours():
        _logger.removeHandler(handler)
        with suppress(OSError, ValueError):  # A file on a disk that is full.
            handler.close()


def _ours() -> list[LossyHandler]:
    return [handler for handler in _logger.handlers if isinstance(handler, LossyHandler)]


def log(
    message: str,
    *,
    level: int = logging.INFO,
    raised: BaseException | None = None,
    callers: int = 1,
    **facts: Fact,
) -> None:
    """Write one line; it bears the module of the caller, or of `callers` above it."""
    ready()
    _logger.log(level, message, extra={"facts": facts}, exc_info=raised, stacklevel=1 + callers)
