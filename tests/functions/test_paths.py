"""However a path is written, a person reaches their own data and nobody else's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bg_ingest.wiring import aws_clients
from tests.support import path_tricks

if TYPE_CHECKING:
    from tests.functions.conftest import World

TRICKS = path_tricks.of("demo", "eve")
# One route of each function that is about a person, reading and writing.
ABOUT_A_PERSON = [
    "query_latest",
    "query_range",
    "query_audit",
    "sync_settings",
    "connect_remove",
    "erase_user",
]


def _event(world: World, name: str, user_id: str, caller: str) -> dict[str, Any]:
    event = world.event(name)
    path = event["rawPath"].replace("/api/bg/demo", f"/api/bg/{user_id}")
    event["rawPath"] = event["requestContext"]["http"]["path"] = path
    event["pathParameters"] = {"userId": user_id}
    event["requestContext"]["authorizer"] = {"jwt": {"claims": {"sub": caller}, "scopes": None}}
    return event


def _everything() -> list[Any]:
    client = aws_clients.dynamodb()
    return [client.scan(TableName=name)["Items"] for name in ("readings", "users")]


@pytest.mark.parametrize("name", ABOUT_A_PERSON)
def test_no_path_leads_to_somebody_else(world: World, name: str) -> None:
    """Refused, whatever the gateway made of it, and nothing is read, changed or recorded."""
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


def test_who_is_let_in_is_who_the_function_reads(world: World) -> None:
    """The path counts, for the question as for the answer; what the gateway took out of it does not."""
    event = _event(world, "query_latest", "demo", caller="eve")
    event["pathParameters"] = {"userId": "eve"}

    assert world.invoke("query", event)["statusCode"] == 403


@pytest.mark.parametrize(
    "name",
    ["Demo", "DEMO", "demo ", " demo", "demo\n", "demo\x00", "demo/", "demo.", "demo\u200b", "\uff44emo"],
)
def test_somebody_with_nearly_the_same_name_is_somebody_else(world: World, name: str) -> None:
    """As their token says it, letter for letter."""
    for user_id in ("demo", name):
        answer = world.invoke("query", _event(world, "query_latest", user_id, caller=name))
        assert "glucose" not in answer["body"]
        assert answer["statusCode"] in {403, 404, 422}


@pytest.mark.parametrize("name", ["query_range", "sync_settings", "erase_user"])
def test_a_line_break_after_a_path_is_part_of_it(world: World, name: str) -> None:
    """Not even of the person's own: what is no path of ours is no request."""
    event, before = world.event(name), _everything()
    path = f"{event['rawPath']}\n"
    event["rawPath"] = event["requestContext"]["http"]["path"] = path

    assert world.invoke(name.split("_", maxsplit=1)[0], event)["statusCode"] == 404
    assert _everything() == before
