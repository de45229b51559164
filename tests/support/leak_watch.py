"""
Watches all that the test run logs, measures and raises, and fails the test in which something leaked.

Watched are: each record of our loggers as the line it becomes, metrics being records, too; records of
libraries that Lambda would print; what the functions' tests print; and the text of each exception of our own
classes, caught or not. What is ours may not hold a number either that nothing explains. Exceptions of other
classes are not watched: our log never writes their text (`telemetry.entry_point` and `JsonLines`, which have
tests of their own).
"""

from __future__ import annotations

import logging
from functools import wraps
from itertools import chain
from threading import Lock
from typing import TYPE_CHECKING, Any

import pytest

from bg_ingest.telemetry.json_lines import JsonLines
from tests.support.bare_numbers import unexplained_in_error, unexplained_in_line
from tests.support.leaks import leaks_in

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

_OURS = ("bg_ingest", "functions")
_LINES = JsonLines("test")


class LeakWatch:
    """One for a test process; pytest calls its hooks."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._records: list[logging.LogRecord] = []
        self._raised: list[BaseException] = []
        self._watched: set[type] = set()

    def start(self) -> None:
        """See every record that is made from now on, by whichever logger."""
        make = logging.getLogRecordFactory()

        def noting(*args: Any, **kwargs: Any) -> logging.LogRecord:
            record = make(*args, **kwargs)
            with self._lock:
                self._records.append(record)
            return record

        logging.setLogRecordFactory(noting)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Look through what this part of the test did."""
        report = yield
        found = self.drain()
        if "tests/functions" in item.path.as_posix() and call.when == "call":
            printed = report.capstdout + report.capstderr
            found += leaks_in(printed)
            found += chain.from_iterable(map(unexplained_in_line, printed.splitlines()))
        if found and report.outcome != "failed":
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid} let out {'; '.join(sorted(set(found)))}"
        return report

    def pytest_runtest_setup(self) -> None:
        """Modules may have been imported since the test before."""
        self.watch_exceptions()

    def watch_exceptions(self) -> None:
        """Note every exception of our own classes as it is made."""
        for kind in _classes_beneath(BaseException):
            if kind.__module__.startswith(_OURS) and kind not in self._watched:
                self._watched.add(kind)
                if "__init__" in vars(kind) or not kind.__mro__[1].__module__.startswith(_OURS):
                    setattr(kind, "__init__", self._noting(getattr(kind, "__init__")))  # noqa: B009, B010 - mypy refuses the plain form.

    def drain(self) -> list[str]:
        """What leaked since the last time."""
        with self._lock:
            records, self._records = self._records, []
            raised, self._raised = self._raised, []
        lines = [_line(record) for record in records if _is_heard(record)]
        texts = [f"{error} {error!r}" for error in raised]
        ours = [_line(record) for record in records if _is_ours(record)]
        return [
            *(leak for text in (*lines, *texts) for leak in leaks_in(text)),
            *(number for line in ours for number in unexplained_in_line(line)),
            *(number for text in texts for number in unexplained_in_error(text)),
        ]

    def _noting(self, make: Callable[..., None]) -> Callable[..., None]:
        @wraps(make)
        def noted(error: BaseException, *args: Any, **kwargs: Any) -> None:
            make(error, *args, **kwargs)
            with self._lock:
                self._raised.append(error)

        return noted


def _classes_beneath(kind: type[BaseException]) -> Iterator[type[BaseException]]:
    for beneath in kind.__subclasses__():
        yield beneath
        yield from _classes_beneath(beneath)


def _is_heard(record: logging.LogRecord) -> bool:
    # A record made by hand may have neither name nor level.
    return _is_ours(record) or (record.levelno or 0) >= logging.WARNING


def _is_ours(record: logging.LogRecord) -> bool:
    return (record.name or "").startswith(_OURS)


def _line(record: logging.LogRecord) -> str:
    return record.getMessage() if record.name == "bg_ingest.metrics" else _LINES.format(record)
