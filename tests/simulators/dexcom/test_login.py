from __future__ import annotations

from html.parser import HTMLParser

import httpx
import pytest

from dexcom_sim.application import Application
from dexcom_sim.in_process import InProcess
from dexcom_sim.world import World
from tests.simulators.dexcom.visitor import ANA, ASKED, CALLBACK, LOGIN, arrived
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
    answer = arrived().client.get(LOGIN, params=ASKED)
    form = Form(answer.text)

    assert answer.status_code == 200
    assert {f"SandboxUser{number}" for number in range(1, 8)} <= set(form.users)
    assert form.buttons == ["authorize", "deny"]
    assert "script" not in form.tags


@pytest.mark.parametrize("path", ["/v2/oauth2/login", "/v3/oauth2/login"])
def test_authorize_sends_back_a_code_and_the_state(path: str) -> None:
    """Pressing Authorize leads to the application's address with a code that works."""
    visitor = arrived()
    form = Form(visitor.client.get(path, params=ASKED).text)
    pressed = {**form.hidden, "user": ANA, "decision": "authorize"}
    answer = visitor.client.post(path, data=pressed)
    back = httpx.URL(answer.headers["location"])

    assert answer.status_code == 302
    assert str(back.copy_with(query=None)) == CALLBACK
    assert back.params["state"] == "state-4711"
    assert visitor.exchange(back.params["code"]).status_code == 200


def test_deny_sends_back_an_error() -> None:
    """Pressing Deny leads back with access_denied, the state and no code."""
    visitor = arrived()
    answer = visitor.client.post(LOGIN, data={**ASKED, "user": ANA, "decision": "deny"})

    assert dict(httpx.URL(answer.headers["location"]).params) == {
        "error": "access_denied",
        "state": "state-4711",
    }


def test_a_program_may_skip_the_page() -> None:
    """With sim_user in the link the redirect comes at once, yes or no."""
    client = arrived().client
    yes = client.get(LOGIN, params={**ASKED, "sim_user": ANA})
    no = client.get(LOGIN, params={**ASKED, "sim_user": ANA, "sim_decision": "deny"})

    assert (yes.status_code, no.status_code) == (302, 302)
    assert "code" in httpx.URL(yes.headers["location"]).params
    assert "error" in httpx.URL(no.headers["location"]).params


def test_the_callback_keeps_its_own_query() -> None:
    """What the application's address already carried is still there."""
    client = arrived().client
    asked = {**ASKED, "redirect_uri": f"{CALLBACK}?from=a%26b", "sim_user": ANA}
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
    answer = arrived().client.get(LOGIN, params={**ASKED, **wrong})

    assert answer.status_code == 400
    assert "location" not in answer.headers
    assert answer.headers["content-type"].startswith("text/html")


def test_an_unregistered_address_gets_nobody() -> None:
    """With an allow list, only its addresses are redirected to."""
    world = World(clock=FakeClock(), application=Application(redirect_uris=(CALLBACK,)))
    client = httpx.Client(transport=InProcess(world), base_url="http://dexcom.sim")

    assert client.get(LOGIN, params={**ASKED, "redirect_uri": CALLBACK}).status_code == 200
    assert client.get(LOGIN, params={**ASKED, "redirect_uri": CALLBACK + "2"}).status_code == 400


def test_the_page_repeats_nothing_unescaped() -> None:
    """A state that is a piece of HTML stays text."""
    page = arrived().client.get(LOGIN, params={**ASKED, "state": '"><script>1</script>'}).text

    assert "<script>" not in page
    assert Form(page).hidden["state"] == '"><script>1</script>'
