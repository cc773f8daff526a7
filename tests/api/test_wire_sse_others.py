"""The same streams for callers of other wires: messages keep names and ends of events, completions their [DONE]."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from anthropic import Anthropic

from support.upstream import Chunk, Cut, End, Head, Step, Wait
from support.wires import HELLO, Talk, chunk, event, finish, pieces, role, said, stream_of, usage_chunk

WORDS = [role(), said("Hé"), said(" 你好"), finish(), usage_chunk()]
TEXT = "Hé 你好"
OPENING: dict[str, Any] = {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}


@pytest.fixture
def claude(talk: Talk) -> Iterator[Anthropic]:
    """The official Anthropic SDK, talking to the gateway in front of the same upstream."""
    with Anthropic(base_url=talk.gateway.url, api_key=talk.gateway.key, max_retries=0) as client:
        yield client


def asked(**fields: Any) -> dict[str, Any]:
    """Return the fields of a request for a message."""
    return {"model": "plain", "max_tokens": 100, "messages": HELLO, **fields}


def events_of(talk: Talk, *steps: Step) -> list[tuple[str, dict[str, Any]]]:
    """Return name and data of every event that a caller of messages gets; each must have both."""
    talk.upstream.script(list(steps))
    with talk.client.stream("POST", "/v1/messages", json=asked(stream=True)) as response:
        body = b"".join(response.iter_raw())
    assert body.endswith(b"\n\n")
    assert b"[DONE]" not in body
    found = []
    for block in body[:-2].split(b"\n\n"):
        name, data = block.split(b"\n")
        assert name.startswith(b"event: ")
        found.append((name[7:].decode(), json.loads(data.removeprefix(b"data: "))))
    assert all(name == data["type"] for name, data in found)
    return found


HOSTILE = {
    "no spaces, crlf, comments": b"".join(b": c\r\n\r\ndata:" + data + b"\r\n\r\n" for data in (*WORDS, b"[DONE]")),
    "a byte-order mark": b"\xef\xbb\xbf" + b"".join(map(event, (*WORDS, b"[DONE]"))),
    "pings without data": b"".join(b"event: ping\n\n" + event(data) for data in WORDS),
    "ids and times to retry": b"".join(b"id: 1\nretry: 5\n" + event(data) + b": c\n\n" for data in WORDS),
    "no event that says done": b"".join(map(event, WORDS)),
    "one event that is no JSON": b"".join(map(event, (*WORDS[:2], b"{", *WORDS[2:]))),
}


@pytest.mark.parametrize("stream", HOSTILE.values(), ids=HOSTILE)
def test_the_anthropic_sdk_reads_every_stream_through_the_gateway(talk: Talk, claude: Anthropic, stream: bytes) -> None:
    talk.upstream.script(pieces(stream))
    with claude.messages.stream(**asked()) as found:
        message = found.get_final_message()
    assert [block.text for block in message.content if block.type == "text"] == [TEXT]
    assert (message.stop_reason, message.usage.input_tokens, message.usage.output_tokens) == ("end_turn", 7, 3)


def test_every_event_of_a_message_has_its_name_and_its_end_tells_the_usage(talk: Talk) -> None:
    for data in (WORDS, WORDS[:-1]):
        found = events_of(talk, *stream_of(*data))
        assert next(name for name, _ in found) == "message_start"
        assert [name for name, _ in found][-2:] == ["message_delta", "message_stop"]
        assert found[-2][1]["usage"]["output_tokens"] > 0


BREAKS: dict[str, list[Step]] = {
    "a clean end without a terminal event": pieces(event(role()), event(said("Hi"))),
    "a connection closed": [Head(200), Chunk(event(role()) + event(said("Hi"))), Cut()],
    "an error": pieces(event(role()), event(said("Hi")), event(b'{"error":{"message":"m","code":500}}')),
    "arguments of a call cut off": pieces(
        *(event(chunk({"tool_calls": [{**OPENING, "function": {"name": "f", "arguments": '{"path": "/'}}]})),)
    ),
}


@pytest.mark.parametrize("steps", BREAKS.values(), ids=BREAKS)
def test_the_anthropic_sdk_raises_for_every_stream_that_is_no_whole_answer(
    talk: Talk, claude: Anthropic, steps: list[Step]
) -> None:
    talk.upstream.script(steps)
    with pytest.raises(anthropic.APIStatusError), claude.messages.stream(**asked()) as found:
        found.get_final_message()
    last = events_of(talk, *steps)[-1]
    assert (last[0], set(last[1])) == ("error", {"type", "error", "request_id"})


def test_a_sign_of_life_is_a_ping_for_callers_of_messages(talk: Talk) -> None:
    heard, alive = threading.Event(), threading.Event()
    begin, end = event(role()) + event(said("Hi")), event(finish())
    steps = [Head(200), Chunk(begin), Wait(heard), Chunk(b": here\n\n"), Wait(alive), Chunk(end), End()]
    talk.upstream.script(steps)
    came = b""
    with talk.client.stream("POST", "/v1/messages", json=asked(stream=True)) as response:
        for piece in response.iter_raw():
            came += piece
            if b'"Hi"' in came:
                heard.set()
            if b'event: ping\ndata: {"type":"ping"}\n\n' in came.replace(b'"type": "', b'"type":"'):
                alive.set()
    assert alive.is_set()
    assert came.count(b"event: message_stop") == 1


@pytest.mark.parametrize("done", [True, False])
def test_done_is_said_once_to_callers_of_completions(talk: Talk, done: bool) -> None:
    parts = [{"text": "Hi", "index": 0, "finish_reason": None}, {"text": "", "index": 0, "finish_reason": "stop"}]
    head = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m"}
    data = [json.dumps({**head, "choices": [part]}).encode() for part in parts]
    talk.upstream.script(stream_of(*data, done=done))
    seen = talk.post({"model": "plain", "prompt": "Hi", "stream": True}, "/v1/completions")
    assert ("".join(d["choices"][0]["text"] for d in seen.data), seen.done) == ("Hi", 1)
    talk.upstream.script(stream_of(data[0], done=done))
    seen = talk.post({"model": "plain", "prompt": "Hi", "stream": True}, "/v1/completions")
    assert (seen.error["code"], seen.done) == ("upstream_interrupted", 0)
