"""A stream folded and written is the whole answer, however it was cut."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw
from openai.types.chat import ChatCompletion

from mainstay.core.answer import Whole
from mainstay.core.events import Dialect, Event, Finished, FinishReason, Opaque
from mainstay.core.fold import fold
from mainstay.providers.openai import OpenAICodec, write_whole
from support.openai_chunks import events_of

CODEC = OpenAICodec()
USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


def dump(value: Any) -> bytes:
    return json.dumps(value).encode()


def written(events: Whole | list[Event]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(write_whole(events, model="fallback", id="abc", created=5))
    ChatCompletion.model_validate(found, strict=True)
    return found


words = st.text(max_size=6)
parts = st.lists(words, max_size=4)
arguments = st.lists(st.text(alphabet='{}":\\ud8"é😀1,', max_size=4), max_size=4)
message_parts = st.fixed_dictionaries(
    {
        "reasoning": parts,
        "content": parts,
        "refusal": parts,
        "calls": st.lists(arguments, max_size=3),
        "odd": st.booleans(),
    }
)


def cut(choices: list[dict[str, Any]], order: list[int]) -> tuple[dict[str, Any], list[bytes]]:
    """Return an answer and a stream of it; ``order`` interleaves the choices."""
    whole: dict[str, Any] = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1700000000, "model": "m-1"}
    whole |= {"choices": [], "system_fingerprint": "fp", "usage": USAGE}
    queues: list[list[dict[str, Any]]] = []
    for index, made in enumerate(choices):
        text, calls = "".join(made["content"]), made["calls"]
        message: dict[str, Any] = {
            "role": "assistant",
            "content": text if text or not (calls or "".join(made["refusal"])) else None,
        }
        message["refusal"] = "".join(made["refusal"]) or None
        queue: list[dict[str, Any]] = [{"delta": {"role": "assistant", "content": ""}}]
        for name in ("reasoning", "content", "refusal"):
            key = "reasoning_content" if name == "reasoning" else name
            queue += [{"delta": {key: piece}} for piece in made[name]]
        if "".join(made["reasoning"]):
            message["reasoning_content"] = "".join(made["reasoning"])
        if calls:
            message["tool_calls"] = [
                {"id": f"c{index}{i}", "type": "function", "function": {"name": "f", "arguments": "".join(pieces)}}
                for i, pieces in enumerate(calls)
            ]
        for i in range(len(calls)):
            opening = {"index": i, "id": f"c{index}{i}", "type": "function", "function": {"name": "f", "arguments": ""}}
            queue.append({"delta": {"tool_calls": [opening]}})
        for row in range(4):
            for i, pieces in enumerate(calls):
                if row < len(pieces):
                    queue.append({"delta": {"tool_calls": [{"index": i, "function": {"arguments": pieces[row]}}]}})
        if made["odd"]:
            message["reasoning_details"] = [{"a": 1}]
            queue.append({"delta": {"reasoning_details": [{"a": 1}]}})
        word = "tool_calls" if calls else "stop"
        queue.append({"delta": {}, "finish_reason": word})
        queues.append([{"index": index, **step} for step in queue])
        whole["choices"].append({"index": index, "message": message, "logprobs": None, "finish_reason": word})
    head = {key: whole[key] for key in ("id", "created", "model", "system_fingerprint")}
    head["object"] = "chat.completion.chunk"
    stream = []
    turns = iter(order)
    while any(queues):
        ready = [queue for queue in queues if queue]
        stream.append(dump({**head, "choices": [ready[next(turns, 0) % len(ready)].pop(0)], "usage": None}))
    stream.append(dump({**head, "choices": [], "usage": USAGE}))
    return whole, [*stream, b"[DONE]"]


@settings(max_examples=150, deadline=None)
@given(st.lists(message_parts, min_size=1, max_size=3), st.lists(st.integers(0, 2), max_size=30))
def test_a_stream_folded_and_written_is_the_whole_answer(choices: list[dict[str, Any]], order: list[int]) -> None:
    whole, stream = cut(choices, order)
    found = written(fold(events_of(stream)))
    del found["usage"]["prompt_tokens_details"], found["usage"]["completion_tokens_details"]
    assert found == whole
    read = CODEC.whole(dump(whole))
    again = written(list(read.events))
    del again["usage"]["prompt_tokens_details"], again["usage"]["completion_tokens_details"]
    assert again == whole
    streamed = fold(events_of(stream))
    assert (streamed.finish, streamed.usage) == (read.finish, read.usage)


def test_audio_in_pieces_is_joined() -> None:
    def piece(audio: dict[str, Any]) -> Opaque:
        return Opaque(Raw(dump({"message": {"audio": audio}})), Dialect.OPENAI)

    pieces: list[Event] = [
        piece({"id": "a", "transcript": "he"}),
        piece({"transcript": "y", "data": "AA"}),
        piece({"data": "BB", "expires_at": 9}),
        Finished(FinishReason.STOP),
    ]
    assert written(pieces)["choices"][0]["message"]["audio"] == {
        "id": "a",
        "transcript": "hey",
        "data": "AABB",
        "expires_at": 9,
    }
