"""Every text of a request, where it stands, and another in its place."""

import json
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.prompt import DocumentPart, Message, OpaquePart, Prompt, TextPart, ToolCallPart, ToolResultPart
from mainstay.guardrails.bodies import body_source, json_strings, last_words, prompt_sources, with_strings, with_texts

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def _swapped(value: Any) -> Any:
    if isinstance(value, str):
        return f'"{value}\\\n' if value else value
    if isinstance(value, list):
        return [_swapped(one) for one in value]
    return {key: _swapped(one) for key, one in value.items()} if isinstance(value, dict) else value


@given(_VALUES, st.booleans())
def test_every_string_can_be_replaced_and_nothing_else_changes(value: Any, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    strings = json_strings(text)
    assert strings is not None
    assert json.loads(with_strings(text, {one: f'"{one.value}\\\n' for one in strings})) == _swapped(value)
    assert with_strings(text, {}) == text


def test_fields_are_those_of_the_outermost_object() -> None:
    strings = json_strings('{"a": {"b": "1", "c": ["2"]}, "d": "3"}')
    assert strings is not None
    assert [(one.value, one.field) for one in strings] == [("1", "a"), ("2", "a"), ("3", "d")]


def test_files_are_no_texts_and_what_is_no_json_has_no_strings() -> None:
    file = "A" * 9000
    strings = json_strings(json.dumps([file, "data:image/png;base64,AAAA", "text"]))
    assert strings is not None
    assert [one.value for one in strings] == ["text"]
    assert json_strings('{"broken') is None
    assert body_source(b"\xff") is None


def test_names_of_models_are_no_texts_of_a_task() -> None:
    source = body_source(b'{"model": "jane.doe@acme.org", "input": "hello"}')
    assert source is not None
    assert source.strings is not None
    assert [one.value for one in source.strings] == ["hello"]


_PROMPT = Prompt(
    "m",
    (
        Message("system", (TextPart("rules"),)),
        Message("user", name="jane", parts=(TextPart("ask"), DocumentPart(data="paper", media_type="text/plain"))),
        Message("assistant", (TextPart("say"), ToolCallPart("t", "f", '{"x": "given"}'))),
        Message(
            "tool",
            (
                ToolResultPart(
                    "t", (TextPart("came"), OpaquePart(msgspec.Raw(b'{"type": "x", "found": "odd"}'), "anthropic"))
                ),
            ),
            extra={"note": msgspec.Raw(b'"marginal"')},
        ),
        Message("user", (OpaquePart(msgspec.Raw(b'{"title": "result"}'), "anthropic"),)),
    ),
    user="user-7",
    extra={"metadata": msgspec.Raw(b'{"owner": "somebody"}'), "n": msgspec.Raw(b"1")},
)


def test_each_text_of_a_prompt_counts_as_what_it_is() -> None:
    told = {source.text: (source.name, source.places[0], source.foreign) for source in prompt_sources(_PROMPT)}
    assert told == {
        "rules": ("0.0", "input", False),
        "ask": ("1.0", "input", True),
        "paper": ("1.1", "retrieved", True),
        "say": ("2.0", "input", False),
        '{"x": "given"}': ("2.1", "input", False),
        "came": ("3.0.0", "tool_result", True),
        '{"type": "x", "found": "odd"}': ("3.0.1", "tool_result", True),
        '"marginal"': ("3.extra.note", "tool_result", True),
        '{"title": "result"}': ("4.0", "input", True),
        '{"owner": "somebody"}': ("extra.metadata", "input", True),
        '"jane"': ("1.name", "input", True),
        '"user-7"': ("user", "input", True),
    }


def test_each_text_of_a_prompt_can_be_replaced() -> None:
    sources = prompt_sources(_PROMPT)
    for source in sources:
        new = '"another text"'
        changed = with_texts(_PROMPT, {source.path: new})
        after = [one.text for one in prompt_sources(changed)]
        assert after == [new if one.path == source.path else one.text for one in sources]
    assert with_texts(_PROMPT, {}) is _PROMPT


def test_the_last_words_are_the_users() -> None:
    assert last_words(_PROMPT) == "ask"
    assert last_words(Prompt("m", ())) == ""
