"""Endpoints of webhook subscriptions, at the path that the simulator was started with."""

from typing import Annotated, Any

from fastapi import APIRouter, Body
from fastapi.responses import JSONResponse, Response

from dexcom_sim.http.dependencies import SimulatorDependency, TokenOwner
from dexcom_sim.http.errors import HttpError, invalid_parameter
from dexcom_sim.subscriptions import SUBSCRIPTIONS_MAX, WebhookSubscription

_URL_LENGTH_MAX = 2_048


def router_at(path: str) -> APIRouter:
    """The endpoints at this path."""
    router = APIRouter(prefix=path)
    router.add_api_route("", register, methods=["POST"])
    router.add_api_route("", list_own, methods=["GET"])
    router.add_api_route("/{subscription_id:path}", remove, methods=["DELETE"])
    return router


def register(
    simulator: SimulatorDependency, person: TokenOwner, wanted: Annotated[Any, Body()] = None
) -> JSONResponse:
    """Register an address. The same address again returns the existing subscription."""
    url = wanted.get("url") if isinstance(wanted, dict) else None
    if not isinstance(url, str) or not url.startswith(("https://", "http://")) or len(url) > _URL_LENGTH_MAX:
        raise invalid_parameter("url", f"must be an http(s) address of at most {_URL_LENGTH_MAX} characters")
    registered = simulator.subscriptions.register(person.name, url)
    if registered is None:
        raise HttpError(409, {"message": f"a user may have {SUBSCRIPTIONS_MAX} subscriptions"})
    return JSONResponse(as_json(registered), 201)


def list_own(simulator: SimulatorDependency, person: TokenOwner) -> dict[str, Any]:
    """The subscriptions of this user."""
    return {"subscriptions": [as_json(each) for each in simulator.subscriptions.listed(person.name)]}


def remove(simulator: SimulatorDependency, person: TokenOwner, subscription_id: str) -> Response:
    """Remove a subscription of this user. Another user's subscription is not found."""
    if not simulator.subscriptions.remove(person.name, subscription_id):
        raise HttpError(404, {"message": "no such subscription"})
    return Response(status_code=204)


def as_json(subscription: WebhookSubscription) -> dict[str, str]:
    """The subscription as the API returns it."""
    return {"id": subscription.id, "url": subscription.url}
