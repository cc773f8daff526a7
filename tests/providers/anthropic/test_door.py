"""The body of a messages request at the door: what is wrong with it is said with the field's path."""

import json
from typing import Any

import pytest

from mainstay.core.errors import InvalidRequest
from mainstay.providers.anthropic.door import read_door

GOOD: dict[str, Any] = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "x"}]}


def test_what_the_line_needs_is_read() -> None:
    door = read_door(json.dumps({**GOOD, "stream": True, "thinking": {"type": "enabled", "budget_tokens": 7}}).encode())
    assert (door.model, door.max_tokens, door.stream) == ("m", 5, True)
    assert door.thinking is not None
    assert door.thinking.budget_tokens == 7


def test_unknown_fields_and_kinds_of_block_are_none_of_its_business() -> None:
    odd = {"type": "new", "content": {"a": 1}, "source": "x", "id": 5}
    read_door(json.dumps({**GOOD, "messages": [{"role": "user", "content": [odd]}], "novel": [1]}).encode())


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": None}, "model"),
        ({"model": ""}, "model"),
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": None}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"text": "x"}]}]}, "messages[0].content[0].type"),
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"stream": "yes"}, "stream"),
        ({"system": 5}, "system"),
        ({"stop_sequences": "END"}, "stop_sequences"),
        ({"tools": {}}, "tools"),
        ({"tool_choice": "auto"}, "tool_choice"),
        ({"thinking": {}}, "thinking.type"),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_door(json.dumps({**GOOD, **fields}).encode())
    assert caught.value.param == param
    assert param in caught.value.message


@pytest.mark.parametrize("name", ["model", "messages", "max_tokens"])
def test_a_missing_field_is_named(name: str) -> None:
    with pytest.raises(InvalidRequest, match="missing") as caught:
        read_door(json.dumps({key: value for key, value in GOOD.items() if key != name}).encode())
    assert caught.value.param == name


def test_no_limit_is_needed_to_count() -> None:
    body = json.dumps({key: value for key, value in GOOD.items() if key != "max_tokens"}).encode()
    assert read_door(body, counting=True).max_tokens is None


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"model":"\xff"}', b"[" * 100_000])
def test_what_is_no_request_is_said(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        read_door(body)
