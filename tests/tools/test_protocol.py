"""Headers and messages of the Model Context Protocol."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.shared import inbound

from mainstay.tools.protocol import UNREADABLE, decode_header, encode_header, parameter_headers, read_message

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.text())
def test_a_header_comes_back_as_it_was_and_as_the_official_package_writes_it(text: str) -> None:
    encoded = encode_header(text)
    assert encoded.decode() == inbound.encode_header_value(text)
    assert decode_header(encoded) == text


@given(st.binary(max_size=40).map(lambda data: b"=?base64?" + data + b"?="))
def test_a_damaged_header_is_none_and_no_fault(data: bytes) -> None:
    found = decode_header(data)
    assert found is None or isinstance(found, str)
    if data.isascii():
        assert found == inbound.decode_header_value(data.decode())


@given(st.fixed_dictionaries({}, optional={"jsonrpc": st.just("2.0"), "id": JSON, "method": JSON, "params": JSON}))
def test_whatever_comes_is_a_message_or_unreadable(value: dict[str, Any]) -> None:
    try:
        message = read_message(json.dumps(value).encode())
    except UNREADABLE:
        return
    assert message.jsonrpc == "2.0"


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": {"type": "string", "x-mcp-header": "A B"}}},
        {"properties": {"a": {"type": "string", "x-mcp-header": 7}}},
        {"properties": {"a": {"type": "number", "x-mcp-header": "A"}}},
        {"properties": {"a": {"x-mcp-header": "A"}}},
        {"properties": {n: {"type": "string", "x-mcp-header": x} for n, x in (("a", "A"), ("b", "a"))}},
    ],
)
def test_a_mark_that_no_header_can_carry_is_refused(schema: dict[str, Any]) -> None:
    assert inbound.find_invalid_x_mcp_header(schema) is not None
    with pytest.raises(ValueError):
        parameter_headers(schema, {})


@given(
    st.fixed_dictionaries({}, optional={"s": JSON, "i": JSON, "deep": st.fixed_dictionaries({}, optional={"b": JSON})})
)
def test_arguments_are_repeated_as_the_official_package_does(arguments: dict[str, Any]) -> None:
    schema = {
        "properties": {
            "s": {"type": "string", "x-mcp-header": "S"},
            "i": {"type": "integer", "x-mcp-header": "I"},
            "deep": {"type": "object", "properties": {"b": {"type": "boolean", "x-mcp-header": "B"}}},
        }
    }
    theirs = inbound.mcp_param_headers(inbound.x_mcp_header_map(schema), arguments)
    ours = {name.decode(): value.decode() for name, value in parameter_headers(schema, arguments)}
    assert ours == {name.lower(): value for name, value in theirs.items() if value}
