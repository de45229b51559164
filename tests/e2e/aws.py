"""The part of the AWS CLI that docs/operations.md uses, against the emulated AWS.

A shell runs the documented commands unchanged and finds this file under the name `aws`. The parameters
have the same names and are checked by botocore; `--query` and `--output text` mean the same.
"""

import json
import os
import sys
from typing import Any

import boto3
import jmespath  # type: ignore[import-untyped]  # It ships no types.
from botocore import xform_name
from botocore.validate import validate_parameters


def main(service: str, command: str, *options: str) -> None:
    """Run one command and print the output of the CLI."""
    endpoint = os.environ["AWS_ENDPOINT_URL"]  # noqa: TID251 - the CLI reads it, too.
    client: Any = boto3.client(service, endpoint_url=endpoint)  # type: ignore[call-overload]  # noqa: TID251 - there is no wiring here. The stubs want a literal.
    named = _pairs(list(options))
    query, output = named.pop("query", None), named.pop("output", "json")
    operation = next(name for name in client.meta.service_model.operation_names if _dashed(name) == command)
    shape = client.meta.service_model.operation_model(operation).input_shape
    arguments = {
        member: _typed(named.pop(_dashed(member)), kind.type_name)
        for member, kind in shape.members.items()
        if _dashed(member) in named
    }
    assert not named, f"{command} has no {', '.join(named)}"
    if operation == "StartMessageMoveTask":
        validate_parameters(arguments, shape)
        answer = _move(client, arguments["SourceArn"])
    else:
        answer = getattr(client, xform_name(operation))(**arguments)
    answer.pop("ResponseMetadata", None)
    found = jmespath.search(query, answer) if query else answer
    if found or query:
        print(_as_text(found) if output == "text" else json.dumps(found))  # noqa: T201 - a command prints.


def _move(sqs: Any, source_arn: str) -> dict[str, str]:
    """Move every message back to the source queue of these dead letters, which the emulated AWS cannot do."""
    source = sqs.get_queue_url(QueueName=source_arn.rpartition(":")[2])["QueueUrl"]
    (destination,) = (url for url in sqs.list_queues()["QueueUrls"] if source_arn in _redrive_of(sqs, url))
    while messages := sqs.receive_message(QueueUrl=source, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            sqs.send_message(QueueUrl=destination, MessageBody=message["Body"])
            sqs.delete_message(QueueUrl=source, ReceiptHandle=message["ReceiptHandle"])
    return {"TaskHandle": "moved"}


def _redrive_of(sqs: Any, queue_url: str) -> str:
    asked = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["RedrivePolicy"])
    policy: str = asked.get("Attributes", {}).get("RedrivePolicy", "")
    return policy


def _pairs(options: list[str]) -> dict[str, str]:
    assert all(name.startswith("--") for name in options[::2])
    return dict(zip((name.removeprefix("--") for name in options[::2]), options[1::2], strict=True))


def _dashed(name: str) -> str:
    dashed: str = xform_name(name, "-")
    return dashed


def _typed(text: str, kind: str) -> Any:
    match kind:
        case "integer":
            return int(text)
        case "list":
            return text.split()
    return text


def _as_text(found: Any) -> str:
    if isinstance(found, list):
        return "\t".join(map(_as_text, found))
    return "None" if found is None else str(found)


if __name__ == "__main__":
    main(*sys.argv[1:])
