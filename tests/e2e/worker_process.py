"""A worker in a process of its own, which passes one message of a queue to the real handler."""

from __future__ import annotations

import sys

from bg_ingest.aws import aws_clients
from bg_ingest.settings import load
from functions.worker.app import lambda_handler
from tests.functions.conftest import LambdaContext

_TRIES_MAX = 12


def main(queue_url: str) -> None:
    """Receive a message, print its receipt, run the handler, and delete the message if it was processed."""
    sqs = aws_clients.sqs(load().aws_region)
    for _ in range(_TRIES_MAX):
        received = sqs.receive_message(
            QueueUrl=queue_url, WaitTimeSeconds=1, AttributeNames=["ApproximateReceiveCount"]
        )
        if "Messages" in received:
            break
    (message,) = received["Messages"]
    print("taken", message["ReceiptHandle"], flush=True)  # noqa: T201 - the parent test reads it.
    record = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
    }
    if lambda_handler({"Records": [record]}, LambdaContext()) == {"batchItemFailures": []}:  # type: ignore[arg-type]  # The part of a context that the handler uses.
        sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])


if __name__ == "__main__":
    main(sys.argv[1])
