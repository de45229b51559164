"""A service gets a token with the template's client, as docs/operations.md describes."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest

from local.deploy import STACK_NAME

if TYPE_CHECKING:
    from local.stack import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.integration]


def test_a_service_gets_a_token_with_client_id_and_secret(cloud: Stack, http: httpx.Client) -> None:
    """The token endpoint is an output of the stack; the token reads every user's data and changes none."""
    cloudformation, pool = cloud.emulator.client("cloudformation"), cloud.emulator.client("cognito-idp")
    (stack,) = cloudformation.describe_stacks(StackName=STACK_NAME)["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    address = urlsplit(outputs["ServiceTokenUrl"])
    prefix, _, rest = address.netloc.partition(".")
    domain = pool.describe_user_pool_domain(Domain=prefix)["DomainDescription"]
    client = pool.describe_user_pool_client(
        UserPoolId=outputs["UserPoolId"], ClientId=outputs["ServiceClientId"]
    )["UserPoolClient"]

    assert (domain["UserPoolId"], rest) == (outputs["UserPoolId"], "auth.eu-west-1.amazoncognito.com")
    answer = httpx.post(  # The host name resolves on AWS only; the emulated one answers at its own address.
        cloud.aws_endpoint + address.path,
        auth=(client["ClientId"], client["ClientSecret"]),
        data={"grant_type": "client_credentials", "scope": "bg/read"},
        trust_env=False,
    )
    bearer = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    assert http.get("/api/bg/demo/latest", headers=bearer).status_code == 200
    assert http.post("/api/bg/demo/sync", headers=bearer).status_code == 403
