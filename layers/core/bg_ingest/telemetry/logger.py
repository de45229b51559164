"""The service's log: its level, its output, and the function that writes a line."""

from __future__ import annotations

import logging
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING

from bg_ingest.clock import SystemClock
from bg_ingest.settings import load
from bg_ingest.telemetry import outputs
from bg_ingest.telemetry.json_lines import FactOrList, JsonLines
from bg_ingest.telemetry.outputs import LossyHandler

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bg_ingest.clock import Clock
    from bg_ingest.settings import Settings

_logger = logging.getLogger("bg_ingest")
# Below WARNING these libraries log secrets: httpx and urllib3 whole URLs, httpcore headers.
_CAP_AT_WARNING = ("urllib3", "httpx", "httpcore")
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


class WaitingLines:
    """Lines of one thread that are written later, or dropped if nothing that matters has happened."""

    def __init__(self) -> None:
        self._records: list[logging.LogRecord] = []
        self.are_written = False

    def add(self, record: logging.LogRecord) -> None:
        """Let a line wait; a warning or an error, and what led to it, is written at once."""
        self._records.append(record)
        if self.are_written or record.levelno > logging.INFO:
            self.write()

    def count(self, message: str) -> int:
        """The number of waiting lines with this message."""
        return sum(record.msg == message for record in self._records)

    def drop(self) -> None:
        """Forget all of them."""
        self._records.clear()

    def write(self) -> None:
        """Write all of them; no later line waits."""
        self.are_written = True
        for record in self._records:
            _logger.handle(record)
        self._records.clear()


_waiting: ContextVar[WaitingLines | None] = ContextVar("waiting lines", default=None)


@contextmanager
def waiting_lines() -> Iterator[WaitingLines]:
    """Let the lines of this thread wait until the block ends."""
    waiting = WaitingLines()
    before = _waiting.set(waiting)
    try:
        yield waiting
    finally:
        _waiting.reset(before)
        waiting.write()


def log(
    message: str,
    *,
    level: int = logging.INFO,
    raised: BaseException | None = None,
    callers: int = 1,
    **facts: FactOrList,
) -> None:
    """Write one line; its `module` is the caller's, or that of `callers` frames above."""
    if not _logger.isEnabledFor(level):
        return
    file, number, function, _ = _logger.findCaller(stacklevel=1 + callers)
    raising = (type(raised), raised, raised.__traceback__) if raised else None
    extra = {"facts": facts}
    record = _logger.makeRecord(_logger.name, level, file, number, message, (), raising, function, extra)
    waiting = _waiting.get()
    if waiting is None:
        _logger.handle(record)
    else:
        waiting.add(record)


def _own_handlers() -> list[LossyHandler]:
    return [handler for handler in _logger.handlers if isinstance(handler, LossyHandler)]
