"""The differences of a vendor, applied to bytes."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.errors import InvalidRequest, MainstayError, Unsupported
from mainstay.core.events import Dialect
from mainstay.providers.openai import OpenAICodec
from mainstay.providers.vendors.quirks import AnswerEdits, RequestEdits
from mainstay.providers.vendors.row import VendorRow

SAY = {"role": "user", "content": "Hi"}


def asked(body: dict[str, Any] | str, *, dialect: Dialect = Dialect.OPENAI, **row: Any) -> Any:
    edits = RequestEdits(VendorRow(base_url="https://a.example", **row))
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return json.loads(edits.apply(data, "m", dialect))


def answers(**row: Any) -> AnswerEdits:
    return AnswerEdits(VendorRow(base_url="https://a.example", **row))


def answered(body: object, **row: Any) -> Any:
    return json.loads(answers(**row).apply(json.dumps(body).encode()))


def test_a_row_without_differences_asks_for_no_change() -> None:
    row = VendorRow(base_url="https://a.example", can=frozenset(), notes="x")
    assert not RequestEdits(row).is_needed
    assert not AnswerEdits(row).is_needed
    assert not AnswerEdits(row).knows_errors


def test_a_body_that_needs_no_change_is_the_very_same_bytes() -> None:
    edits = RequestEdits(
        VendorRow(base_url="https://a.example", rejects=("user",), limit="max_tokens", drops_null=True)
    )
    body = b'{ "model" : "m", "big": 12345678901234567890.10, "messages": [] }'
    assert edits.apply(body, "m", Dialect.OPENAI) is body


@pytest.mark.parametrize(
    ("rejects", "body", "param"),
    [
        ("user", {"user": "u"}, "user"),
        ("user", {"user": ""}, "user"),
        ("messages[].name", {"messages": [SAY, {**SAY, "name": "Ann"}]}, "messages[1].name"),
        ("tool_choice=required", {"tool_choice": "required"}, "tool_choice"),
        (
            "tool_choice.function",
            {"tool_choice": {"type": "function", "function": {"name": "f"}}},
            "tool_choice.function",
        ),
        ("parallel_tool_calls=false", {"parallel_tool_calls": False}, "parallel_tool_calls"),
        ("tools[].function.strict", {"tools": [{"function": {"strict": True}}]}, "tools[0].function.strict"),
    ],
)
def test_a_field_the_vendor_refuses_is_refused_by_its_place(rejects: str, body: dict[str, Any], param: str) -> None:
    with pytest.raises(Unsupported) as caught:
        asked(body, rejects=(rejects,))
    assert caught.value.param == param
    assert f"'{param}'" in caught.value.message
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("rejects", "body"),
    [
        ("user", {"user": None}),
        ("user", {"metadata": {"user": 1}}),
        ("messages[].name", {"messages": [SAY]}),
        ("messages[].name", {"messages": "odd"}),
        ("messages[].name", {"messages": ["odd", 3, None]}),
        ("tool_choice=required", {"tool_choice": "auto"}),
        ("tool_choice.function", {"tool_choice": "auto"}),
        ("parallel_tool_calls=false", {"parallel_tool_calls": True}),
    ],
)
def test_what_only_looks_like_a_refused_field_passes(rejects: str, body: dict[str, Any]) -> None:
    assert asked(body, rejects=(rejects,)) == body


def test_a_key_written_with_escapes_is_the_same_key() -> None:
    with pytest.raises(Unsupported):
        asked('{"\\u0075ser": "u"}', rejects=("user",))


def test_a_caller_of_anthropics_wire_is_told_its_own_names() -> None:
    with pytest.raises(Unsupported) as caught:
        asked({"stop": ["x"]}, rejects=("stop",), dialect=Dialect.ANTHROPIC)
    assert caught.value.param == "stop_sequences"


@pytest.mark.parametrize(
    ("limit", "body", "sent"),
    [
        ("max_tokens", {"max_completion_tokens": 5}, {"max_tokens": 5}),
        ("max_tokens", {"max_tokens": 5, "max_completion_tokens": 5}, {"max_tokens": 5}),
        ("max_tokens", {"max_tokens": None, "max_completion_tokens": 5}, {"max_tokens": 5}),
        ("max_tokens", {"max_tokens": 5, "max_completion_tokens": None}, {"max_tokens": 5}),
        ("max_completion_tokens", {"max_tokens": 5}, {"max_completion_tokens": 5}),
        ("either", {"max_tokens": 5, "max_completion_tokens": 6}, {"max_tokens": 5, "max_completion_tokens": 6}),
    ],
)
def test_the_limit_goes_up_under_the_name_the_vendor_knows(limit: str, body: Any, sent: Any) -> None:
    assert asked(body, limit=limit, rejects=("x",)) == sent


def test_two_limits_that_differ_are_the_callers_to_settle() -> None:
    with pytest.raises(InvalidRequest) as caught:
        asked({"max_tokens": 5, "max_completion_tokens": 6}, limit="max_tokens")
    assert caught.value.param == "max_completion_tokens"


def test_fields_are_renamed_and_values_keep_every_digit() -> None:
    edits = RequestEdits(VendorRow(base_url="https://a.example", renames={"seed": "random_seed"}))
    sent = edits.apply(b'{"seed":123456789012345678901234567890,"t":1.0}', "m", Dialect.OPENAI)
    assert b'"random_seed":123456789012345678901234567890' in sent
    assert b'"t":1.0' in sent


def test_nulls_and_stream_options_are_left_out_where_the_vendor_refuses_them() -> None:
    body = {"a": None, "b": {"c": None}, "stream": True, "stream_options": {"include_usage": True}}
    assert asked(body, drops_null=True, stream_options=False) == {"b": {"c": None}, "stream": True}


def test_ids_of_tool_calls_get_the_form_the_vendor_wants_and_still_match() -> None:
    call = {"type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        SAY,
        {"role": "assistant", "tool_calls": [{**call, "id": "call_0123456789"}, {**call, "id": "abcdefgh9"}]},
        {"role": "tool", "tool_call_id": "call_0123456789", "content": "1"},
        {"role": "tool", "tool_call_id": "abcdefgh9", "content": "2"},
    ]
    sent = asked({"messages": messages}, tool_id_length=9)["messages"]
    first, second = (call["id"] for call in sent[1]["tool_calls"])
    assert (sent[2]["tool_call_id"], sent[3]["tool_call_id"]) == (first, second)
    assert second == "abcdefgh9"
    assert len(first) == 9
    assert first.isalnum()
    assert asked({"messages": messages}, tool_id_length=9)["messages"] == sent


KIND = b"multipart/form-data; boundary=x"


def form(*parts: tuple[str, bytes]) -> bytes:
    """Return a form; each part is what follows ``form-data;`` in its head, and its body."""
    return (
        b"".join(
            b"--x\r\nContent-Type: text/plain\r\nContent-Disposition: form-data;%b\r\n\r\n%b\r\n"
            % (head.encode(), body)
            for head, body in parts
        )
        + b"--x--\r\n"
    )


@pytest.mark.parametrize(
    ("head", "renamed"),
    [
        (' name="a"', ' name="b"'),
        (" name=a", ' name="b"'),
        (' NAME = "a"', ' NAME = "b"'),
        (' name="a[]"', ' name="b[]"'),
        (' filename="; name=\\"a\\""; name="a"', ' filename="; name=\\"a\\""; name="b"'),
        (' name="a"; filename="name=a"', ' name="b"; filename="name=a"'),
        (' name="other"; filename="; name=a"', ' name="other"; filename="; name=a"'),
    ],
)
def test_a_part_of_a_form_is_renamed_and_nothing_else(head: str, renamed: str) -> None:
    edits = RequestEdits(VendorRow(base_url="https://a.example", renames={"a": "b"}))
    body = b'\r\n--x \r\nContent-Disposition: form-data; name="a"\r\n\r\n\xff'
    parts = ((' name="first"', b'name="a"'), (head, body), (' name="last"', b""))
    sent = edits.apply_form(form(*parts), KIND, "m", Dialect.OPENAI)
    assert sent == form(parts[0], (renamed, body.replace(b'"a"', b'"b"')), parts[2])


@pytest.mark.parametrize(("rejects", "refused"), [("a", True), ("a=1", True), ("a=2", False), ("b", False)])
def test_a_part_of_a_form_is_refused_by_its_name_or_its_value(rejects: str, refused: bool) -> None:
    edits = RequestEdits(VendorRow(base_url="https://a.example", rejects=(rejects,)))
    body = form((' name="a"', b"1"), (' name="c"', b"b"))
    if not refused:
        assert edits.apply_form(body, KIND, "m", Dialect.OPENAI) is body
        return
    with pytest.raises(Unsupported) as caught:
        edits.apply_form(body, KIND, "m", Dialect.OPENAI)
    assert caught.value.param == "a"


USAGE = {"prompt_tokens": 1, "completion_tokens": 2}


@pytest.mark.parametrize(
    ("place", "body"),
    [
        ("x_groq.usage", {"choices": [], "x_groq": {"id": "r", "usage": USAGE}}),
        ("choices[].usage", {"choices": [{"delta": {}}, {"delta": {}, "usage": USAGE}]}),
        ("choices[].usage", {"usage": None, "choices": [{"delta": {}, "usage": USAGE}]}),
    ],
)
def test_usage_is_found_where_the_row_says(place: str, body: dict[str, Any]) -> None:
    assert answered(body, usage=(place,)) == {**body, "usage": USAGE}


def test_usage_in_its_usual_place_counts() -> None:
    body = {"choices": [], "usage": {"prompt_tokens": 7}, "x_groq": {"usage": USAGE}}
    assert answered(body, usage=("x_groq.usage",)) == body


def test_reasoning_and_ends_get_the_names_of_the_wire() -> None:
    body = {"choices": [{"delta": {"thought": "a", "content": "b"}, "finish_reason": "sensitive"}]}
    sent = answered(body, reasoning="thought", finish_reasons={"sensitive": "content_filter"})
    assert sent == {
        "choices": [{"delta": {"content": "b", "reasoning_content": "a"}, "finish_reason": "content_filter"}]
    }


def test_an_answer_without_a_mark_is_the_very_same_bytes() -> None:
    body = b'{"choices": [{"delta": {"content": "x_gro"}}]}'
    assert answers(usage=("x_groq.usage",), finish_reasons={"sensitive": "error"}).apply(body) is body


@pytest.mark.parametrize(
    ("code", "name"),
    [(1008, "upstream_quota"), (1002, "upstream_rate_limited"), (1026, "content_filter"), (4711, "upstream_failed")],
)
def test_an_error_under_status_200_is_an_error(code: int, name: str) -> None:
    edits = answers(error_code="base_resp.status_code", errors={"1008": "quota", "1002": "rate", "1026": "filter"})
    body = {"choices": None, "base_resp": {"status_code": code, "status_msg": "so it is"}}
    with pytest.raises(MainstayError) as caught:
        OpenAICodec().whole(edits.apply(json.dumps(body).encode()))
    assert caught.value.code == name


def test_a_code_of_0_is_no_error() -> None:
    body = {"choices": [{"message": {"content": "Hi"}}], "base_resp": {"status_code": 0, "status_msg": ""}}
    assert answered(body, error_code="base_resp.status_code") == body


@pytest.mark.parametrize(
    ("status", "body", "name"),
    [
        (400, {"error": {"code": "1301", "message": "no"}}, "content_filter"),
        (400, {"error": {"code": "1261", "message": "long"}}, "context_length_exceeded"),
        (429, {"error": {"code": "1113", "message": "arrears"}}, "upstream_quota"),
        (429, {"error": {"code": 1302, "message": "slow"}}, "upstream_rate_limited"),
        (400, {"code": "E9", "message": "odd"}, "E9"),
        (500, {"error": {"code": "other"}}, "upstream_failed"),
        (500, [3], "upstream_failed"),
    ],
)
def test_a_vendors_own_codes_mean_what_the_row_says(status: int, body: object, name: str) -> None:
    edits = answers(errors={"1301": "filter", "1261": "context", "1113": "quota", "1302": "rate", "E9": "refused"})
    error = OpenAICodec().error(*_with_headers(edits.error(status, json.dumps(body).encode())))
    assert error.code == name


def _with_headers(found: tuple[int, bytes]) -> tuple[int, tuple[()], bytes]:
    return found[0], (), found[1]


KEYS = st.sampled_from(
    [
        "choices", "usage", "x", "delta", "message", "thought", "finish_reason", "code", "base", "messages",
        "tool_calls", "id", "tool_call_id", "user", "name", "max_tokens",
        "max_completion_tokens", "stream_options", "error",
    ]
)  # fmt: skip
LEAF = st.none() | st.booleans() | st.integers() | st.sampled_from(["", "user", "sensitive", "7"])
TREE = st.recursive(
    LEAF, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=15
)
FULL = VendorRow(
    base_url="https://a.example",
    rejects=("user", "messages[].name", "messages[].tool_calls[].id=user", "max_tokens=true"),
    limit="max_tokens",
    renames={"name": "id"},
    drops_null=True,
    stream_options=False,
    tool_id_length=9,
    usage=("x.usage", "choices[].usage", "choices[].delta.usage"),
    reasoning="thought",
    finish_reasons={"sensitive": "content_filter"},
    error_code="base.code",
    errors={"7": "rate"},
)


@given(st.dictionaries(KEYS, TREE, max_size=6))
def test_any_request_is_edited_or_refused(body: dict[str, Any]) -> None:
    with suppress(MainstayError):
        sent = json.loads(RequestEdits(FULL).apply(json.dumps(body).encode(), "m", Dialect.OPENAI))
        assert "user" not in sent
        assert "max_completion_tokens" not in sent
        assert None not in sent.values()


@given(TREE | st.dictionaries(KEYS, TREE, max_size=6), st.integers(0, 9))
def test_any_answer_is_edited_or_left_to_the_codec(body: Any, cut: int) -> None:
    data = json.dumps(body).encode()
    edits = AnswerEdits(FULL)
    json.loads(edits.apply(data))
    half = data[: len(data) - cut]
    edits.apply(half)
    for status in (400, 500):
        found, said = edits.error(status, half)
        assert 400 <= found < 600
        assert isinstance(said, bytes)
