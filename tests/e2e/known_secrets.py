"""The secrets and ids of a deployed cloud, read with its operator's rights after all tests."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from bg_ingest.accounts.connection import SK as CONNECTION
from bg_ingest.accounts.connection import Connections
from bg_ingest.accounts.sealing import DataKeys, Purpose, SealBroken, Sealer
from bg_ingest.accounts.vault import tokens_from_bytes
from bg_ingest.clock import SystemClock
from bg_ingest.dynamo import Table, from_attributes
from local.deploy import function_names
from tests.support.run_secrets import secrets_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bg_ingest.dynamo import Item
    from local.stack import Stack
    from tests.support.run_secrets import RunSecrets


def add_of_the_cloud(known: RunSecrets, stack: Stack) -> set[str]:
    """Remember them; returns the kinds of which there was one."""
    found: set[str] = set()

    def add(kind: str, *values: str | bytes) -> None:
        if values:
            known.add(kind, *values)
            found.add(kind)

    items = _items(stack)
    add("a user id", *{item["pk"].rpartition("#")[2] for item in items if not item["pk"].startswith("app#")})
    add("a token at Dexcom", *_provider_tokens(stack, items))
    secrets = stack.emulator.client("secretsmanager")
    names = [secret["Name"] for secret in secrets.list_secrets()["SecretList"]]
    held = [secrets.get_secret_value(SecretId=name)["SecretString"] for name in names]
    add(
        "a secret of the deployment",
        stack.webhook_secret,
        *(text for one in held for text in secrets_in(one)),
    )
    add("a token", stack.demo_token, stack.service_token, stack.grant.token)
    return found


def _items(stack: Stack) -> list[Item]:
    pages = stack.emulator.client("dynamodb").get_paginator("scan").paginate(TableName=stack.users_table)
    return [from_attributes(item) for page in pages for item in page["Items"]]


def _provider_tokens(stack: Stack, items: list[Item]) -> Iterator[str]:
    """The tokens of all connections, opened with the worker's key."""
    clock = SystemClock()
    worker = function_names(stack.emulator)["WorkerFunction"]
    deployed = stack.emulator.client("lambda").get_function_configuration(FunctionName=worker)
    environ = deployed["Environment"]["Variables"]
    keys = DataKeys(
        stack.emulator.client("kms"),
        environ["TOKENS_KEY_ID"],
        environ["ENVIRONMENT"],
        clock,
        purpose=Purpose.TOKENS,
    )
    connections = Connections(Table(stack.emulator.client("dynamodb"), stack.users_table), clock)
    for user_id in {item["pk"] for item in items if item["sk"] == CONNECTION}:
        connection = connections.get(user_id)
        if connection is None or not connection.sealed_tokens:
            continue
        bound = (connection.endpoint.provider, connection.endpoint.environment, str(connection.generation))
        with suppress(SealBroken):  # A test made this connection with a key of its own.
            tokens = tokens_from_bytes(Sealer(keys).open(user_id, connection.sealed_tokens, *bound))
            yield from (tokens.access_token, tokens.refresh_token)
