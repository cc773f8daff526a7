"""What a request needs of a model, told from its bytes."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.core.errors import InvalidRequest
from mainstay.core.events import Dialect
from mainstay.core.target import Feature
from mainstay.providers.responses import locate, read_ask

IMAGE = {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}


def asked(**fields: Any) -> bytes:
    return json.dumps({"model": "m", "input": "Hi", **fields}).encode()


def test_a_request_is_read_at_the_door() -> None:
    ask = read_ask(asked(stream=True, store=False, previous_response_id="resp_1"))
    assert (ask.dialect, ask.model, ask.stream, ask.include_usage) == (Dialect.RESPONSES, "m", True, True)
    assert (ask.stored, ask.previous) == (False, "resp_1")
    assert read_ask(asked()).stored, "keeping is the default of this wire"


@pytest.mark.parametrize(
    ("fields", "feature", "path"),
    [
        ({"tools": [{"type": "local_shell"}]}, Feature.TOOLS, "tools"),
        ({"input": [{"type": "function_call", "call_id": "a", "name": "f"}]}, Feature.TOOLS, "input[0]"),
        ({"input": [{"role": "user", "content": [IMAGE]}]}, Feature.IMAGES, "input[0].content[0]"),
        ({"text": {"format": {"type": "json_object"}}}, Feature.JSON, "text.format"),
        ({"text": {"format": {"type": "json_schema", "name": "n", "schema": {}}}}, Feature.SCHEMA, "text.format"),
        ({"top_logprobs": 2}, Feature.LOGPROBS, "top_logprobs"),
        ({"include": ["message.output_text.logprobs"]}, Feature.LOGPROBS, "include"),
    ],
)
def test_a_feature_is_found_with_the_field_that_asks_for_it(
    fields: dict[str, Any], feature: Feature, path: str
) -> None:
    ask = read_ask(asked(**fields))
    assert ask.features == {feature}
    assert locate(ask, feature) == path
    assert ask.asking(ask.prompt).features == {feature}, "the prompt says the same"


def test_media_in_a_tools_output_are_found() -> None:
    output = {"type": "function_call_output", "call_id": "a", "output": [IMAGE]}
    ask = read_ask(asked(input=[output]))
    assert ask.features == {Feature.TOOLS, Feature.IMAGES}
    assert locate(ask, Feature.IMAGES) == "input[0].output[0]"


def test_records_of_the_vendors_own_tools_ask_for_nothing() -> None:
    assert read_ask(asked(input=[{"type": "web_search_call", "id": "ws_1"}])).features == frozenset()


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_ITEM = st.dictionaries(
    st.sampled_from(["type", "role", "content", "output", "call_id", "id", "name", "arguments", "input", "action"])
    | st.text(max_size=4),
    _JSON
    | st.sampled_from(
        ["message", "user", "reasoning", "function_call", "custom_tool_call", "shell_call", "apply_patch_call", "x"]
    ),
    max_size=6,
)


@given(items=st.lists(_ITEM, min_size=1, max_size=4), tools=st.none() | st.lists(_ITEM, max_size=2), choice=_JSON)
@settings(max_examples=200, deadline=None)
def test_any_input_is_read_or_refused_and_never_breaks(items: list[Any], tools: Any, choice: Any) -> None:
    with contextlib.suppress(InvalidRequest):
        ask = read_ask(asked(input=items, tools=tools, tool_choice=choice))
        assert ask.features is not None
        assert ask.prompt.model == "m"
