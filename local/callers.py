"""Users and services of the local user pool, and their access tokens for the deployed API."""

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import httpx

if TYPE_CHECKING:
    from local.emulator import Emulator

SCOPES = ("bg/read", "bg/write")
# The redirect of the sign-in is read and not followed, so no server listens there.
_REDIRECT = "http://127.0.0.1/signed-in"


@dataclass(frozen=True, slots=True)
class Callers:
    """The deployed user pool, and an app client that exists on this machine only."""

    emulator: Emulator
    pool_id: str
    person_client_id: str
    local_client_id: str

    @property
    def issuer(self) -> str:
        """The `iss` of the tokens."""
        region = self.pool_id.partition("_")[0]
        return f"https://cognito-idp.{region}.amazonaws.com/{self.pool_id}"

    def token(self, user_id: str, scopes: tuple[str, ...] = ()) -> str:
        """An access token of this user. With scopes it opens the data of all users, like a service token."""
        password = self._ensure(user_id)
        return (
            self._scoped_token(user_id, password, scopes) if scopes else self._plain_token(user_id, password)
        )

    def _ensure(self, user_id: str) -> str:
        """Create the user if needed, and set a new random password."""
        pool = self.emulator.client("cognito-idp")
        password = f"Aa1!{secrets.token_urlsafe(24)}"
        with suppress(pool.exceptions.UsernameExistsException):
            pool.admin_create_user(UserPoolId=self.pool_id, Username=user_id, MessageAction="SUPPRESS")
        pool.admin_set_user_password(
            UserPoolId=self.pool_id, Username=user_id, Password=password, Permanent=True
        )
        return password

    def _plain_token(self, user_id: str, password: str) -> str:
        response = self.emulator.client("cognito-idp").initiate_auth(
            ClientId=self.person_client_id,
            AuthFlow="USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": user_id, "PASSWORD": password},
        )
        token: str = response["AuthenticationResult"]["AccessToken"]
        return token

    def _scoped_token(self, user_id: str, password: str, scopes: tuple[str, ...]) -> str:
        """Use the code flow of Cognito's login page, because a password sign-in grants no custom scopes."""
        form = {
            "client_id": self.local_client_id,
            "redirect_uri": _REDIRECT,
            "response_type": "code",
            "scope": " ".join(scopes),
        }
        with httpx.Client(base_url=self.emulator.endpoint, trust_env=False) as page:
            signed_in = page.post("/login", data={**form, "username": user_id, "password": password})
            (code,) = parse_qs(urlsplit(signed_in.headers["location"]).query)["code"]
            response = page.post(
                "/oauth2/token",
                data={
                    "grant_type": "authorization_code",
                    "client_id": self.local_client_id,
                    "redirect_uri": _REDIRECT,
                    "code": code,
                },
            )
            token: str = response.raise_for_status().json()["access_token"]
            return token


def create_local_client(emulator: Emulator, pool_id: str) -> str:
    """Create an app client that may request scopes for a user, which the template's own client may not."""
    answer = emulator.client("cognito-idp").create_user_pool_client(
        UserPoolId=pool_id,
        ClientName="local-tokens",
        GenerateSecret=False,
        AllowedOAuthFlowsUserPoolClient=True,
        AllowedOAuthFlows=["code"],
        AllowedOAuthScopes=list(SCOPES),
        AccessTokenValidity=24,  # Hours, like the template's own client in development.
        CallbackURLs=[_REDIRECT],
        SupportedIdentityProviders=["COGNITO"],
    )
    client_id: str = answer["UserPoolClient"]["ClientId"]
    return client_id
