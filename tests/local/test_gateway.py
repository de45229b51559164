"""Routes and CORS of the emulated gateway come from the template."""

from __future__ import annotations

import pytest

from local.gateway import RouteSpec, cors_of, routes_of


def _template(uri: str, security: list[dict[str, list[str]]]) -> dict[str, object]:
    operation = {"x-amazon-apigateway-integration": {"uri": {"Fn::Sub": uri}}, "security": security}
    return {"Resources": {"HttpApi": {"Properties": {"Body": {"paths": {"/health": {"get": operation}}}}}}}


URI = (
    "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/x/functions/${SiteFunction.Arn}/invocations"
)


def test_a_route_names_its_function_and_whether_it_is_open() -> None:
    """An operation without a security requirement of NONE asks for a token."""
    assert routes_of(_template(URI, [{"NONE": []}])) == [RouteSpec("GET", "/health", "SiteFunction", False)]
    assert routes_of(_template(URI, [{"Jwt": []}])) == [RouteSpec("GET", "/health", "SiteFunction", True)]


def test_a_route_to_nowhere_is_not_passed_over() -> None:
    """A form of the template this does not know must not become a missing route."""
    with pytest.raises(ValueError, match="names no function"):
        routes_of(_template("arn:somewhere", [{"Jwt": []}]))


def test_what_no_route_takes_is_a_route_without_a_method() -> None:
    """API Gateway knows it by a name of its own."""
    assert RouteSpec("X-AMAZON-APIGATEWAY-ANY-METHOD", "$default", "SiteFunction", False).key == "$default"
    assert RouteSpec("GET", "/health", "SiteFunction", False).key == "GET /health"


def test_origins_come_from_the_deployment_and_the_rest_from_the_template() -> None:
    """Without an origin there is no CORS at all."""
    named = {"allowOrigins": {"Fn::Split": [",", ""]}, "allowMethods": ["GET"], "maxAge": 600}
    condition = {"Fn::If": ["HasCorsOrigins", named, {"Ref": "AWS::NoValue"}]}
    template = {"Resources": {"HttpApi": {"Properties": {"Body": {"x-amazon-apigateway-cors": condition}}}}}

    assert cors_of(template, []) is None
    assert cors_of(template, ["https://a.example.org"]) == {
        "AllowOrigins": ["https://a.example.org"],
        "AllowMethods": ["GET"],
        "MaxAge": 600,
    }
