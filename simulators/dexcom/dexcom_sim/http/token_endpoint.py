"""Dexcom's token endpoint: exchanges a code or a refresh token for new tokens."""

from typing import Annotated, Any

from fastapi import APIRouter, Form
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from dexcom_sim.http.dependencies import SimulatorDependency
from dexcom_sim.http.errors import oauth_error
from dexcom_sim.oauth import ACCESS_LIFETIME, GRANT_TYPES, IssuedTokens
from dexcom_sim.simulator import SimulatedDexcom

router = APIRouter()


class TokenForm(BaseModel):
    """The form of a token request. A member that is left out is empty."""

    grant_type: str = ""
    client_id: str = ""
    client_secret: str = ""
    code: str = ""
    redirect_uri: str = ""
    refresh_token: str = ""

    def missing(self) -> list[str]:
        """The members that this grant type requires and the form lacks."""
        by_grant = {"authorization_code": ("code", "redirect_uri"), "refresh_token": ("refresh_token",)}
        required = ("client_id", "client_secret", *by_grant[self.grant_type])
        return [name for name in required if not getattr(self, name)]


@router.post("/v2/oauth2/token")
@router.post("/v3/oauth2/token")
def token(simulator: SimulatorDependency, form: Annotated[TokenForm, Form()]) -> JSONResponse:
    """Exchange a code or a refresh token, which is invalid afterwards."""
    if not form.grant_type:
        raise oauth_error(400, "invalid_request", "grant_type is missing")
    if form.grant_type not in GRANT_TYPES:
        raise oauth_error(400, "unsupported_grant_type")
    missing = form.missing()
    if missing:
        raise oauth_error(400, "invalid_request", f"missing: {', '.join(missing)}")
    if not simulator.application.has_credentials(form.client_id, form.client_secret):
        raise oauth_error(401, "invalid_client")
    tokens = _issued(simulator, form)
    if tokens is None:
        raise oauth_error(400, "invalid_grant")
    return JSONResponse(_body(tokens), headers={"cache-control": "no-store"})


def _issued(simulator: SimulatedDexcom, form: TokenForm) -> IssuedTokens | None:
    if form.grant_type == "refresh_token":
        return simulator.consents.refresh(form.refresh_token)
    return simulator.consents.exchange(form.code, form.redirect_uri)


def _body(tokens: IssuedTokens) -> dict[str, Any]:
    body: dict[str, Any] = {
        "access_token": tokens.access,
        "expires_in": int(ACCESS_LIFETIME.total_seconds()),
        "token_type": "Bearer",
        "refresh_token": tokens.refresh,
    }
    # Some responses have further members, so that a client that rejects them fails here first.
    if tokens.number % 3 == 1:
        body["scope"] = "offline_access"
    if tokens.number % 5 == 2:
        body["refresh_token_issued_at"] = None
    return body
