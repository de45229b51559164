"""The simulated Dexcom as an ASGI application."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from fastapi import FastAPI

from dexcom_sim import api, api_v2, control, control_faults, login, subscribing, tokens
from dexcom_sim.gate import Gate
from dexcom_sim.refusals import Refused

if TYPE_CHECKING:
    from fastapi import Request
    from fastapi.responses import JSONResponse

    from dexcom_sim.world import World


def create_app(world: World) -> FastAPI:
    """An application that answers from that world, and from nothing else."""
    app = FastAPI(
        title="Simulated Dexcom", docs_url="/_sim/docs", redoc_url=None, openapi_url="/_sim/openapi.json"
    )
    app.state.world = world
    for routes in (login, tokens, api, api_v2, control, control_faults):
        app.include_router(routes.router)
    app.include_router(subscribing.control)
    if world.subscriptions_path is not None:
        app.include_router(subscribing.routes(world.subscriptions_path))
    app.add_exception_handler(Refused, _refuse)
    app.add_middleware(Gate, world=world)
    return app


def _refuse(_: Request, refused: Exception) -> JSONResponse:
    return cast("Refused", refused).answer()
