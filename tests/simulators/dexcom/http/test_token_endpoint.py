from __future__ import annotations

import pytest

from tests.simulators.dexcom.visitor import CREDENTIALS, TOKEN, new_visitor


@pytest.mark.parametrize("path", ["/v2/oauth2/token", "/v3/oauth2/token"])
def test_a_code_is_exchanged_for_tokens(path: str) -> None:
    """The response has the members that OAuth requires and must not be cached."""
    visitor = new_visitor()
    form = {**CREDENTIALS, "grant_type": "authorization_code", "code": visitor.code()}
    response = visitor.client.post(path, data={**form, "redirect_uri": "https://app.example/callback"})

    assert response.status_code == 200
    assert response.json()["token_type"] == "Bearer"
    assert response.json()["expires_in"] == 7200
    assert response.headers["cache-control"] == "no-store"


def test_a_refresh_invalidates_the_old_refresh_token() -> None:
    """The refresh returns a new refresh token, which works once."""
    visitor = new_visitor()
    first = visitor.connect()
    second = visitor.refresh(first["refresh_token"]).json()
    again = visitor.refresh(first["refresh_token"])

    assert second["refresh_token"] != first["refresh_token"]
    assert (again.status_code, again.json()) == (400, {"error": "invalid_grant"})
    assert visitor.refresh(second["refresh_token"]).status_code == 200


def test_some_responses_have_further_members() -> None:
    """The required members are always there; others are in some responses only."""
    visitor = new_visitor()
    members = {frozenset(visitor.connect()) for _ in range(10)}

    assert len(members) > 1
    assert all({"access_token", "refresh_token", "expires_in", "token_type"} <= names for names in members)


def test_tokens_differ_in_length() -> None:
    """No client may rely on the length of a token."""
    visitor = new_visitor()
    tokens = [visitor.connect() for _ in range(5)]

    assert len({len(it["access_token"]) for it in tokens}) > 1


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({}, 400, "invalid_request"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": "refresh_token", **CREDENTIALS}, 400, "invalid_request"),
        ({"grant_type": "authorization_code", **CREDENTIALS, "code": "x"}, 400, "invalid_request"),
        ({"grant_type": "refresh_token", **CREDENTIALS, "refresh_token": "x"}, 400, "invalid_grant"),
        (
            {"grant_type": "refresh_token", "client_id": "x", "client_secret": "y", "refresh_token": "z"},
            401,
            "invalid_client",
        ),
    ],
)
def test_errors_follow_rfc_6749(form: dict[str, str], status: int, error: str) -> None:
    """Status and error code are those of the standard."""
    response = new_visitor().client.post(TOKEN, data=form)

    assert (response.status_code, response.json()["error"]) == (status, error)


def test_a_wrong_secret_does_not_use_up_the_code() -> None:
    """A code sent with a wrong secret can still be exchanged with the right one."""
    visitor = new_visitor()
    code = visitor.code()

    assert visitor.exchange(code, client_secret="wrong").status_code == 401
    assert visitor.exchange(code).status_code == 200


def test_a_json_body_is_rejected() -> None:
    """The endpoint reads form bodies only."""
    response = new_visitor().client.post(TOKEN, json={"grant_type": "refresh_token"})

    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")
