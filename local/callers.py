"""Users and services of the local user pool, and their access tokens for the deployed API."""

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from local.emulator import Emulator

SCOPES = ("bg/read", "bg/write")


@dataclass(frozen=True, slots=True)
class Callers:
    """The deployed user pool and its two app clients."""

    emulator: Emulator
    pool_id: str
    person_client_id: str
    service_client_id: str

    @property
    def issuer(self) -> str:
        """The `iss` of the tokens."""
        region = self.pool_id.partition("_")[0]
        return f"https://cognito-idp.{region}.amazonaws.com/{self.pool_id}"

    def token(self, user_id: str, scopes: tuple[str, ...] = ()) -> str:
        """An access token of this user. With scopes it belongs to the service client instead."""
        return self._service_token(scopes) if scopes else self._person_token(user_id, self._ensure(user_id))

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

    def _person_token(self, user_id: str, password: str) -> str:
        response = self.emulator.client("cognito-idp").initiate_auth(
            ClientId=self.person_client_id,
            AuthFlow="USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": user_id, "PASSWORD": password},
        )
        token: str = response["AuthenticationResult"]["AccessToken"]
        return token

    def _service_token(self, scopes: tuple[str, ...]) -> str:
        """Use the client credentials grant, as a service does."""
        pool = self.emulator.client("cognito-idp")
        found = pool.describe_user_pool_client(UserPoolId=self.pool_id, ClientId=self.service_client_id)
        form = {
            "grant_type": "client_credentials",
            "client_id": self.service_client_id,
            "client_secret": found["UserPoolClient"]["ClientSecret"],
            "scope": " ".join(scopes),
        }
        with httpx.Client(base_url=self.emulator.endpoint, trust_env=False) as client:
            response = client.post("/oauth2/token", data=form)
            token: str = response.raise_for_status().json()["access_token"]
            return token
