"""What saying a call in another vendor's words costs, timed within one process: ``python -m bench.translate``.

Of a request of 2 KB (a system prompt, three turns, a call with its result, a tool): from the caller's body, checked at
the door, to the body that the vendor is asked with. Of a streamed answer: from the data of one event that holds a word
to the bytes the caller is sent, the finding of its lines left out. CPU time, the least of many rounds, since whatever
else a machine does only adds. Prints one JSON object: microseconds by caller and vendor. Like ``bench.inside`` it knows
Mainstay from within.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from mainstay.core.call import Ask
from mainstay.core.record import Record
from mainstay.core.sse import SseEvent
from mainstay.core.target import Target
from mainstay.line.streaming import StreamWriter
from mainstay.providers.anthropic import AnthropicStreamWriter
from mainstay.providers.anthropic import read_ask as read_messages
from mainstay.providers.openai import OpenAIStreamWriter
from mainstay.providers.openai import read_ask as read_chat
from mainstay.providers.responses import ResponsesStreamWriter
from mainstay.providers.responses import read_ask as read_responses
from mainstay.providers.responses.asks import ResponsesAsk
from mainstay.providers.vendors.wires import make_codec

__all__ = ["CALLERS", "VENDORS", "measure"]

Json = dict[str, Any]

VENDORS = ("openai", "responses", "anthropic", "gemini", "bedrock", "cohere")
CALLERS: dict[str, Callable[[bytes], Ask]] = {
    "chat": read_chat,
    "messages": read_messages,
    "responses": read_responses,
}
_EVENTS = 200
_REQUESTS = 50
_TARGET = Target("m", "p", "vendor", "gemini-2.5-flash")
_WORD = " several words of text"
_ARGUMENTS = '{"city":"Bonn","days":3}'
_SCHEMA: Json = {
    "type": "object",
    "properties": {"city": {"type": "string", "description": "Where."}, "days": {"type": "integer"}},
    "required": ["city"],
}


def _question(caller: str) -> bytes:
    """Return a request of about 2 KB in the caller's dialect."""
    system = "Answer in one paragraph, in plain words, and say what you are not sure of. " * 5
    first, reply, last = "What will the weather be? " * 10, "I will look it up. " * 25, "And what should I wear? " * 10
    tool: Json = {"name": "forecast", "description": "Returns the forecast for a city. " * 2}
    function = {**tool, "parameters": _SCHEMA}
    messages: list[Json] = [{"role": "user", "content": first}]
    body: Json = {"model": "m", "messages": messages, "temperature": 0.5}
    if caller == "messages":
        call = {"type": "tool_use", "id": "call_1", "name": "forecast", "input": json.loads(_ARGUMENTS)}
        result = {"type": "tool_result", "tool_use_id": "call_1", "content": "Rain."}
        messages.append({"role": "assistant", "content": [{"type": "text", "text": reply}, call]})
        messages.append({"role": "user", "content": [result, {"type": "text", "text": last}]})
        body |= {"system": system, "max_tokens": 500, "tools": [{**tool, "input_schema": _SCHEMA}]}
    elif caller == "chat":
        call = {"id": "call_1", "type": "function", "function": {"name": "forecast", "arguments": _ARGUMENTS}}
        messages.insert(0, {"role": "system", "content": system})
        messages.append({"role": "assistant", "content": reply, "tool_calls": [call]})
        messages.append({"role": "tool", "tool_call_id": "call_1", "content": "Rain."})
        messages.append({"role": "user", "content": last})
        body |= {"max_tokens": 500, "tools": [{"type": "function", "function": function}]}
    else:
        items = [
            *body.pop("messages"),
            {"role": "assistant", "content": reply},
            {"type": "function_call", "call_id": "call_1", "name": "forecast", "arguments": _ARGUMENTS},
            {"type": "function_call_output", "call_id": "call_1", "output": "Rain."},
            {"role": "user", "content": last},
        ]
        tools = [{"type": "function", **function, "strict": False}]
        body |= {"input": items, "instructions": system, "max_output_tokens": 500, "tools": tools}
    return json.dumps(body).encode()


def _stream(vendor: str) -> tuple[list[tuple[str, Json]], tuple[str, Json]]:
    """Return the events that open a vendor's stream, and the one that brings a word: names and data."""
    if vendor == "openai":
        head: Json = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1700000000, "model": "m"}
        first, word = (
            {**head, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}]}
            for delta in ({"role": "assistant", "content": ""}, {"content": _WORD})
        )
        return [("", first)], ("", word)
    if vendor == "anthropic":
        message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": []}
        usage = {"usage": {"input_tokens": 9, "output_tokens": 1}, "stop_reason": None}
        begun = {"type": "message_start", "message": {**message, **usage}}
        opened = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
        word = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": _WORD}}
        return [("message_start", begun), ("content_block_start", opened)], ("content_block_delta", word)
    if vendor == "responses":
        response = {"id": "resp_1", "object": "response", "created_at": 1700000000, "status": "in_progress"}
        created = {"type": "response.created", "response": {**response, "model": "m", "output": []}}
        place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
        word = {"type": "response.output_text.delta", **place, "delta": _WORD, "logprobs": []}
        return [("response.created", {**created, "sequence_number": 0})], (
            "response.output_text.delta",
            {**word, "sequence_number": 1},
        )
    if vendor == "gemini":
        candidate = {"content": {"role": "model", "parts": [{"text": _WORD}]}, "index": 0}
        head = {"modelVersion": "m", "responseId": "r", "usageMetadata": {"promptTokenCount": 9}}
        return [], ("", {"candidates": [candidate], **head})
    if vendor == "bedrock":
        word = {"contentBlockIndex": 0, "delta": {"text": _WORD}, "p": "abcdefgh"}
        return [("messageStart", {"role": "assistant", "p": "ab"})], ("contentBlockDelta", word)
    begun = {"type": "message-start", "id": "1", "delta": {"message": {"role": "assistant", "content": []}}}
    opened = {"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "text", "text": ""}}}}
    word = {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": _WORD}}}}
    return [("message-start", begun), ("content-start", opened)], ("content-delta", word)


def _writer(caller: str) -> StreamWriter:
    identity = Record.opened("chat", "POST", "/").id
    if caller == "chat":
        return OpenAIStreamWriter(True, model="m", id=identity, created=1)
    if caller == "messages":
        return AnthropicStreamWriter(model="m", id=identity, request_id="r")
    ask = read_responses(b'{"model":"m","input":"Hi"}')
    assert isinstance(ask, ResponsesAsk)
    return ResponsesStreamWriter(ask, model="m", id=identity, created=1)


def _request(caller: str, vendor: str) -> float:
    """Microseconds of CPU to say one request."""
    codec, body = make_codec(vendor), _question(caller)
    asks = [CALLERS[caller](body) for _ in range(_REQUESTS)]
    before = time.process_time_ns()
    for ask in asks:
        codec.request(ask, _TARGET, stream=True)
    return (time.process_time_ns() - before) / _REQUESTS / 1e3


def _event(caller: str, vendor: str) -> float:
    """Microseconds of CPU to say one event."""
    reader, writer = make_codec(vendor).reader(), _writer(caller)
    opening, (name, word) = _stream(vendor)
    words = [(name, {**word, "sequence_number": n} if vendor == "responses" else word) for n in range(1, _EVENTS + 2)]
    events = [SseEvent(json.dumps(data).encode(), name.encode()) for name, data in (*opening, *words)]
    warm = len(events) - _EVENTS
    for one in events[:warm]:
        if (frame := reader.feed(one)) is not None:
            writer.frame(frame)
    before = time.process_time_ns()
    for one in events[warm:]:
        frame = reader.feed(one)
        assert frame is not None
        writer.frame(frame)
    return (time.process_time_ns() - before) / _EVENTS / 1e3


def measure(rounds: int) -> dict[str, dict[str, float]]:
    """Microseconds by ``caller to vendor``: of a ``request`` and of an ``event``, the least of so many rounds."""
    pairs = [(caller, vendor) for caller in CALLERS for vendor in VENDORS]
    found: dict[str, dict[str, float]] = {"request": {}, "event": {}}
    for kind, once in (("request", _request), ("event", _event)):
        for caller, vendor in pairs:
            found[kind][f"{caller} to {vendor}"] = min(once(caller, vendor) for _ in range(rounds))
    return found


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 40), indent=1))
