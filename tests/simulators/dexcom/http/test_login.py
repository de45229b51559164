from __future__ import annotations

from html.parser import HTMLParser

import httpx
import pytest

from dexcom_sim.in_process import InProcessTransport
from dexcom_sim.oauth import RegisteredApplication
from dexcom_sim.simulator import SimulatedDexcom
from tests.simulators.dexcom.visitor import ANA, CALLBACK, LOGIN, LOGIN_PARAMETERS, new_visitor
from tests.support.fakes import FakeClock


class Form(HTMLParser):
    """Reads a page as a browser without scripts would: the form's fields and its buttons."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.hidden: dict[str, str] = {}
        self.users: list[str] = []
        self.buttons: list[str] = []
        self.tags: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect what matters."""
        values = {name: value or "" for name, value in attrs}
        self.tags.add(tag)
        if values.get("type") == "hidden":
            self.hidden[values["name"]] = values["value"]
        elif values.get("type") == "radio":
            self.users.append(values["value"])
        elif tag == "button":
            self.buttons.append(values["value"])


def test_the_page_lists_the_sandbox_users_and_two_buttons() -> None:
    """A person can choose among SandboxUser1 to 7 and say yes or no, without any script."""
    response = new_visitor().client.get(LOGIN, params=LOGIN_PARAMETERS)
    form = Form(response.text)

    assert response.status_code == 200
    assert {f"SandboxUser{number}" for number in range(1, 8)} <= set(form.users)
    assert form.buttons == ["authorize", "deny"]
    assert "script" not in form.tags


@pytest.mark.parametrize("path", ["/v2/oauth2/login", "/v3/oauth2/login"])
def test_authorize_sends_back_a_code_and_the_state(path: str) -> None:
    """Pressing Authorize leads to the application's address with a code that works."""
    visitor = new_visitor()
    form = Form(visitor.client.get(path, params=LOGIN_PARAMETERS).text)
    pressed = {**form.hidden, "user": ANA, "decision": "authorize"}
    response = visitor.client.post(path, data=pressed)
    back = httpx.URL(response.headers["location"])

    assert response.status_code == 302
    assert str(back.copy_with(query=None)) == CALLBACK
    assert back.params["state"] == "state-4711"
    assert visitor.exchange(back.params["code"]).status_code == 200


def test_deny_sends_back_an_error() -> None:
    """Pressing Deny leads back with access_denied, the state and no code."""
    visitor = new_visitor()
    response = visitor.client.post(LOGIN, data={**LOGIN_PARAMETERS, "user": ANA, "decision": "deny"})

    assert dict(httpx.URL(response.headers["location"]).params) == {
        "error": "access_denied",
        "state": "state-4711",
    }


def test_a_program_may_skip_the_page() -> None:
    """With sim_user in the link the redirect comes at once, yes or no."""
    client = new_visitor().client
    yes = client.get(LOGIN, params={**LOGIN_PARAMETERS, "sim_user": ANA})
    no = client.get(LOGIN, params={**LOGIN_PARAMETERS, "sim_user": ANA, "sim_decision": "deny"})

    assert (yes.status_code, no.status_code) == (302, 302)
    assert "code" in httpx.URL(yes.headers["location"]).params
    assert "error" in httpx.URL(no.headers["location"]).params


def test_the_callback_keeps_its_own_query() -> None:
    """What the application's address already carried is still there."""
    client = new_visitor().client
    asked = {**LOGIN_PARAMETERS, "redirect_uri": f"{CALLBACK}?from=a%26b", "sim_user": ANA}
    back = httpx.URL(client.get(LOGIN, params=asked).headers["location"])

    assert back.params["from"] == "a&b"
    assert "code" in back.params


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_id": "someone-else"},
        {"client_id": ""},
        {"redirect_uri": ""},
        {"redirect_uri": "ftp://app.example"},
        {"response_type": "token"},
        {"scope": "email"},
        {"sim_user": "Nobody"},
        {"sim_user": ANA, "sim_decision": "perhaps"},
    ],
    ids=str,
)
def test_a_wrong_link_is_a_plain_page(wrong: dict[str, str]) -> None:
    """Nobody is redirected anywhere when the link is wrong: 400 and a sentence."""
    response = new_visitor().client.get(LOGIN, params={**LOGIN_PARAMETERS, **wrong})

    assert response.status_code == 400
    assert "location" not in response.headers
    assert response.headers["content-type"].startswith("text/html")


def test_an_unregistered_address_gets_nobody() -> None:
    """With an allow list, only its addresses are redirected to."""
    simulator = SimulatedDexcom(
        clock=FakeClock(), application=RegisteredApplication(redirect_uris=(CALLBACK,))
    )
    client = httpx.Client(transport=InProcessTransport(simulator), base_url="http://dexcom.sim")

    assert client.get(LOGIN, params={**LOGIN_PARAMETERS, "redirect_uri": CALLBACK}).status_code == 200
    assert client.get(LOGIN, params={**LOGIN_PARAMETERS, "redirect_uri": CALLBACK + "2"}).status_code == 400


def test_the_page_repeats_nothing_unescaped() -> None:
    """A state that is a piece of HTML stays text."""
    page = new_visitor().client.get(LOGIN, params={**LOGIN_PARAMETERS, "state": '"><script>1</script>'}).text

    assert "<script>" not in page
    assert Form(page).hidden["state"] == '"><script>1</script>'
