"""Whether a request asks for a form is seen in its bytes: never missed, and not looked for where nothing asks."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.call import Ask
from mainstay.providers.anthropic import read_ask as read_messages
from mainstay.providers.openai import read_ask
from mainstay.providers.responses import read_ask as read_response
from mainstay.shaping.asked import find_form, may_ask

SAY: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
FUNCTION = {"name": "f", "parameters": SCHEMA, "strict": True}
#: A request for each way to ask, with what reads it.
ASKING = [
    (read_ask, {**SAY, "response_format": {"type": "json_object"}}),
    (read_ask, {**SAY, "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}}),
    (read_ask, {**SAY, "tools": [{"type": "function", "function": FUNCTION}]}),
    (read_ask, {**SAY, "functions": [FUNCTION]}),
    (read_messages, {**SAY, "max_tokens": 5, "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}}),
    (read_messages, {**SAY, "max_tokens": 5, "tools": [{"name": "f", "input_schema": SCHEMA, "strict": True}]}),
    (
        read_response,
        {"model": "m", "input": "Hi", "text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA}}},
    ),
    (read_response, {"model": "m", "input": "Hi", "tools": [{"type": "function", **FUNCTION}]}),
]


def spelt(body: dict[str, Any], places: list[int], upper: bool) -> bytes:
    """Return ``body`` with the letters at some places written as escapes."""
    text = json.dumps(body)
    found = [i for i, sign in enumerate(text) if sign.isalpha() or sign == "_"]
    # No letter of an escape, and of true, false and null, can be one itself.
    safe = {found[place % len(found)] for place in places} - _words(text)
    form = "\\u{:04X}" if upper else "\\u{:04x}"
    return "".join(form.format(ord(sign)) if i in safe else sign for i, sign in enumerate(text)).encode()


def _words(text: str) -> set[int]:
    """Return the places outside of strings."""
    outside, within = set(), False
    for i, sign in enumerate(text):
        if sign == '"':
            within = not within
        elif not within:
            outside.add(i)
    return outside


def asks(ask: Ask) -> bool:
    return find_form(ask.prompt, ask.dialect, "strict", None) is not None


@given(case=st.sampled_from(ASKING), places=st.lists(st.integers(0, 500), max_size=40), upper=st.booleans())
def test_what_asks_for_a_form_is_seen_however_its_names_are_spelt(case: Any, places: list[int], upper: bool) -> None:
    read, body = case
    raw = spelt(body, places, upper)
    assert json.loads(raw) == body
    assert asks(read(raw))
    assert may_ask(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b'"response\\u005fformat"',
        b'{"type":"json\\u005Fobject"}',
        b'{"\\u0073trict":true}',
        b'{"stric\\u0074":true}',
        b'{"\\u006a\\u0073\\u006f\\u006e\\u005f\\u0073":1}',
        b'{"too\\u006Cs":[]}',
        b'{"\\u0070rompt":"p@1"}',
    ],
)
def test_a_letter_as_an_escape_means_a_closer_look(raw: bytes) -> None:
    assert may_ask(raw)


@pytest.mark.parametrize(
    "words",
    [
        "caf\u00e9 \u2019s \u4f60\u597d \U0001f600",
        "\x00 \x1b \x7f \x80 \xa0 \xff",
        "<a href='x'>&+`{|}~",
        "C:\\users \\n",
    ],
)
def test_words_of_any_alphabet_need_no_closer_look(words: str) -> None:
    body = {**SAY, "messages": [{"role": "user", "content": words}]}
    raw = json.dumps(body).encode()
    # What encoders escape for the sake of HTML.
    for sign in "<>&'+`\x7f":
        raw = raw.replace(sign.encode(), b"\\u%04X" % ord(sign))
    assert json.loads(raw) == body
    assert not may_ask(raw)
