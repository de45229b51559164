from __future__ import annotations

from html.parser import HTMLParser

import httpx
import pytest

from dexcom_sim.in_process import InProcessTransport
from dexcom_sim.oauth import RegisteredApplication
from dexcom_sim.simulator import SimulatedDexcom
from tests.simulators.dexcom.visitor import ANA, CALLBACK, LOGIN, LOGIN_PARAMETERS, new_visitor
from tests.support.fakes import FakeClock


class LoginPageForm(HTMLParser):
    """The form of a page, as a browser without scripts reads it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.hidden: dict[str, str] = {}
        self.users: list[str] = []
        self.buttons: list[str] = []
        self.tags: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect hidden inputs, users and buttons."""
        values = {name: value or "" for name, value in attrs}
        self.tags.add(tag)
        if values.get("type") == "hidden":
            self.hidden[values["name"]] = values["value"]
        elif values.get("type") == "radio":
            self.users.append(values["value"])
        elif tag == "button":
            self.buttons.append(values["value"])


def test_the_page_has_the_users_and_two_buttons() -> None:
    """The page offers sandbox users to choose from, Authorize and Deny, and needs no script."""
    response = new_visitor().client.get(LOGIN, params=LOGIN_PARAMETERS)
    form = LoginPageForm(response.text)

    assert response.status_code == 200
    assert {f"SandboxUser{number}" for number in range(1, 8)} <= set(form.users)
    assert form.buttons == ["authorize", "deny"]
    assert "script" not in form.tags


@pytest.mark.parametrize("path", ["/v2/oauth2/login", "/v3/oauth2/login"])
def test_authorize_redirects_with_a_code_and_the_state(path: str) -> None:
    """The redirect leads to the application's address, and its code can be exchanged."""
    visitor = new_visitor()
    form = LoginPageForm(visitor.client.get(path, params=LOGIN_PARAMETERS).text)
    pressed = {**form.hidden, "user": ANA, "decision": "authorize"}
    response = visitor.client.post(path, data=pressed)
    back = httpx.URL(response.headers["location"])

    assert response.status_code == 302
    assert str(back.copy_with(query=None)) == CALLBACK
    assert back.params["state"] == "state-4711"
    assert visitor.exchange(back.params["code"]).status_code == 200


def test_deny_redirects_with_an_error() -> None:
    """The redirect has access_denied and the state, and no code."""
    visitor = new_visitor()
    response = visitor.client.post(LOGIN, data={**LOGIN_PARAMETERS, "user": ANA, "decision": "deny"})

    assert dict(httpx.URL(response.headers["location"]).params) == {
        "error": "access_denied",
        "state": "state-4711",
    }


def test_sim_user_redirects_without_the_page() -> None:
    """A link with sim_user gets the redirect at once, with a code or with an error."""
    client = new_visitor().client
    yes = client.get(LOGIN, params={**LOGIN_PARAMETERS, "sim_user": ANA})
    no = client.get(LOGIN, params={**LOGIN_PARAMETERS, "sim_user": ANA, "sim_decision": "deny"})

    assert (yes.status_code, no.status_code) == (302, 302)
    assert "code" in httpx.URL(yes.headers["location"]).params
    assert "error" in httpx.URL(no.headers["location"]).params


def test_the_redirect_keeps_the_query_of_its_address() -> None:
    """Parameters that the application put into its address are still there."""
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
        {"sim_user": "NoSuchUser"},
        {"sim_user": ANA, "sim_decision": "perhaps"},
    ],
    ids=str,
)
def test_an_invalid_link_shows_a_page_with_400(wrong: dict[str, str]) -> None:
    """An invalid link never redirects; the page says why."""
    response = new_visitor().client.get(LOGIN, params={**LOGIN_PARAMETERS, **wrong})

    assert response.status_code == 400
    assert "location" not in response.headers
    assert response.headers["content-type"].startswith("text/html")


def test_only_registered_addresses_are_redirected_to() -> None:
    """With a list of redirect addresses, every other address is refused."""
    simulator = SimulatedDexcom(
        clock=FakeClock(), application=RegisteredApplication(redirect_uris=(CALLBACK,))
    )
    client = httpx.Client(transport=InProcessTransport(simulator), base_url="http://dexcom.sim")

    assert client.get(LOGIN, params={**LOGIN_PARAMETERS, "redirect_uri": CALLBACK}).status_code == 200
    assert client.get(LOGIN, params={**LOGIN_PARAMETERS, "redirect_uri": CALLBACK + "2"}).status_code == 400


def test_the_page_escapes_its_parameters() -> None:
    """A state that contains HTML is shown as text."""
    page = new_visitor().client.get(LOGIN, params={**LOGIN_PARAMETERS, "state": '"><script>1</script>'}).text

    assert "<script>" not in page
    assert LoginPageForm(page).hidden["state"] == '"><script>1</script>'
