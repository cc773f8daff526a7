"""How many tokens a prompt has: asked upstream in the caller's own words, or estimated."""

import json
from typing import Any

import pytest

from mainstay.core.errors import UpstreamBroken
from mainstay.core.target import Target
from mainstay.providers.anthropic import CountCodec, estimate, read_count, write_count
from mainstay.providers.port import Codec

TARGET = Target("haiku", "claude", "anthropic", "claude-haiku-4-5")
IMAGE = {"type": "image", "source": {"type": "url", "url": "https://example.com/" + "x" * 400}}
PDF = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "A" * 400}}
NOTE = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x" * 40}}


def body(*content: Any, **fields: Any) -> bytes:
    messages = [{"role": "user", "content": list(content) or "x" * 40}]
    return json.dumps({"model": "haiku", "messages": messages, **fields}).encode()


def test_the_callers_body_goes_up_with_the_upstreams_name() -> None:
    codec: Codec = CountCodec()
    path, sent = codec.request(read_count(body(novel=1.0)), TARGET, stream=True)
    assert path == b"/v1/messages/count_tokens"
    assert json.loads(sent) == {**json.loads(body(novel=1.0)), "model": "claude-haiku-4-5"}
    assert b"1.0" in sent


def test_a_count_is_no_usage() -> None:
    whole = CountCodec().whole(b'{"input_tokens":7,"new":1}')
    assert (whole.wire, whole.usage) == (b'{"input_tokens":7,"new":1}', None)


@pytest.mark.parametrize("answer", [b"", b"{}", b'{"input_tokens":"x"}', b'{"content":[]}'])
def test_what_is_no_count_is_an_error(answer: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        CountCodec().whole(answer)


@pytest.mark.parametrize(
    ("request_body", "tokens"),
    [
        (body(), 10 + 4),
        (body({"type": "text", "text": "x" * 41}), 11 + 4),
        (body(system="x" * 40), 20 + 8),
        (body({"type": "text", "text": "é" * 20}), 10 + 4),
        (body(IMAGE), 1600 + 4),
        (body(PDF), 6000 + 4),
        (body(NOTE), 10 + 4),
        (body({"type": "tool_use", "id": "a", "name": "find", "input": {"a": 1}}), 3 + 4),
        (
            body({"type": "tool_result", "tool_use_id": "a", "content": [IMAGE, {"type": "text", "text": "x" * 8}]}),
            1606,
        ),
        (body({"type": "server_tool_use", "x": 1}), 9 + 4),
        (body({"type": "thinking", "thinking": "x" * 8, "signature": "s" * 900}), 2 + 4),
        (body({"type": "text", "text": "x"}, tools=[{"name": "abc", "description": "d" * 10, "input_schema": {}}]), 8),
    ],
)
def test_an_estimate_is_a_quarter_of_the_bytes_and_something_for_each_message(request_body: bytes, tokens: int) -> None:
    assert estimate(read_count(request_body).prompt) == tokens


def test_an_estimate_says_that_it_is_one() -> None:
    assert json.loads(write_count(12)) == {"input_tokens": 12, "estimated": True}
