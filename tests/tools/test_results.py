"""What servers list and return, made safe."""

import json
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from mainstay.tools.errors import ToolTrouble
from mainstay.tools.results import Scrub, read_offer, read_result

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
BLOCK = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "image", "resource", "resource_link", "x"])},
    optional=dict.fromkeys(("text", "data", "mimeType", "uri", "name", "resource"), JSON),
)
NOTHING = Scrub(())


def raw(value: Any) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value).encode())


@given(
    st.fixed_dictionaries(
        {}, optional={"content": JSON | st.lists(BLOCK), "isError": JSON, "structuredContent": JSON, "resultType": JSON}
    )
    | JSON
)
def test_whatever_a_server_returns_is_a_text_or_a_trouble(value: Any) -> None:
    try:
        result = read_result(raw(value), 100, NOTHING)
    except ToolTrouble as trouble:
        outcome = trouble.outcome
    else:
        outcome = "ok" if result.text else "empty"
    assert outcome in ("ok", "broken", "input_required")


@given(st.fixed_dictionaries({}, optional={"name": JSON, "description": JSON, "inputSchema": JSON}) | JSON)
def test_whatever_a_server_lists_is_an_offer_or_nothing(value: Any) -> None:
    read = read_offer(raw(value), NOTHING)
    if read is not None:
        assert json.loads(bytes(read[0].schema))["type"] == "object"


@given(st.text(max_size=300), st.integers(1, 200))
def test_a_result_is_no_longer_than_it_may_be(text: str, most: int) -> None:
    result = read_result(raw({"content": [{"type": "text", "text": text}]}), most, NOTHING).text
    shown = result.partition("\n[cut:")[0] if len(text.encode("utf-8", "replace")) > most else result
    assert len(shown.encode("utf-8", "replace")) <= max(most, len("(no output)"))


def test_secrets_are_taken_out_the_longest_first() -> None:
    scrub = Scrub(["Bearer abcdefghij", "abcdefghijklm", "short"])
    assert scrub("Bearer abcdefghij, abcdefghijklm, abcdefghij, short") == "[secret], [secret], [secret], short"
