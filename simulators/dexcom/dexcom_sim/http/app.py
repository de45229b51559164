"""The simulated Dexcom as an ASGI application."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from fastapi import FastAPI

from dexcom_sim.http import control, data_endpoints, login, subscription_endpoints, token_endpoint
from dexcom_sim.http.errors import HttpError
from dexcom_sim.http.middleware import FaultMiddleware

if TYPE_CHECKING:
    from fastapi import Request
    from fastapi.responses import JSONResponse

    from dexcom_sim.simulator import SimulatedDexcom


def create_app(simulator: SimulatedDexcom) -> FastAPI:
    """An application that serves this simulator."""
    app = FastAPI(
        title="Simulated Dexcom", docs_url="/_sim/docs", redoc_url=None, openapi_url="/_sim/openapi.json"
    )
    app.state.simulator = simulator
    routers = [login.router, token_endpoint.router, data_endpoints.router, control.router]
    if simulator.subscriptions_path is not None:
        routers.append(subscription_endpoints.router_at(simulator.subscriptions_path))
    for router in routers:
        # Not include_router(), which builds each route again for each application. That takes 11 ms.
        app.router.routes.extend(router.routes)
    app.add_exception_handler(HttpError, _error_response)
    app.add_middleware(FaultMiddleware, simulator=simulator)
    return app


def _error_response(_: Request, error: Exception) -> JSONResponse:
    return cast("HttpError", error).response()
