"""What answers carry of ours, taken out of what callers send back: on any route, to any upstream."""

import json
from typing import Any

import pytest

from mainstay.core.call import Ask
from mainstay.core.target import Target
from mainstay.providers.anthropic import read_ask as read_message
from mainstay.providers.anthropic.codec import AnthropicCodec
from mainstay.providers.cohere.codec import CohereCodec
from mainstay.providers.openai import read_ask as read_chat
from mainstay.providers.openai.codec import OpenAICodec
from mainstay.providers.ours import without_ours
from mainstay.providers.responses import read_ask as read_response
from mainstay.providers.responses.codec import ResponsesCodec

OURS = {"mainstay": {"quote": "Yes."}}
THEIRS = {"type": "url_citation", "url_citation": {"url": "https://a.example", "start_index": 0, "end_index": 1}}
ASKED = {"role": "user", "content": 'What is a "mainstay"?', "mainstay": {"note": 1}}
CHAT = {
    "model": "m",
    "max_tokens": 9,
    "messages": [
        ASKED,
        {"role": "assistant", "content": "It.", "annotations": [{**THEIRS, **OURS}, THEIRS], **OURS},
        {"role": "user", "content": "And?"},
    ],
}
PLACE = {"type": "char_location", "cited_text": "x", "document_index": 0, "start_char_index": 0, "end_char_index": 1}
MESSAGE = {
    "model": "m",
    "max_tokens": 9,
    "messages": [
        {"role": "user", "content": "What?"},
        {"role": "assistant", "content": [{"type": "text", "text": "It.", "citations": [{**PLACE, **OURS}]}]},
        {"role": "user", "content": "And?"},
    ],
}
SAID = {"type": "output_text", "text": "It.", "annotations": [{"type": "file_citation", **OURS}]}
RESPONSE = {
    "model": "m",
    "input": [
        {"type": "message", "role": "user", "content": "What?"},
        {"type": "message", "role": "assistant", "id": "msg_1", "status": "completed", "content": [SAID]},
        {"type": "message", "role": "user", "content": "And?"},
    ],
}
CODECS: dict[str, Any] = {
    "openai": OpenAICodec(),
    "anthropic": AnthropicCodec(),
    "cohere": CohereCodec(),
    "responses": ResponsesCodec(),
}


def asks() -> dict[str, Ask]:
    chat = {**CHAT, "messages": [{"role": "user", "content": "What?"}, *CHAT["messages"][1:]]}  # type: ignore[index]
    return {
        "chat": read_chat(json.dumps(chat).encode()),
        "message": read_message(json.dumps(MESSAGE).encode()),
        "response": read_response(json.dumps(RESPONSE).encode()),
    }


@pytest.mark.parametrize("wire", ["openai", "anthropic", "cohere", "responses"])
@pytest.mark.parametrize("caller", ["chat", "message", "response"])
def test_no_upstream_is_sent_what_is_ours(caller: str, wire: str) -> None:
    _, body = CODECS[wire].request(asks()[caller], Target("m", "p", wire, "up"), stream=False)
    assert b"mainstay" not in body
    assert b"It." in body


def test_a_vendor_s_own_citations_stay_where_it_knows_them() -> None:
    _, body = CODECS["openai"].request(asks()["chat"], Target("m", "p", "openai", "up"), stream=False)
    assert json.loads(body)["messages"][1] == {"role": "assistant", "content": "It.", "annotations": [THEIRS]}
    _, body = CODECS["anthropic"].request(asks()["chat"], Target("m", "p", "anthropic", "up"), stream=False)
    assert b"url_citation" not in body


def test_messages_of_others_keep_their_bytes() -> None:
    body = json.dumps(CHAT, indent=1).encode()
    cleaned = without_ours(body)
    assert json.loads(cleaned)["messages"][0] == ASKED
    assert b'What is a \\"mainstay\\"?' in cleaned
    assert json.loads(cleaned)["messages"][1]["annotations"] == [THEIRS]


@pytest.mark.parametrize(
    "body", [b'{"messages":[{"role":"user","content":"x"}]}', b'"mainstay"', b'{"mainstay":', b'{"input":"mainstay"}']
)
def test_where_there_is_nothing_of_ours_the_bytes_are_the_same(body: bytes) -> None:
    assert without_ours(body) is body


def test_a_list_that_clients_want_is_left_empty_and_others_go() -> None:
    items: Any = json.loads(without_ours(json.dumps(RESPONSE).encode()))["input"]
    assert items[1]["content"] == [{"type": "output_text", "text": "It.", "annotations": []}]
    blocks = json.loads(without_ours(json.dumps(MESSAGE).encode()))["messages"][1]["content"]
    assert blocks == [{"type": "text", "text": "It."}]
