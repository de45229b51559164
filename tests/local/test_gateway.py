"""The routes and the CORS configuration of the emulated gateway."""

from __future__ import annotations

import pytest

from local.gateway import RouteSpec, cors_of, routes_of


def _template(uri: str, security: list[dict[str, list[str]]]) -> dict[str, object]:
    operation = {"x-amazon-apigateway-integration": {"uri": {"Fn::Sub": uri}}, "security": security}
    return {"Resources": {"HttpApi": {"Properties": {"Body": {"paths": {"/health": {"get": operation}}}}}}}


URI = (
    "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/x/functions/${SiteFunction.Arn}/invocations"
)


def test_a_route_has_its_function_and_its_authorization() -> None:
    """A route needs a token unless the security requirement of the template is `NONE`."""
    assert routes_of(_template(URI, [{"NONE": []}])) == [RouteSpec("GET", "/health", "SiteFunction", False)]
    assert routes_of(_template(URI, [{"Jwt": []}])) == [RouteSpec("GET", "/health", "SiteFunction", True)]


def test_a_route_without_function_is_an_error() -> None:
    """An unknown form of the template must not lead to a missing route."""
    with pytest.raises(ValueError, match="names no function"):
        routes_of(_template("arn:somewhere", [{"Jwt": []}]))


def test_the_catch_all_route_has_no_method() -> None:
    """API Gateway names it $default."""
    assert RouteSpec("X-AMAZON-APIGATEWAY-ANY-METHOD", "$default", "SiteFunction", False).key == "$default"
    assert RouteSpec("GET", "/health", "SiteFunction", False).key == "GET /health"


def test_cors_has_the_origins_of_the_deployment() -> None:
    """The methods and the age come from the template; without origins there is no CORS."""
    named = {"allowOrigins": {"Fn::Split": [",", ""]}, "allowMethods": ["GET"], "maxAge": 600}
    condition = {"Fn::If": ["HasCorsOrigins", named, {"Ref": "AWS::NoValue"}]}
    template = {"Resources": {"HttpApi": {"Properties": {"Body": {"x-amazon-apigateway-cors": condition}}}}}

    assert cors_of(template, []) is None
    assert cors_of(template, ["https://a.example.org"]) == {
        "AllowOrigins": ["https://a.example.org"],
        "AllowMethods": ["GET"],
        "MaxAge": 600,
    }
