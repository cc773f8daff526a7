"""The user's last words, out of what each wire recorded."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.assembly.asked import asked_text
from mainstay.core.record import Content
from support.records import make_record

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"


def asked(path: str, body: Any) -> str:
    request = body if isinstance(body, str) else json.dumps(body)
    return asked_text(make_record(path=path, content=Content(request, "")))


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (
            CHAT,
            {"model": "m", "messages": [{"role": "system", "content": "Be kind"}, {"role": "user", "content": "x"}]},
        ),
        (
            CHAT,
            {
                "model": "m",
                "messages": [
                    {"role": "user", "content": [{"type": "text", "text": "x"}]},
                    {"role": "assistant", "content": "y"},
                ],
            },
        ),
        (
            MESSAGES,
            {
                "model": "m",
                "max_tokens": 9,
                "messages": [
                    {"role": "user", "content": "x"},
                    {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]},
                    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "found"}]},
                ],
            },
        ),
        ("/v1/responses", {"model": "m", "input": "x"}),
        ("/v1/completions", {"model": "m", "prompt": "x"}),
    ],
)
def test_every_wire_says_what_its_user_said_last(path: str, body: Any) -> None:
    assert asked(path, body) == "x"


def test_a_record_without_words_says_nothing() -> None:
    assert asked_text(make_record(path=CHAT)) == ""
    assert asked("/v1/embeddings", {"model": "m", "input": "x"}) == ""
    assert asked(CHAT, {"model": "m", "messages": [{"role": "system", "content": "x"}]}) == ""


@given(
    st.text(max_size=40)
    | st.recursive(st.none() | st.text(max_size=3), lambda x: st.lists(x, max_size=3)).map(
        lambda value: json.dumps({"model": "m", "messages": value})
    )
)
def test_whatever_was_recorded_is_read_or_passed_over(body: str) -> None:
    assert isinstance(asked(CHAT, body), str)
