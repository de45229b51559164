"""The page's client of the user pool, and the circle that its address must not close."""

from __future__ import annotations

import json

from tests.support.template_document import resource


def test_the_gateway_accepts_no_token_of_the_page() -> None:
    """A token that was made for the page opens no route of the API."""
    authorizer = resource("HttpApi")["Auth"]["Authorizers"]["Jwt"]["JwtConfiguration"]

    assert "PageClient" not in json.dumps(authorizer)


def test_the_page_function_does_not_refer_to_its_client() -> None:
    """Client, API and function would wait for each other: the function reads the client at run time."""
    page = resource("PageFunction")
    text = json.dumps({name: value for name, value in page.items() if name != "Events"})

    for name in ("PageClient", "PageClientParameter", "HttpApi"):
        assert f'"{name}"' not in text
        assert f"${{{name}" not in text
    assert {event["Properties"]["ApiId"]["Ref"] for event in page["Events"].values()} == {"HttpApi"}
    assert resource("PageClientParameter")["Name"] == {"Fn::Sub": "/${AWS::StackName}/page-client"}


def test_the_client_is_public_and_knows_the_code_flow_only() -> None:
    """No secret has to be kept, because each code is bound to its browser by PKCE."""
    client = resource("PageClient")

    assert client["GenerateSecret"] is False
    assert client["AllowedOAuthFlows"] == ["code"]
    assert client["AllowedOAuthScopes"] == ["openid"]


def test_the_page_function_cannot_change_readings() -> None:
    """It only queries the readings; an erasure is the erase function's, by a message."""
    statements = [
        statement
        for policy in resource("PageFunction")["Policies"]
        for statement in policy.get("Statement", [])
        if "ReadingsTable" in json.dumps(statement["Resource"])
    ]

    assert [statement["Action"] for statement in statements] == ["dynamodb:Query"]
