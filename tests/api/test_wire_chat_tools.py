"""Tool calls over real sockets: told apart, put together, never repaired into something that was not said."""

import json
from typing import Any

import pytest
from openai import OpenAI

from support.gateway import completion
from support.upstream import json_reply
from support.wires import HELLO, Seen, Talk, chunk, finish, role, said, stream_of

TOOLS = {"tools": [{"type": "function", "function": {"name": name, "parameters": {"type": "object"}}} for name in "fg"]}
ARGUMENTS = '{"text": "a\\"b\\\\ \\u00e9 \\ud83d\\ude00 é 😀", "n": [1.0, null]}'


def piece(arguments: str | None = None, **call: Any) -> bytes:
    """Return a chunk with a piece of one call; ``call`` sets ``index``, ``id`` and ``name``."""
    return chunk({"tool_calls": [part(arguments, **call)]})


def part(arguments: str | None = None, **call: Any) -> dict[str, Any]:
    """Return an entry of ``tool_calls``."""
    function = {"name": call.pop("name", None), "arguments": arguments}
    return {**call, "function": {key: value for key, value in function.items() if value is not None}}


def ask(talk: Talk, *data: bytes, reason: str = "tool_calls") -> Seen:
    """Return what a caller with tools gets of a stream with ``data`` between its role and its end."""
    return talk.stream(*stream_of(role(), *data, finish(reason)), **TOOLS)


def told(seen: Seen) -> list[tuple[str, str]]:
    """Return name and arguments of each call, whose ids must be there, once each, and all different."""
    calls = seen.calls()
    opened = [p for d in seen.deltas() for p in d.get("tool_calls") or () if p.get("id")]
    assert len({call[0] for call in calls}) == len(calls) == len(opened)
    assert all(call[0] for call in calls)
    assert all(p["function"]["name"] for p in opened)
    return [(name, arguments) for _, name, arguments in calls]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 200])
def test_arguments_may_be_cut_anywhere(talk: Talk, size: int) -> None:
    # One sign a piece: within escapes, between a backslash and its letter, between the halves of a surrogate's escape.
    pieces = [piece(ARGUMENTS[i : i + size], index=0) for i in range(0, len(ARGUMENTS), size)]
    seen = ask(talk, piece("", index=0, id="a", name="f"), *pieces)
    assert seen.calls() == [("a", "f", ARGUMENTS)]
    assert json.loads(seen.calls()[0][2]) == json.loads(ARGUMENTS)


def test_arguments_may_be_cut_within_a_character(talk: Talk) -> None:
    halves = [piece(half, index=0).replace(b"?", sign) for half, sign in (('{"a":"?', b"\\ud83d"), ('?"}', b"\\ude00"))]
    seen = ask(talk, piece("", index=0, id="a", name="f"), *halves)
    assert seen.calls() == [("a", "f", '{"a":"😀"}')]


WRONG = {
    "interleaved": [
        piece("", index=0, id="a", name="f"),
        piece("", index=1, id="b", name="g"),
        piece('{"a":', index=0),
        piece("[", index=1),
        piece("1}", index=0),
        piece("2]", index=1),
    ],
    "without an index": [
        piece('{"a":', id="a", name="f"),
        piece("1}"),
        piece("[", id="b", name="g"),
        piece("2]"),
    ],
    "one index used again": [
        piece('{"a":', index=0, id="a", name="f"),
        piece("1}", index=0),
        piece("[", index=0, id="b", name="g"),
        piece("2]", index=0),
    ],
    "all whole and on index 0": [
        piece('{"a":1}', index=0, id="a", name="f"),
        piece("[2]", index=0, id="b", name="g"),
    ],
    "all in one delta, on index 0": [
        chunk({"tool_calls": [part('{"a":1}', index=0, id="a", name="f"), part("[2]", index=0, id="b", name="g")]})
    ],
    "without ids": [
        piece("", index=0, name="f"),
        piece('{"a":1}', index=0),
        piece("", index=1, name="g"),
        piece("[2]", index=1),
    ],
    "without ids and indexes": [piece('{"a":1}', name="f"), piece("[2]", name="g")],
    "counted from one": [
        piece("", index=1, id="a", name="f"),
        piece("", index=1),
        piece('{"a":1}', index=1),
        piece("[2]", index=2, id="b", name="g"),
    ],
    "with its id and name in every piece": [
        piece('{"a":', index=0, id="a", name="f"),
        piece("1}", index=0, id="a", name="f"),
        piece("[2]", index=1, id="b", name="g"),
    ],
}


@pytest.mark.parametrize("data", WRONG.values(), ids=WRONG)
def test_calls_are_told_apart_however_they_are_numbered(talk: Talk, data: list[bytes]) -> None:
    seen = ask(talk, *data)
    assert told(seen) == [("f", '{"a":1}'), ("g", "[2]")]
    assert seen.reasons()[-1] == "tool_calls"
    assert [p["index"] for d in seen.deltas() for p in d.get("tool_calls") or () if p.get("id")] == [0, 1]


@pytest.mark.parametrize("data", WRONG.values(), ids=WRONG)
def test_the_sdk_puts_the_calls_together(talk: Talk, data: list[bytes]) -> None:
    talk.upstream.script(stream_of(role(), *data, finish("tool_calls")))
    with OpenAI(base_url=f"{talk.gateway.url}/v1", api_key=talk.gateway.key, max_retries=0) as sdk:
        options: Any = {"model": "plain", "messages": HELLO}
        with sdk.chat.completions.stream(**options) as stream:
            message = stream.get_final_completion().choices[0].message
    assert [(c.function.name, c.function.arguments) for c in message.tool_calls or ()] == [  # type: ignore[union-attr]  # functions
        ("f", '{"a":1}'),
        ("g", "[2]"),
    ]


@pytest.mark.parametrize("arguments", ["", "{}", None])
def test_no_arguments_and_empty_arguments_stay_what_they_are(talk: Talk, arguments: str | None) -> None:
    assert told(ask(talk, piece(arguments, index=0, id="a", name="f"))) == [("f", arguments or "")]
    if arguments is not None:
        answer = called(arguments)
        assert talk.whole(json_reply(answer), **TOOLS).json == answer


def called(arguments: Any, *, reason: str = "tool_calls", **call: Any) -> dict[str, Any]:
    """Return a whole answer that calls ``f``."""
    entry = {"id": "a", "type": "function", "function": {"name": "f", "arguments": arguments}, **call}
    message = {"role": "assistant", "content": None, "tool_calls": [entry]}
    return completion(choices=[{"index": 0, "message": message, "finish_reason": reason}])


@pytest.mark.parametrize("id", [None, ""])
def test_a_whole_call_without_an_id_gets_one(talk: Talk, id: str | None) -> None:  # noqa: A002  # the wire's own word
    (call,) = talk.whole(json_reply(called("{}", id=id)), **TOOLS).json["choices"][0]["message"]["tool_calls"]
    assert call["id"].startswith("call_")
    assert len(call["id"]) > len("call_")


def test_arguments_as_an_object_become_the_text_of_it(talk: Talk) -> None:
    (call,) = talk.whole(json_reply(called({"a": 1.0})), **TOOLS).json["choices"][0]["message"]["tool_calls"]
    assert json.loads(call["function"]["arguments"]) == {"a": 1.0}
    seen = ask(
        talk, chunk({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": {"a": 1.0}}}]})
    )
    assert told(seen) == [("f", '{"a":1.0}')]


@pytest.mark.parametrize("arguments", ['{"a": "b', '{"a": {"b": 1}', '{"path": "/tmp/x", "text": "rm -rf'])
def test_a_call_cut_by_the_limit_stays_cut(talk: Talk, arguments: str) -> None:
    seen = ask(talk, piece("", index=0, id="a", name="f"), piece(arguments, index=0), reason="length")
    assert (told(seen), seen.reasons()[-1]) == ([("f", arguments)], "length")
    answer = called(arguments, reason="length")
    assert talk.whole(json_reply(answer), **TOOLS).json == answer


@pytest.mark.parametrize("word", ["stop", "eos_token", "end_turn", "tool_use", "tool_calls"])
def test_an_answer_that_calls_ends_with_tool_calls_whatever_the_upstream_says(talk: Talk, word: str) -> None:
    seen = ask(talk, said("See:"), piece("{}", index=0, id="a", name="f"), reason=word)
    assert (seen.text(), seen.reasons()[-1]) == ("See:", "tool_calls")
    whole = talk.whole(json_reply(called("{}", reason=word)), **TOOLS).json
    assert whole["choices"][0]["finish_reason"] == "tool_calls"


def test_an_empty_list_of_calls_is_no_call(talk: Talk) -> None:
    data = [chunk({"content": word, "reasoning_content": "", "tool_calls": []}) for word in ("", "Hi")]
    seen = ask(talk, *data, reason="stop")
    assert (seen.text(), seen.calls(), seen.reasons()[-1]) == ("Hi", [], "stop")
    answer = completion("Hi")
    answer["choices"][0]["message"]["tool_calls"] = []
    assert talk.whole(json_reply(answer), **TOOLS).json == answer


def test_a_call_whose_name_never_comes_is_an_error_and_no_call(talk: Talk) -> None:
    seen = ask(talk, said("Hi"), piece("{}", index=0, id="a"))
    assert (seen.error["code"], seen.done, seen.calls()) == ("upstream_interrupted", 0, [])
    answer = called("{}")
    del answer["choices"][0]["message"]["tool_calls"][0]["function"]["name"]
    assert talk.whole(json_reply(answer), model="broken", **TOOLS).status == 502
