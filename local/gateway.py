"""
Gives the emulated HTTP API its routes.

The emulator ignores the OpenAPI body that SAM puts on an HTTP API. So the routes are made here from that very
body, as CloudFormation processed it: what is in template.yaml is what answers, and nothing else.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.deploy import STACK_NAME, function_names

if TYPE_CHECKING:
    from local.emulator import Emulator

_FUNCTION = re.compile(r"functions/\$\{(\w+)\.Arn\}")


@dataclass(frozen=True, slots=True)
class RouteSpec:
    """One route of the template."""

    method: str
    path: str
    function: str  # Its name in the template.
    needs_token: bool


def routes_of(processed_template: dict[str, Any]) -> list[RouteSpec]:
    """Every route of the processed template's HTTP API."""
    body = processed_template["Resources"]["HttpApi"]["Properties"]["Body"]
    routes = []
    for path, methods in body["paths"].items():
        for method, operation in methods.items():
            found = _FUNCTION.search(operation["x-amazon-apigateway-integration"]["uri"]["Fn::Sub"])
            if found is None:
                raise ValueError(f"{method} {path} names no function")
            needs_token = operation["security"] != [{"NONE": []}]
            routes.append(RouteSpec(method.upper(), path, found[1], needs_token))
    return routes


def create_routes(emulator: Emulator, api_id: str, issuer: str, audiences: list[str]) -> list[RouteSpec]:
    """Create authorizer, integrations and routes on the deployed API."""
    gateway = emulator.client("apigatewayv2")
    lambdas = emulator.client("lambda")
    authorizer = gateway.create_authorizer(
        ApiId=api_id,
        Name="Jwt",
        AuthorizerType="JWT",
        IdentitySource=["$request.header.Authorization"],
        JwtConfiguration={"Issuer": issuer, "Audience": audiences},
    )["AuthorizerId"]
    names = function_names(emulator)
    routes = routes_of(_processed_template(emulator))
    integrations = {
        function: gateway.create_integration(
            ApiId=api_id,
            IntegrationType="AWS_PROXY",
            IntegrationUri=lambdas.get_function_configuration(FunctionName=names[function])["FunctionArn"],
            PayloadFormatVersion="2.0",
        )["IntegrationId"]
        for function in {route.function for route in routes}
    }
    for route in routes:
        security = {"AuthorizationType": "JWT", "AuthorizerId": authorizer} if route.needs_token else {}
        gateway.create_route(
            ApiId=api_id,
            RouteKey=f"{route.method} {route.path}",
            Target=f"integrations/{integrations[route.function]}",
            **security,
        )
    return routes


def _processed_template(emulator: Emulator) -> dict[str, Any]:
    answer = emulator.client("cloudformation").get_template(StackName=STACK_NAME, TemplateStage="Processed")
    body = answer["TemplateBody"]
    template: dict[str, Any] = body if isinstance(body, dict) else json.loads(body)
    return template
