"""The subscription endpoints. tests/contract has the tests of the client."""

from __future__ import annotations

import pytest

from dexcom_sim.__main__ import parse_arguments, simulator_of
from tests.simulators.dexcom.visitor import ANA, Visitor, new_visitor

PATH = "/v3/users/self/subscriptions"
HOOK = {"url": "https://app.example/hook"}


def connected(subscriptions_path: str | None = PATH) -> tuple[Visitor, dict[str, str]]:
    """A visitor, and the header with Ana's access token."""
    visitor = new_visitor(subscriptions_path=subscriptions_path)
    return visitor, {"authorization": f"Bearer {visitor.connect()['access_token']}"}


def test_without_a_path_there_is_no_endpoint() -> None:
    """By default the simulator has no subscriptions, as Dexcom."""
    visitor, ana = connected(None)

    assert visitor.client.post(PATH, json=HOOK, headers=ana).status_code == 404
    assert visitor.client.get("/_sim/subscriptions").json() == {"path": None, "subscriptions": []}


def test_the_control_api_lists_all_subscriptions() -> None:
    """The list names the user of each subscription, and a reset removes them."""
    visitor, ana = connected()
    created = visitor.client.post(PATH, json=HOOK, headers=ana)

    assert created.status_code == 201
    listed = visitor.client.get("/_sim/subscriptions").json()
    assert listed == {"path": PATH, "subscriptions": [{**created.json(), "user": ANA}]}

    visitor.client.post("/_sim/reset")
    assert visitor.client.get("/_sim/subscriptions").json()["subscriptions"] == []


def test_each_request_needs_a_token() -> None:
    """Registering, listing and removing return 401 without a token."""
    visitor, ana = connected()
    created = visitor.client.post(PATH, json=HOOK, headers=ana).json()

    assert visitor.client.post(PATH, json=HOOK).status_code == 401
    assert visitor.client.get(PATH).status_code == 401
    assert visitor.client.delete(f"{PATH}/{created['id']}").status_code == 401


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"url": 7}', b'{"url": null}'])
def test_an_invalid_registration_is_rejected(body: bytes) -> None:
    """A body without a valid address is rejected and no subscription is stored."""
    visitor, ana = connected()
    response = visitor.client.post(PATH, content=body, headers={**ana, "content-type": "application/json"})

    assert response.status_code in {400, 422}
    assert visitor.client.get(PATH, headers=ana).json() == {"subscriptions": []}


def test_the_command_line_sets_the_path() -> None:
    """Without the option there is no path."""
    assert simulator_of(parse_arguments(["--subscriptions-path", PATH])).subscriptions_path == PATH
    assert simulator_of(parse_arguments([])).subscriptions_path is None


@pytest.mark.parametrize("path", ["", "/", "hooks", "/_sim/hooks", "/a//b", "/a?b", "/{user}"])
def test_an_invalid_path_is_rejected(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The command prints the reason and serves no request."""
    with pytest.raises(SystemExit):
        parse_arguments(["--subscriptions-path", path])
    assert "must be a path like" in capsys.readouterr().err
