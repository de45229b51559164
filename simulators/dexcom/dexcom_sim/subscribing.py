"""The endpoints of subscriptions, at the path the simulator was given."""

from typing import Annotated, Any

from fastapi import APIRouter, Body
from fastapi.responses import JSONResponse, Response

from dexcom_sim.asked import Reader, WorldOf
from dexcom_sim.refusals import Refused, bad_parameter
from dexcom_sim.subscriptions import SUBSCRIPTIONS_MAX, Subscription

_URL_LENGTH_MAX = 2_048

control = APIRouter(prefix="/_sim")


def routes(path: str) -> APIRouter:
    """Register, list and remove at that path."""
    router = APIRouter(prefix=path)
    router.add_api_route("", register, methods=["POST"])
    router.add_api_route("", listed, methods=["GET"])
    router.add_api_route("/{subscription_id:path}", remove, methods=["DELETE"])
    return router


def register(world: WorldOf, person: Reader, wanted: Annotated[Any, Body()] = None) -> JSONResponse:
    """Call this address from now on; the same address again is the same subscription."""
    url = wanted.get("url") if isinstance(wanted, dict) else None
    if not isinstance(url, str) or not url.startswith(("https://", "http://")) or len(url) > _URL_LENGTH_MAX:
        raise bad_parameter("url", f"must be an http(s) address of at most {_URL_LENGTH_MAX} characters")
    made = world.subscriptions.register(person.name, url)
    if made is None:
        raise Refused(409, {"message": f"a person may have {SUBSCRIPTIONS_MAX} subscriptions"})
    return JSONResponse(_told(made), 201)


def listed(world: WorldOf, person: Reader) -> dict[str, Any]:
    """What is called for this person's data."""
    return {"subscriptions": [_told(each) for each in world.subscriptions.listed(person.name)]}


def remove(world: WorldOf, person: Reader, subscription_id: str) -> Response:
    """Call it no more; other people's do not exist for this one."""
    if not world.subscriptions.remove(person.name, subscription_id):
        raise Refused(404, {"message": "no such subscription"})
    return Response(status_code=204)


@control.get("/subscriptions")
def everybodys(world: WorldOf) -> dict[str, Any]:
    """At which path there are subscriptions, if at any, and who has which."""
    kept = [{**_told(each), "user": each.user} for each in world.subscriptions.listed()]
    return {"path": world.subscriptions_path, "subscriptions": kept}


def _told(subscription: Subscription) -> dict[str, str]:
    return {"id": subscription.id, "url": subscription.url}
