"""A service signs in with the template's own client, as docs/operations.md says."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest

from local.deploy import STACK_NAME

if TYPE_CHECKING:
    from local.stack import Stack

pytestmark = pytest.mark.e2e


def test_a_service_gets_a_token_by_its_client_and_secret(cloud: Stack, http: httpx.Client) -> None:
    """At the address that is an output of the stack; the token reads anybody's data and changes nothing."""
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
    answer = httpx.post(  # The name resolves on AWS alone; the emulated one answers at its own address.
        cloud.aws_endpoint + address.path,
        auth=(client["ClientId"], client["ClientSecret"]),
        data={"grant_type": "client_credentials", "scope": "bg/read"},
        trust_env=False,
    )
    bearer = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    assert http.get("/api/bg/demo/latest", headers=bearer).status_code == 200
    assert http.post("/api/bg/demo/sync", headers=bearer).status_code == 403
