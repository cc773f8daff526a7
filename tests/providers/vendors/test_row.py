"""What a vendor's row may say."""

from typing import Any

import pytest
from pydantic import ValidationError

from mainstay.core.target import Feature
from mainstay.providers.vendors.row import VendorRow, placeholders


def row(**fields: Any) -> VendorRow:
    return VendorRow.model_validate({"base_url": "https://a.example/v1", **fields})


def test_an_address_is_enough_and_nothing_is_claimed() -> None:
    said = row()
    assert (said.wire, said.auth, said.key, said.limit) == ("openai", "wire", "required", "either")
    assert said.can == frozenset()
    assert said.rejects == ()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"base_url": "ftp://a"}, "http"),
        ({"base_url": "https://a?b"}, "no '\\?'"),
        ({"base_url": "https://{A}.b"}, "brace"),
        ({"base_url": "https://{a}.b"}, "no parameter for '{a}'"),
        ({"base_url": "https://{model}.b"}, "path only"),
        ({"parameters": {"a": "b"}}, "neither in base_url nor in a path"),
        ({"parameters": {"model": "b"}, "path": "/{model}"}, "path only"),
        ({"path": "x"}, "begin with '/'"),
        ({"path": "/a b"}, "begin with '/'"),
        ({"auth": "header"}, "key_header"),
        ({"key_header": "x-key"}, "key_header"),
        ({"auth": "header", "key_header": "host"}, "writes itself"),
        ({"rejects": ["a b"]}, "path of fields"),
        ({"rejects": ["a..b"]}, "path of fields"),
        ({"usage": ["a=b"]}, "path of fields"),
        ({"renames": {"a.b": "c"}}, "pattern"),
        ({"errors": {"1": "bad"}}, "'context'"),
        ({"can": ["fly"]}, "'tools'"),
        ({"telemetry_name": "llamacpp"}, "taken"),
        ({"tool_id_length": 3}, "greater"),
        ({"wire": "anthropic", "limit": "max_tokens"}, "only the wire 'openai'"),
        ({"wire": "anthropic", "finish_reasons": {"x": "stop"}}, "only the wire 'openai'"),
        ({"tasks": {"embeddings": {"rejects": ["user"]}}}, "does not offer"),
        ({"offers": ["embeddings"], "tasks": {"embeddings": {"limit": "max_tokens"}}}, "Extra"),
        ({"offers": ["embeddings"], "tasks": {"embeddings": {"rejects": ["a b"]}}}, "path of fields"),
        ({"offers": ["embeddings"], "tasks": {"chat": {}}}, "does not offer"),
        ({"wire": "smoke"}, "'openai'"),
        ({"name": "x"}, "Extra"),
    ],
)
def test_a_wrong_row_is_refused_with_what_is_wrong(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        row(**fields)


def test_a_row_may_say_all_there_is_to_say() -> None:
    said = row(
        base_url="https://{region}.a.example/{account}/",
        path="/m/{model}?v={version}",
        parameters={"region": "eu", "account": "", "version": "1"},
        auth="header",
        key_header="X-Key",
        rejects=["user", "messages[].name", "tool_choice=required", "response_format.type"],
        usage=["x.usage", "choices[].usage"],
        errors={"E1": "rate"},
        can=["tools"],
    )
    assert said.base_url == "https://{region}.a.example/{account}"
    assert said.key_header == "x-key"
    assert said.can == {Feature.TOOLS}
    assert list(placeholders(said.path or "")) == ["model", "version"]


def test_a_row_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        row().wire = "anthropic"
