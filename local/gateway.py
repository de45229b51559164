"""
Creates the routes and the CORS configuration of the emulated HTTP API.

The emulator ignores the OpenAPI body that SAM puts on an HTTP API. This module reads the same body from the
processed template and creates both from it. So the API has exactly the routes of template.yaml.
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
DEFAULT = "$default"  # The path of the catch-all route, which has every method.


@dataclass(frozen=True, slots=True)
class RouteSpec:
    """One route of the template."""

    method: str
    path: str
    function: str  # Its name in template.yaml.
    needs_token: bool

    @property
    def key(self) -> str:
        """The route key of API Gateway."""
        return DEFAULT if self.path == DEFAULT else f"{self.method} {self.path}"


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


def cors_of(processed_template: dict[str, Any], origins: list[str]) -> dict[str, Any] | None:
    """The CORS configuration for these origins, in the format of the API; None without origins."""
    body = processed_template["Resources"]["HttpApi"]["Properties"]["Body"]
    _, named, _ = body["x-amazon-apigateway-cors"]["Fn::If"]
    if not origins:
        return None
    return {name[0].upper() + name[1:]: value for name, value in named.items()} | {"AllowOrigins": origins}


def create_routes(emulator: Emulator, api_id: str, issuer: str, audiences: list[str]) -> list[RouteSpec]:
    """Create authorizer, integrations, routes and CORS of an API as the deployed template defines them."""
    gateway = emulator.client("apigatewayv2")
    _remove_all(gateway, api_id)
    lambdas = emulator.client("lambda")
    authorizer = gateway.create_authorizer(
        ApiId=api_id,
        Name="Jwt",
        AuthorizerType="JWT",
        IdentitySource=["$request.header.Authorization"],
        JwtConfiguration={"Issuer": issuer, "Audience": audiences},
    )["AuthorizerId"]
    names = function_names(emulator)
    template = _processed_template(emulator)
    if cors := cors_of(template, _origins(emulator)):
        gateway.update_api(ApiId=api_id, CorsConfiguration=cors)
    routes = routes_of(template)
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
            RouteKey=route.key,
            Target=f"integrations/{integrations[route.function]}",
            **security,
        )
    return routes


def _remove_all(gateway: Any, api_id: str) -> None:
    """Remove what an earlier start created."""
    for route in _every(gateway, "get_routes", api_id):
        gateway.delete_route(ApiId=api_id, RouteId=route["RouteId"])
    for integration in _every(gateway, "get_integrations", api_id):
        gateway.delete_integration(ApiId=api_id, IntegrationId=integration["IntegrationId"])
    for authorizer in _every(gateway, "get_authorizers", api_id):
        gateway.delete_authorizer(ApiId=api_id, AuthorizerId=authorizer["AuthorizerId"])


def _every(gateway: Any, operation: str, api_id: str) -> list[dict[str, Any]]:
    pages = gateway.get_paginator(operation).paginate(ApiId=api_id)
    return [item for page in pages for item in page["Items"]]


def _origins(emulator: Emulator) -> list[str]:
    # The emulator processes a template with its default parameters, so the origins come from the stack.
    (stack,) = emulator.client("cloudformation").describe_stacks(StackName=STACK_NAME)["Stacks"]
    values = {entry["ParameterKey"]: entry["ParameterValue"] for entry in stack["Parameters"]}
    return [origin for origin in values["CorsOrigins"].split(",") if origin]


def _processed_template(emulator: Emulator) -> dict[str, Any]:
    answer = emulator.client("cloudformation").get_template(StackName=STACK_NAME, TemplateStage="Processed")
    body = answer["TemplateBody"]
    template: dict[str, Any] = body if isinstance(body, dict) else json.loads(body)
    return template
