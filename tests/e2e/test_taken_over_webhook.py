"""An attacker with the role of the webhook function, which is open to the internet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from local import demo
from local.deploy import STACK_NAME
from local.emulator import REGION
from tests.e2e.conftest import Person
from tests.support.attacker_server import attacker_server

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.stack import Stack
    from tests.e2e.conftest import Api

pytestmark = [pytest.mark.e2e, pytest.mark.integration]

# A user of this test only; the connection is of no use after it.
_VICTIM = Person("victim-of-a-role", "SandboxUser6")


@pytest.fixture(scope="module")
def as_webhook(cloud: Stack) -> Callable[[str], Any]:
    """Return a function that makes clients with the credentials of the webhook function's role."""
    formation = cloud.emulator.client("cloudformation")
    resource = formation.describe_stack_resource(
        StackName=STACK_NAME, LogicalResourceId="WebhookFunctionRole"
    )
    name = resource["StackResourceDetail"]["PhysicalResourceId"]
    arn = cloud.emulator.client("iam").get_role(RoleName=name)["Role"]["Arn"]
    session = cloud.emulator.client("sts").assume_role(RoleArn=arn, RoleSessionName="attacker")["Credentials"]
    return lambda service: boto3.client(  # type: ignore[call-overload]  # noqa: TID251 - there is no wiring here. The stubs want a literal.
        service,
        endpoint_url=cloud.aws_endpoint,
        region_name=REGION,
        aws_access_key_id=session["AccessKeyId"],
        aws_secret_access_key=session["SecretAccessKey"],
        aws_session_token=session["SessionToken"],
    )


def test_a_host_in_the_connection_item_gets_no_token(
    cloud: Stack, caller: Any, as_webhook: Callable[[str], Any]
) -> None:
    """The role cannot update the item. If it puts another in its place, the next syncs call no other host."""
    token = cloud.callers.token(_VICTIM.user_id)
    demo.connect(cloud.api, token, _VICTIM.user_id, _VICTIM.simulated)
    demo.wait_for_backfill(cloud.api, token, _VICTIM.user_id)
    victim: Api = caller(_VICTIM.user_id)
    statuses = [victim.post(f"/api/bg/{_VICTIM.user_id}/sync").status_code]
    attacker, key = as_webhook("dynamodb"), {"pk": {"S": _VICTIM.user_id}, "sk": {"S": "connection"}}
    with attacker_server() as (host, got):
        for attribute in ("base_url", "environment"):
            with pytest.raises(ClientError, match=r"AccessDenied|not authorized"):
                attacker.update_item(
                    TableName=cloud.users_table,
                    Key=key,
                    UpdateExpression=f"SET {attribute} = :host",
                    ExpressionAttributeValues={":host": {"S": host}},
                )
            # AWS refuses this, too: the emulated AWS does not see which attributes an item has.
            item = attacker.get_item(TableName=cloud.users_table, Key=key)["Item"]
            attacker.put_item(TableName=cloud.users_table, Item=item | {attribute: {"S": host}})
            statuses.append(victim.post(f"/api/bg/{_VICTIM.user_id}/sync").status_code)

    assert got == []
    # An attribute that no code reads changes nothing, and an unknown region fails.
    assert statuses == [200, 200, 500]


def test_the_role_reads_no_secret_and_no_reading(cloud: Stack, as_webhook: Callable[[str], Any]) -> None:
    """Neither sealed tokens nor messages open for it, and queues and archive cannot be read."""
    user = {":pk": {"S": _VICTIM.user_id}}
    seal = cloud.emulator.client("kms").encrypt(KeyId=_key_id(cloud), Plaintext=b"tokens")["CiphertextBlob"]
    tries: list[Callable[[], Any]] = [
        lambda: as_webhook("kms").decrypt(CiphertextBlob=seal, KeyId=_key_id(cloud)),
        lambda: as_webhook("sqs").receive_message(QueueUrl=cloud.queue_url),
        lambda: as_webhook("secretsmanager").get_secret_value(SecretId=_physical_id(cloud, "EventIdsSecret")),
        lambda: as_webhook("s3").list_objects_v2(Bucket=_physical_id(cloud, "AuditArchiveBucket")),
        lambda: as_webhook("dynamodb").query(
            TableName=cloud.readings_table, KeyConditionExpression="pk = :pk", ExpressionAttributeValues=user
        ),
        lambda: as_webhook("dynamodb").delete_item(
            TableName=cloud.users_table, Key={"pk": {"S": "audit#demo"}, "sk": {"S": "0" * 28}}
        ),
        lambda: as_webhook("dynamodb").query(
            TableName=cloud.intake_table, KeyConditionExpression="pk = :pk", ExpressionAttributeValues=user
        ),
        lambda: as_webhook("dynamodb").delete_item(
            TableName=cloud.intake_table, Key={"pk": {"S": "demo"}, "sk": {"S": "inbox#msg_1"}}
        ),
    ]
    for attempt in tries:
        with pytest.raises(ClientError, match=r"AccessDenied|not authorized"):
            attempt()


def _key_id(cloud: Stack) -> str:
    return _physical_id(cloud, "TokensKey")


def _physical_id(cloud: Stack, logical_id: str) -> str:
    formation = cloud.emulator.client("cloudformation")
    resource = formation.describe_stack_resource(StackName=STACK_NAME, LogicalResourceId=logical_id)
    name: str = resource["StackResourceDetail"]["PhysicalResourceId"]
    return name
