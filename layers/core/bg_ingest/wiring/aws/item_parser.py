"""Parses DynamoDB's answers without botocore's walk through every value."""

# botocore compares each value of an answer with its model. For an answer of 336 hours that is a third of all
# CPU of the request. The answers of the operations below contain attributes of items, which `dynamo` reads by
# their types, and numbers. So their JSON is taken as it is. botocore parses errors and all other operations.
#
# One difference: bytes stay base64 text. `dynamo.from_attributes` accepts both.

from __future__ import annotations

import json
from typing import Any

from botocore.parsers import ResponseParserFactory

_OF_ITEMS = {"QueryOutput", "GetItemOutput", "PutItemOutput", "UpdateItemOutput", "DeleteItemOutput"}


class ItemParser:
    """A parser of botocore's, except for answers that contain items."""

    def __init__(self, parser: Any) -> None:
        self._parser = parser

    def parse(self, response: dict[str, Any], shape: Any) -> Any:
        """The answer as botocore's clients return it."""
        if response["status_code"] != 200 or shape is None or shape.name not in _OF_ITEMS:
            return self._parser.parse(response, shape)
        headers = response["headers"]
        metadata = {
            "RequestId": headers.get("x-amzn-requestid"),
            "HTTPStatusCode": response["status_code"],
            "HTTPHeaders": {name.lower(): value for name, value in headers.items()},
        }
        return json.loads(response["body"]) | {"ResponseMetadata": metadata}


class ItemParserFactory(ResponseParserFactory):  # type: ignore[misc,unused-ignore] # botocore is partly typed.
    """Makes these parsers for the clients of a session."""

    def create_parser(self, protocol_name: str) -> Any:
        """A parser for a protocol; all but "json" are botocore's own."""
        parser = super().create_parser(protocol_name)
        return ItemParser(parser) if protocol_name == "json" else parser
