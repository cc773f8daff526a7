"""What is kept of a response, and how a request that refers to it is made whole again."""

import json
from typing import Any

import msgspec
import pytest

from mainstay.core.errors import InvalidRequest
from mainstay.providers.responses.history import NEAREST, Stored, expand, home_of, items_of, keep, references

KEY = "0190f3c2111170008000000000000001"
ID = f"resp_{KEY}"
SAID = {"id": ID, "output": [{"id": f"msg_{KEY}0000", "type": "message", "role": "assistant", "content": []}]}


def body(**fields: Any) -> bytes:
    return json.dumps({"model": "m", **fields}).encode()


def kept(asked: bytes, before: tuple[str, ...] = ()) -> Stored:
    return msgspec.json.decode(keep(asked, json.dumps(SAID).encode(), ID, before), type=Stored)


def test_what_is_kept_has_ids_types_and_parts_for_everything() -> None:
    items = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Ho"},
        {"type": "function_call_output", "call_id": "a", "output": "1"},
        {"type": "message", "id": "msg_own", "role": "user", "content": "as it was"},
    ]
    stored = kept(body(input=items))
    assert [json.loads(bytes(raw)) for raw in stored.input] == [
        {
            "role": "user",
            "content": [{"type": "input_text", "text": "Hi"}],
            "type": "message",
            "id": f"msg_{KEY}i0000",
        },
        {
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Ho"}],
            "type": "message",
            "id": f"msg_{KEY}i0001",
        },
        {"type": "function_call_output", "call_id": "a", "output": "1", "id": f"fco_{KEY}i0002"},
        items[3],
    ]
    assert json.loads(bytes(stored.response)) == SAID


def test_only_the_nearest_responses_are_named() -> None:
    before = tuple(f"resp_{i}" for i in range(100))
    assert kept(body(input="x"), before).before == before[-NEAREST:]


def test_a_request_is_made_whole_with_every_other_field_as_it_was() -> None:
    asked = b'{"model":"m","input":"More","previous_response_id":"resp_1","temperature":1.0,"novel":9007199254740993}'
    whole = expand(asked, [kept(body(input="Hi"))], {})
    fields = json.loads(whole)
    assert "previous_response_id" not in fields
    assert [item.get("id", "new") for item in fields["input"]] == [f"msg_{KEY}i0000", f"msg_{KEY}0000", "new"]
    assert b'"temperature":1.0' in whole
    assert b"9007199254740993" in whole


def test_references_are_found_with_and_without_their_type() -> None:
    items = [{"type": "item_reference", "id": "a"}, {"id": "b"}, {"id": "c", "role": "user", "content": "x"}]
    assert references(body(input=items)) == ["a", "b"]
    found = {"a": msgspec.Raw(b'{"x":1}'), "b": msgspec.Raw(b'{"x":2}')}
    assert json.loads(expand(body(input=items), [], found))["input"][:2] == [{"x": 1}, {"x": 2}]
    with pytest.raises(InvalidRequest) as caught:
        expand(body(input=items), [], {"a": found["a"]})
    assert (caught.value.status, caught.value.param) == (404, "input[1]")


def test_an_item_made_here_says_whose_it_is() -> None:
    assert home_of(f"msg_{KEY}0003") == ID
    assert home_of(f"fco_{KEY}i0003") == ID
    assert home_of("msg_68af4030592c81938ec0a5fbab4a3e9f05438e46b5f69a3b") is None


def test_an_input_may_be_missing() -> None:
    assert items_of(body()) == []
    assert items_of(body(input=None)) == []
