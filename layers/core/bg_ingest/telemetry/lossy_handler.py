"""What every place that lines go to has in common."""

from __future__ import annotations

import logging
import sys


class LossyHandler(logging.Handler):
    """A line that cannot be written is lost; the first of them is told about on stderr."""

    _silent = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - logging's own names.
        """Say once what keeps lines from being written; the library would print each of them."""
        if not self._silent:
            self._silent = True
            kind = sys.exc_info()[0]
            sys.stderr.write(f"bg_ingest: log lines are being lost: {kind.__name__ if kind else 'unknown'}\n")
