"""WebhookSubscriptions as the simulator keeps them; the client's side is in tests/contract."""

from __future__ import annotations

import pytest

from dexcom_sim.__main__ import parse_arguments, simulator_of
from tests.simulators.dexcom.visitor import ANA, Visitor, new_visitor

PATH = "/v3/users/self/subscriptions"
HOOK = {"url": "https://app.example/hook"}


def connected(subscriptions_path: str | None = PATH) -> tuple[Visitor, dict[str, str]]:
    """A visitor, and the header that opens Ana's data."""
    visitor = new_visitor(subscriptions_path=subscriptions_path)
    return visitor, {"authorization": f"Bearer {visitor.connect()['access_token']}"}


def test_without_a_path_there_are_none() -> None:
    """As at Dexcom."""
    visitor, ana = connected(None)

    assert visitor.client.post(PATH, json=HOOK, headers=ana).status_code == 404
    assert visitor.client.get("/_sim/subscriptions").json() == {"path": None, "subscriptions": []}


def test_the_control_api_tells_whose_they_are() -> None:
    """And a reset forgets them."""
    visitor, ana = connected()
    made = visitor.client.post(PATH, json=HOOK, headers=ana)

    assert made.status_code == 201
    as_ordered = visitor.client.get("/_sim/subscriptions").json()
    assert as_ordered == {"path": PATH, "subscriptions": [{**made.json(), "user": ANA}]}

    visitor.client.post("/_sim/reset")
    assert visitor.client.get("/_sim/subscriptions").json()["subscriptions"] == []


def test_a_token_is_needed() -> None:
    """To register, to list, to remove."""
    visitor, ana = connected()
    made = visitor.client.post(PATH, json=HOOK, headers=ana).json()

    assert visitor.client.post(PATH, json=HOOK).status_code == 401
    assert visitor.client.get(PATH).status_code == 401
    assert visitor.client.delete(f"{PATH}/{made['id']}").status_code == 401


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"url": 7}', b'{"url": null}'])
def test_what_is_no_request_is_refused(body: bytes) -> None:
    """And nothing is kept of it."""
    visitor, ana = connected()
    response = visitor.client.post(PATH, content=body, headers={**ana, "content-type": "application/json"})

    assert response.status_code in {400, 422}
    assert visitor.client.get(PATH, headers=ana).json() == {"subscriptions": []}


def test_the_command_line_gives_the_path() -> None:
    """Unless it is none."""
    assert simulator_of(parse_arguments(["--subscriptions-path", PATH])).subscriptions_path == PATH
    assert simulator_of(parse_arguments([])).subscriptions_path is None


@pytest.mark.parametrize("path", ["", "/", "hooks", "/_sim/hooks", "/a//b", "/a?b", "/{user}"])
def test_what_is_no_path_is_refused(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    """In one line, before anything is served."""
    with pytest.raises(SystemExit):
        parse_arguments(["--subscriptions-path", path])
    assert "must be a path like" in capsys.readouterr().err
