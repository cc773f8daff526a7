"""What the tests of this wire share: AWS's own SDK as a judge of requests and answers."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.eventstream import EventStream
from botocore.parsers import create_parser

from support import judges


@pytest.fixture(scope="session")
def sdk_accepts() -> Callable[[bytes, bytes], dict[str, Any]]:
    """Return a function that holds path and body to the SDK's model, and gives the body back decoded."""
    return judges.bedrock


@pytest.fixture(scope="session")
def sdk_reads() -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return a function that parses a whole answer as the SDK does."""

    def parse(said: dict[str, Any]) -> dict[str, Any]:
        shape = judges.bedrock_service().operation_model("Converse").output_shape
        response = {"status_code": 200, "headers": {}, "body": json.dumps(said).encode()}
        found = create_parser("rest-json").parse(response, shape)
        return {name: value for name, value in found.items() if name != "ResponseMetadata"}

    return parse


class _Raw:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def stream(self) -> Iterator[bytes]:
        yield self._data

    def close(self) -> None:
        pass


@pytest.fixture(scope="session")
def sdk_streams() -> Callable[[bytes], list[dict[str, Any]]]:
    """Return a function that reads a binary stream as the SDK does."""

    def read(data: bytes) -> list[dict[str, Any]]:
        # The parser of events has no public name.
        parser = create_parser("rest-json")._event_stream_parser
        output = judges.bedrock_service().operation_model("ConverseStream").output_shape.members["stream"]
        return list(EventStream(_Raw(data), output, parser, "ConverseStream"))

    return read
