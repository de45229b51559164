"""People and services of the local user pool, and the tokens that the deployed API accepts from them."""

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
# Nothing listens there: the sign-in's redirect is read, not followed.
_NOWHERE = "http://127.0.0.1/signed-in"


@dataclass(frozen=True, slots=True)
class Callers:
    """The deployed user pool, and a client of it that is for this machine only."""

    emulator: Emulator
    pool_id: str
    person_client_id: str
    local_client_id: str

    @property
    def issuer(self) -> str:
        """Who the tokens say issued them."""
        region = self.pool_id.partition("_")[0]
        return f"https://cognito-idp.{region}.amazonaws.com/{self.pool_id}"

    def token(self, user_id: str, scopes: tuple[str, ...] = ()) -> str:
        """An access token of this person; scopes open other people's data to it, as to a service."""
        password = self._ensure(user_id)
        return (
            self._scoped_token(user_id, password, scopes) if scopes else self._plain_token(user_id, password)
        )

    def _ensure(self, user_id: str) -> str:
        """The person with a fresh password; nobody types these, so none has to be kept."""
        pool = self.emulator.client("cognito-idp")
        password = f"Aa1!{secrets.token_urlsafe(24)}"
        with suppress(pool.exceptions.UsernameExistsException):
            pool.admin_create_user(UserPoolId=self.pool_id, Username=user_id, MessageAction="SUPPRESS")
        pool.admin_set_user_password(
            UserPoolId=self.pool_id, Username=user_id, Password=password, Permanent=True
        )
        return password

    def _plain_token(self, user_id: str, password: str) -> str:
        answer = self.emulator.client("cognito-idp").initiate_auth(
            ClientId=self.person_client_id,
            AuthFlow="USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": user_id, "PASSWORD": password},
        )
        token: str = answer["AuthenticationResult"]["AccessToken"]
        return token

    def _scoped_token(self, user_id: str, password: str, scopes: tuple[str, ...]) -> str:
        """Signing in with a password gives no scopes of ours; the code flow of Cognito's own page does."""
        form = {
            "client_id": self.local_client_id,
            "redirect_uri": _NOWHERE,
            "response_type": "code",
            "scope": " ".join(scopes),
        }
        with httpx.Client(base_url=self.emulator.endpoint, trust_env=False) as page:
            signed_in = page.post("/login", data={**form, "username": user_id, "password": password})
            (code,) = parse_qs(urlsplit(signed_in.headers["location"]).query)["code"]
            answer = page.post(
                "/oauth2/token",
                data={
                    "grant_type": "authorization_code",
                    "client_id": self.local_client_id,
                    "redirect_uri": _NOWHERE,
                    "code": code,
                },
            )
            token: str = answer.raise_for_status().json()["access_token"]
            return token


def create_local_client(emulator: Emulator, pool_id: str) -> str:
    """A client that may ask for scopes on a person's behalf, which the template's own client must not."""
    answer = emulator.client("cognito-idp").create_user_pool_client(
        UserPoolId=pool_id,
        ClientName="local-tokens",
        GenerateSecret=False,
        AllowedOAuthFlowsUserPoolClient=True,
        AllowedOAuthFlows=["code"],
        AllowedOAuthScopes=list(SCOPES),
        AccessTokenValidity=24,  # Hours, as the template's own client in development.
        CallbackURLs=[_NOWHERE],
        SupportedIdentityProviders=["COGNITO"],
    )
    client_id: str = answer["UserPoolClient"]["ClientId"]
    return client_id
