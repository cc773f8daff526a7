"""What the tests of this wire share: the official SDK as a judge of requests."""

import functools
import json
from collections.abc import Callable
from typing import Any

import pytest
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming, MessageCreateParamsStreaming
from pydantic import TypeAdapter

#: Fields of the wire's version 2023-06-01 that the SDK, made for a later one, no longer has.
EARLIER = ("temperature", "top_p", "top_k")


@functools.cache
def _adapter(stream: bool) -> TypeAdapter[Any]:
    return TypeAdapter(MessageCreateParamsStreaming if stream else MessageCreateParamsNonStreaming)


def _plain(value: Any) -> Any:
    """Return a validated value with its lazy iterables walked, which is when pydantic checks their items."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        return value
    return [_plain(item) for item in value]


@pytest.fixture
def sdk_accepts() -> Callable[[bytes], dict[str, Any]]:
    """Return a function that holds a body to the SDK's types, field by field, and gives it back decoded.

    A field the SDK does not know is dropped by its types, so the comparison finds it.
    """

    def check(body: bytes) -> dict[str, Any]:
        asked: dict[str, Any] = json.loads(body)
        typed = {name: value for name, value in asked.items() if name not in EARLIER}
        assert _plain(_adapter(asked.get("stream") is True).validate_python(typed)) == typed
        return asked

    return check
