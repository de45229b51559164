"""The operator's page: its sentence, and that every number of a service is on it."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from bg_ingest.facades.page import document
from bg_ingest.facades.page.status_view import QueueLevel, ServiceStatus
from tests.support.status_views import TROUBLED, WELL, WORDING


def _text(status: ServiceStatus) -> str:
    page = re.sub(r"<style>.*?</style>", "", document.status_page(status, WORDING), flags=re.DOTALL)
    return re.sub(r"[ \n]+", " ", re.sub(r"<[^>]+>", " ", page))


def test_a_service_without_concerns_is_well() -> None:
    """The sentence says so, and no concern is listed."""
    assert WELL.concerns == []
    assert "All is well 298 users, 272 connected." in _text(WELL)


@pytest.mark.parametrize(
    ("status", "concern"),
    [
        (replace(WELL, provider_is_down=True), "Calls to the provider are stopped"),
        (replace(WELL, quota_taken=48_000), "80 % of this hour's calls are spent"),
        (replace(WELL, queues={"polls": QueueLevel(0, 0, 0, 1)}), "1 message was given up"),
        (replace(WELL, queues={"polls": QueueLevel(1_000, 0, 0, 0)}), "Orders wait in polls"),
    ],
)
def test_each_fault_is_a_concern(status: ServiceStatus, concern: str) -> None:
    """One fault, one concern."""
    (found,) = status.concerns

    assert concern in found
    assert "1 thing needs a look" in _text(status)


@pytest.mark.parametrize(
    "status", [replace(WELL, quota_taken=47_999), replace(WELL, queues={"polls": QueueLevel(999, 9, 9, 0)})]
)
def test_below_a_limit_there_is_no_concern(status: ServiceStatus) -> None:
    """A backlog of less than a thousand, and a quota of less than 80 percent, are usual."""
    assert status.concerns == []


def test_every_number_is_on_the_page() -> None:
    """Users, ages, queues, quota and failures; concerns come in the order of urgency."""
    text = _text(TROUBLED).replace("\N{NO-BREAK SPACE}", "")

    numbers = [*TROUBLED.states.values(), *TROUBLED.ages.values(), TROUBLED.quota_taken, TROUBLED.quota_limit]
    numbers += [each.users for each in TROUBLED.failures]
    for level in TROUBLED.queues.values():
        numbers += [level.waiting, level.in_work, level.delayed, level.given_up]
    for number in numbers:
        assert re.search(rf"\b{number}\b", text), number
    assert "4 things need a look" in text
    assert text.index("Calls to the provider") < text.index("given up") < text.index("Orders wait")


def test_json_has_the_numbers_of_the_page() -> None:
    """A program gets what the page shows."""
    numbers = TROUBLED.as_json()

    assert numbers["users"] == {"counted": 1_000, "more": True, "by_state": TROUBLED.states}
    assert numbers["queues"]["polls"] == {"waiting": 18_204, "in_work": 20, "delayed": 950, "given_up": 2}
    assert numbers["concerns"] == TROUBLED.concerns
    assert numbers["provider"] == "unavailable"
