"""A function is refused what its role does not allow.

All end-to-end tests run with the roles enforced; here the policy of one role is removed.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from local.deploy import STACK_NAME
from local.function_logs import function_lines

if TYPE_CHECKING:
    import httpx

    from local.stack import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.integration]


def _role_name(cloud: Stack, logical_id: str) -> str:
    formation = cloud.emulator.client("cloudformation")
    resource = formation.describe_stack_resource(StackName=STACK_NAME, LogicalResourceId=logical_id)
    name: str = resource["StackResourceDetail"]["PhysicalResourceId"]
    return name


def test_a_function_without_its_policy_is_refused(cloud: Stack, http: httpx.Client) -> None:
    """Without its policy the site function cannot describe the tables and names them; with it, it can."""
    iam, role = cloud.emulator.client("iam"), _role_name(cloud, "SiteFunctionRole")
    (policy,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
    assert http.get("/ready").json() == {"status": "ok", "provider": "ok"}

    iam.delete_role_policy(RoleName=role, PolicyName=policy)
    try:
        cut = http.get("/ready")
    finally:
        iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(document))

    assert (cut.status_code, cut.json()["failing"]) == (503, "readings table")
    assert any('"aws_code":"AccessDenied' in line for line in function_lines(cloud.emulator))
    assert http.get("/ready").status_code == 200
