"""Unusual spellings of a path never reach another user's data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bg_ingest.aws import aws_clients
from tests.functions.conftest import REGION, TABLES
from tests.support import path_tricks

if TYPE_CHECKING:
    from tests.functions.conftest import FunctionsWorld

TRICKS = path_tricks.of("demo", "eve")
# One route of each function that is about a user, reading and writing.
ABOUT_A_USER = [
    "query_latest",
    "query_range",
    "query_audit",
    "insight_statistics",
    "insight_profile",
    "sync_settings",
    "connect_remove",
    "erase_user",
]


def _event(world: FunctionsWorld, name: str, user_id: str, caller: str) -> dict[str, Any]:
    event = world.event(name)
    path = event["rawPath"].replace("/api/bg/demo", f"/api/bg/{user_id}")
    event["rawPath"] = event["requestContext"]["http"]["path"] = path
    event["pathParameters"] = {"userId": user_id}
    event["requestContext"]["authorizer"] = {"jwt": {"claims": {"sub": caller}, "scopes": None}}
    return event


def _everything() -> list[Any]:
    """All items, apart from the counts of calls."""
    client = aws_clients.dynamodb(REGION)
    items = [client.scan(TableName=name)["Items"] for name in TABLES]
    return [[item for item in each if not item["pk"]["S"].startswith("app#limit#")] for each in items]


@pytest.mark.parametrize("name", ABOUT_A_USER)
def test_no_spelling_of_a_path_reaches_another_users_data(world: FunctionsWorld, name: str) -> None:
    """The request is rejected, and nothing is read, changed or audited."""
    function, before = name.split("_", maxsplit=1)[0], _everything()
    answers = {
        path: world.invoke(function, _event(world, name, path, caller="eve"))
        for trick in TRICKS
        for path in path_tricks.readings_of(trick)
    }

    let_in = {path for path, answer in answers.items() if answer["statusCode"] not in {403, 404, 422}}
    assert let_in == set()
    assert not any("glucose" in answer["body"] for answer in answers.values())
    assert _everything() == before


def test_access_and_data_use_the_same_user_id(world: FunctionsWorld) -> None:
    """Both come from the path; the path parameters of the gateway are ignored."""
    event = _event(world, "query_latest", "demo", caller="eve")
    event["pathParameters"] = {"userId": "eve"}

    assert world.invoke("query", event)["statusCode"] == 403


@pytest.mark.parametrize(
    "name",
    ["Demo", "DEMO", "demo ", " demo", "demo\n", "demo\x00", "demo/", "demo.", "demo\u200b", "\uff44emo"],
)
def test_a_similar_user_id_is_another_user(world: FunctionsWorld, name: str) -> None:
    """User ids are compared exactly, with case, spaces and control characters."""
    for user_id in ("demo", name):
        answer = world.invoke("query", _event(world, "query_latest", user_id, caller=name))
        assert "glucose" not in answer["body"]
        assert answer["statusCode"] in {403, 404, 422}


@pytest.mark.parametrize("name", ["query_range", "sync_settings", "erase_user"])
def test_a_path_that_ends_in_a_newline_is_404(world: FunctionsWorld, name: str) -> None:
    """The newline is part of the path, so the path matches no route."""
    event, before = world.event(name), _everything()
    path = f"{event['rawPath']}\n"
    event["rawPath"] = event["requestContext"]["http"]["path"] = path

    assert world.invoke(name.split("_", maxsplit=1)[0], event)["statusCode"] == 404
    assert _everything() == before
