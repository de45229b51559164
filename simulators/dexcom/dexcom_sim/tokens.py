"""Dexcom's token endpoint: codes and refresh tokens in, new tokens out."""

from typing import Annotated, Any

from fastapi import APIRouter, Form
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from dexcom_sim.asked import WorldOf
from dexcom_sim.oauth import ACCESS_LIVES, GRANT_TYPES, Tokens
from dexcom_sim.refusals import oauth_error
from dexcom_sim.world import World

router = APIRouter()


class TokenForm(BaseModel):
    """The form body; what is missing is empty."""

    grant_type: str = ""
    client_id: str = ""
    client_secret: str = ""
    code: str = ""
    redirect_uri: str = ""
    refresh_token: str = ""

    def missing(self) -> list[str]:
        """The members without which this kind of grant means nothing."""
        by_grant = {"authorization_code": ("code", "redirect_uri"), "refresh_token": ("refresh_token",)}
        needed = ("client_id", "client_secret", *by_grant[self.grant_type])
        return [name for name in needed if not getattr(self, name)]


@router.post("/v2/oauth2/token")
@router.post("/v3/oauth2/token")
def token(world: WorldOf, form: Annotated[TokenForm, Form()]) -> JSONResponse:
    """Exchange a code or a refresh token; either is dead afterwards."""
    if not form.grant_type:
        raise oauth_error(400, "invalid_request", "grant_type is missing")
    if form.grant_type not in GRANT_TYPES:
        raise oauth_error(400, "unsupported_grant_type")
    missing = form.missing()
    if missing:
        raise oauth_error(400, "invalid_request", f"missing: {', '.join(missing)}")
    if not world.application.knows(form.client_id, form.client_secret):
        raise oauth_error(401, "invalid_client")
    tokens = _granted(world, form)
    if tokens is None:
        raise oauth_error(400, "invalid_grant")
    return JSONResponse(_answer(tokens), headers={"cache-control": "no-store"})


def _granted(world: World, form: TokenForm) -> Tokens | None:
    if form.grant_type == "refresh_token":
        return world.consents.refresh(form.refresh_token)
    return world.consents.exchange(form.code, form.redirect_uri)


def _answer(tokens: Tokens) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "access_token": tokens.access,
        "expires_in": int(ACCESS_LIVES.total_seconds()),
        "token_type": "Bearer",
        "refresh_token": tokens.refresh,
    }
    # Other members come now and then; a client that minds them breaks here rather than in production.
    if tokens.number % 3 == 1:
        answer["scope"] = "offline_access"
    if tokens.number % 5 == 2:
        answer["refresh_token_issued_at"] = None
    return answer
