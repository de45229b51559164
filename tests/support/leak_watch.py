"""
Fails a test whose log records, metrics, output or exceptions contain personal data or secrets.

It checks each record of the project's own loggers, as the line that is written, and each metric. It
checks the records of libraries that Lambda would print, and the output of the tests of functions. It checks
the text of each exception of the project's own classes, even if it is caught. The project's own lines and
exceptions may also contain no number that the documents do not explain. Secrets and ids are found by their
shape, and those of the running test by their values, in any form (run_secrets.py). Exceptions of other
classes are not checked, because their text is never logged; `telemetry.entry_point` and `JsonLines` have
tests for that.
"""

from __future__ import annotations

import logging
import sys
from functools import wraps
from importlib.abc import MetaPathFinder
from itertools import chain
from threading import Lock
from typing import TYPE_CHECKING, Any

import pytest

from bg_ingest.telemetry.json_lines import JsonLines
from tests.support.bare_numbers import unexplained_in_error, unexplained_in_line
from tests.support.leaks import leaks_in
from tests.support.run_secrets import RunSecrets, follow

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

_OURS = ("bg_ingest", "functions")
_LINES = JsonLines("test")


class _ImportWatch(MetaPathFinder):
    """Notes that a module of the project is imported, and leaves finding it to the other finders."""

    def __init__(self) -> None:
        self.is_new = True

    def find_spec(self, fullname: str, *_: Any) -> None:
        """Return nothing, so that the next finder is asked."""
        self.is_new = self.is_new or fullname.startswith(_OURS)


class LeakWatch:
    """A pytest plugin, with one instance for each test process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._records: list[logging.LogRecord] = []
        self._raised: list[BaseException] = []
        self._watched: set[type] = set()
        self._imports = _ImportWatch()
        self.known = RunSecrets()

    def start(self) -> None:
        """Record every log record of all loggers from now on."""
        make = logging.getLogRecordFactory()

        def noting(*args: Any, **kwargs: Any) -> logging.LogRecord:
            record = make(*args, **kwargs)
            with self._lock:
                self._records.append(record)
            return record

        logging.setLogRecordFactory(noting)
        sys.meta_path.insert(0, self._imports)
        follow(self.known)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Check the output of this phase of the test."""
        report = yield
        found = self.drain()
        if "tests/functions" in item.path.as_posix() and call.when == "call":
            printed = report.capstdout + report.capstderr
            found += leaks_in(printed)
            found += chain.from_iterable(map(unexplained_in_line, printed.splitlines()))
            found += self.known.found_in(printed)
        if found and report.outcome != "failed":
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid} let out {'; '.join(sorted(set(found)))}"
        return report

    def pytest_runtest_setup(self) -> None:
        """Watch the exception classes of modules that were imported since the previous test."""
        self.watch_exceptions()

    def pytest_runtest_logfinish(self, location: tuple[str, int | None, str]) -> None:
        """Forget the values of this test; the deployed logs are checked after all end-to-end tests."""
        if not location[0].startswith("tests/e2e"):
            self.known.forget()

    def watch_exceptions(self) -> None:
        """Record every new exception of the project's own classes, which only a new module can define."""
        if not self._imports.is_new:
            return  # A walk over a thousand classes before each test takes as long as many tests.
        self._imports.is_new = False
        for kind in _classes_beneath(BaseException):
            if kind.__module__.startswith(_OURS) and kind not in self._watched:
                self._watched.add(kind)
                if "__init__" in vars(kind) or not kind.__mro__[1].__module__.startswith(_OURS):
                    setattr(kind, "__init__", self._noting(getattr(kind, "__init__")))  # noqa: B009, B010 - mypy refuses the plain form.

    def drain(self) -> list[str]:
        """The leaks since the previous call."""
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
            *self.known.found_in("\n".join((*lines, *texts))),
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
