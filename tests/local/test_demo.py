"""What READY means: the demo user's data can be read."""

from __future__ import annotations

import json
from contextlib import contextmanager
from http.server import HTTPServer
from typing import TYPE_CHECKING

import pytest

from local import demo
from local.errors import CannotStart
from tests.support.web_server import ANY_PORT, QuietHandler, serving

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def _api(*answers: tuple[str, int, object]) -> Iterator[str]:
    """A server that gives these answers, in this order, to these requests for the demo user's data."""
    expected = list(answers)

    class DemoHandler(QuietHandler):
        def do_GET(self) -> None:
            path, status, content = expected.pop(0) if expected else ("", 500, None)
            self.send_response(status if self.path == f"/api/bg/demo/{path}" else 500)
            self.end_headers()
            self.wfile.write(json.dumps(content).encode())

    with serving(HTTPServer(ANY_PORT, DemoHandler)) as address:
        yield address
    assert not expected


def test_ready_waits_for_a_reading_that_can_be_read() -> None:
    """Before it there is none yet, and a busy machine answers with 503."""
    with _api(("latest", 404, None), ("latest", 503, None), ("latest", 200, {})) as api:
        demo.wait_for_readings(api, "token")


def test_an_unexpected_answer_stops_the_start() -> None:
    """The message has the request and its status."""
    with (
        _api(("latest", 401, None)) as api,
        pytest.raises(CannotStart, match=r"GET /api/bg/demo/latest answered 401"),
    ):
        demo.wait_for_readings(api, "token")


def test_a_continued_start_checks_that_data_is_answered() -> None:
    """The start also succeeds for a user who has deleted the readings or the connection."""
    with _api(("latest", 404, None), ("connection", 200, {})) as api:
        demo.check_reads(api, "token")
    with _api(("latest", 200, {}), ("connection", 500, {})) as api, pytest.raises(CannotStart, match="500"):
        demo.check_reads(api, "token")


@pytest.mark.parametrize(
    ("age_s", "state", "simulated", "said"),
    [
        (70, "connected", True, "The newest reading is 1 minute old: the sensor measures every 5 minutes"),
        (290, "connected", True, "The newest reading is 4 minutes old: the sensor measures every 5 minutes"),
        (4000, "connected", False, "is 66 minutes old. Dexcom serves a phone's readings an hour late"),
        (4000, "disconnected", True, "is 66 minutes old: the demo user is not connected."),
    ],
)
def test_the_start_says_how_old_the_newest_reading_is(
    age_s: int, state: str, *, simulated: bool, said: str
) -> None:
    """And why, so that the first contact does not look broken."""
    answers = (("latest", 200, {"age_seconds": age_s}), ("connection", 200, {"state": state}))
    with _api(*answers) as api:
        assert said in demo.freshness(api, "token", simulated=simulated)


def test_the_start_says_that_there_is_no_reading() -> None:
    """A user of a real Dexcom has none before the login."""
    with _api(("latest", 404, None), ("connection", 200, {"state": "none"})) as api:
        assert demo.freshness(api, "token", simulated=False) == "The demo user has no reading yet."
