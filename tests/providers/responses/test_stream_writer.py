"""What a caller of this wire sees of a stream: the whole sequence of events, whichever upstream it came from."""

import json
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from mainstay.core.errors import UpstreamBroken, UpstreamInterrupted
from mainstay.core.events import (
    Dialect,
    Event,
    Finished,
    FinishReason,
    Frame,
    Metered,
    Opaque,
    RefusalDelta,
    Started,
    TextDelta,
    ThinkingDelta,
    ThinkingSealed,
    ToolDelta,
    ToolStarted,
)
from mainstay.core.prompt import ThinkingPart
from mainstay.core.usage import Usage
from mainstay.providers.responses import ResponsesStreamWriter, read_ask
from mainstay.providers.responses.sealed import open_seal
from support.responses_wire import read_response, read_stream

STOP = Finished(FinishReason.STOP)
KEY = "0190f3c2-1111-7000-8000-000000000001"
HEX = KEY.replace("-", "")
CUSTOM = {"type": "custom", "name": "apply_patch", "description": "Patch."}
SPACE = {"type": "namespace", "name": "mcp__git", "description": "Git.", "tools": [{"type": "function", "name": "log"}]}


def writer(**fields: Any) -> ResponsesStreamWriter:
    ask = read_ask(json.dumps({"model": "m", "input": "Hi", **fields}).encode())
    return ResponsesStreamWriter(ask, model="fallback", id=KEY, created=5)


def stream(*events: Event, **fields: Any) -> bytes:
    to = writer(**fields)
    return b"".join(to.frame(Frame((event,), b"x", Dialect.OPENAI)) for event in events) + to.end()


def made(*events: Event, **fields: Any) -> dict[str, Any]:
    """Return the response of a stream made of events, one frame each."""
    return read_response(stream(*events, **fields))


def cut(text: str, places: Iterable[int]) -> list[str]:
    """Return ``text`` in pieces."""
    edges = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return [text[a:b] for a, b in pairwise(edges)]


def test_a_text_becomes_a_message_with_all_its_events() -> None:
    usage = Usage(input=7, output=3, cache_read=2, reasoning=1)
    said = stream(Started("chatcmpl-1", "m-1", 1), TextDelta("Hel"), TextDelta("lo"), STOP, Metered(usage))
    kinds = [event["type"].removeprefix("response.") for event in read_stream(said)]
    assert kinds == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    response = read_response(said)
    assert response["id"] == f"resp_{HEX}"
    assert response["model"] == "m-1"
    assert response["output"][0]["content"][0]["text"] == "Hello"
    assert response["usage"] == {
        "input_tokens": 7,
        "input_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 0},
        "output_tokens": 3,
        "output_tokens_details": {"reasoning_tokens": 1},
        "total_tokens": 10,
    }


def test_what_was_asked_is_said_back() -> None:
    asked = {
        "instructions": "Be brief.",
        "temperature": 0.5,
        "metadata": {"a": "b"},
        "text": {"verbosity": "low"},
        "reasoning": {"effort": "low"},
        "store": False,
        "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": True}],
        "tool_choice": "required",
        "parallel_tool_calls": False,
        "max_output_tokens": 50,
        "prompt_cache_key": "k",
    }
    response = made(TextDelta("Hi"), STOP, **asked)
    assert {name: response[name] for name in asked if name not in ("text", "reasoning")} == {
        name: value for name, value in asked.items() if name not in ("text", "reasoning")
    }
    assert response["text"] == {"format": {"type": "text"}, "verbosity": "low"}
    assert response["reasoning"] == {"effort": "low", "summary": None}


def test_a_hosted_tool_that_was_left_out_is_not_said_back() -> None:
    tools = [{"type": "web_search"}, {"type": "function", "name": "f", "parameters": {}, "strict": False}]
    assert made(TextDelta("Hi"), STOP, tools=tools)["tools"] == tools[1:]


def test_calls_of_functions_carry_both_of_their_ids() -> None:
    response = made(
        ToolStarted("call_a", "weather"), ToolDelta('{"city":'), ToolDelta('"Köln"}'), Finished(FinishReason.TOOLS)
    )
    (item,) = response["output"]
    assert item == {
        "id": f"fc_{HEX}0000",
        "type": "function_call",
        "status": "completed",
        "arguments": '{"city":"Köln"}',
        "call_id": "call_a",
        "name": "weather",
    }


def test_calls_whose_arguments_interleave_stay_apart() -> None:
    response = made(
        ToolStarted("a", "f", 0),
        ToolStarted("b", "g", 1),
        ToolDelta('{"x":', 0),
        ToolDelta('{"y":', 1),
        ToolDelta("1}", 0),
        ToolDelta("2}", 1),
        Finished(FinishReason.TOOLS),
    )
    assert [(item["call_id"], item["arguments"]) for item in response["output"]] == [("a", '{"x":1}'), ("b", '{"y":2}')]


def test_a_call_that_is_whole_is_closed_when_the_next_begins() -> None:
    said = stream(ToolStarted("a", "f", 0), ToolDelta("{}", 0), ToolStarted("b", "g", 1), ToolDelta("{}", 1), STOP)
    kinds = [(event["type"], event.get("output_index")) for event in read_stream(said)]
    assert kinds.index(("response.output_item.done", 0)) < kinds.index(("response.output_item.added", 1))


def test_more_arguments_for_a_closed_call_break_the_stream() -> None:
    to = writer()
    for event in (ToolStarted("a", "f", 0), ToolDelta("{}", 0), ToolStarted("b", "g", 1)):
        to.frame(Frame((event,)))
    with pytest.raises(UpstreamBroken, match="complete"):
        to.frame(Frame((ToolDelta("more", 0),)))


def test_a_call_without_arguments_has_an_empty_object() -> None:
    assert made(ToolStarted("a", "f"), Finished(FinishReason.TOOLS))["output"][0]["arguments"] == "{}"


def test_a_custom_tool_is_called_with_plain_text() -> None:
    pieces = ['{"in', 'put":"*** Begin\\', "n\\u00e9\\ud83d", '\\ude00"', "}"]
    events = [ToolDelta(piece) for piece in pieces]
    response = made(ToolStarted("a", "apply_patch"), *events, Finished(FinishReason.TOOLS), tools=[CUSTOM])
    (item,) = response["output"]
    assert (item["type"], item["name"], item["call_id"]) == ("custom_tool_call", "apply_patch", "a")
    assert item["input"] == "*** Begin\né😀"


@given(text=st.text(), places=st.lists(st.integers(0, 200), max_size=12), plain=st.booleans())
@settings(max_examples=80, deadline=None)
def test_a_custom_tools_input_is_the_same_however_its_arguments_are_cut(
    text: str, places: list[int], plain: bool
) -> None:
    arguments = json.dumps({"input": text}, ensure_ascii=plain)
    events = [ToolDelta(piece) for piece in cut(arguments, places)]
    (item,) = made(ToolStarted("a", "apply_patch"), *events, STOP, tools=[CUSTOM])["output"]
    assert item["input"] == text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def test_a_function_of_a_namespace_goes_by_its_own_name() -> None:
    (item,) = made(ToolStarted("a", "mcp__git__log"), ToolDelta("{}"), STOP, tools=[SPACE])["output"]
    assert (item["name"], item["namespace"]) == ("log", "mcp__git")


@pytest.mark.parametrize(
    ("kind", "arguments", "expected"),
    [
        (
            "local_shell",
            {"command": ["ls", "-l"], "timeout_ms": 5},
            {
                "type": "local_shell_call",
                "action": {"type": "exec", "command": ["ls", "-l"], "env": {}, "timeout_ms": 5},
            },
        ),
        ("shell", {"commands": ["ls"]}, {"type": "shell_call", "action": {"commands": ["ls"]}}),
        (
            "apply_patch",
            {"operation": {"type": "delete_file", "path": "a"}},
            {"type": "apply_patch_call", "operation": {"type": "delete_file", "path": "a"}},
        ),
        ("local_shell", {"cmd": "ls"}, {"type": "function_call", "name": "local_shell", "arguments": '{"cmd": "ls"}'}),
    ],
)
def test_a_built_in_tools_call_is_an_item_of_its_kind(
    kind: str, arguments: dict[str, Any], expected: dict[str, Any]
) -> None:
    events = [ToolDelta(piece) for piece in cut(json.dumps(arguments), [3, 9])]
    (item,) = made(ToolStarted("a", kind), *events, STOP, tools=[{"type": kind}])["output"]
    assert item == {"id": f"fc_{HEX}0000", "status": "completed", "call_id": "a", **expected}


def test_reasoning_is_content_unless_a_summary_was_asked_for() -> None:
    (item, _) = made(ThinkingDelta("Hm"), ThinkingDelta("m"), TextDelta("Hi"), STOP)["output"]
    assert item["content"] == [{"type": "reasoning_text", "text": "Hmm"}]
    (item, _) = made(ThinkingDelta("Hmm"), TextDelta("Hi"), STOP, reasoning={"summary": "auto"})["output"]
    assert item["summary"] == [{"type": "summary_text", "text": "Hmm"}]
    assert "content" not in item


def test_signed_and_withheld_reasoning_can_come_back() -> None:
    response = made(
        ThinkingDelta("Hm"),
        ThinkingSealed(signature="sig=="),
        ThinkingSealed(redacted="blob"),
        ThinkingDelta("More"),
        TextDelta("Hi"),
        STOP,
    )
    seals = [open_seal(item["encrypted_content"]) for item in response["output"][:2]]
    assert seals == [ThinkingPart("Hm", "sig=="), ThinkingPart(redacted="blob")]
    assert [item["type"] for item in response["output"]] == ["reasoning", "reasoning", "reasoning", "message"]


def test_a_refusal_is_a_part_of_its_own() -> None:
    response = made(TextDelta("Well. "), RefusalDelta("I can"), RefusalDelta("not."), STOP)
    (item,) = response["output"]
    assert [part["type"] for part in item["content"]] == ["output_text", "refusal"]
    assert item["content"][1]["refusal"] == "I cannot."
    assert response["status"] == "completed"


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (FinishReason.LENGTH, "max_output_tokens"),
        (FinishReason.CONTEXT, "max_output_tokens"),
        (FinishReason.FILTERED, "content_filter"),
    ],
)
def test_an_answer_that_was_cut_is_incomplete_and_says_why(reason: FinishReason, said: str) -> None:
    response = made(TextDelta("Hi"), ToolStarted("a", "f"), ToolDelta('{"x"'), Finished(reason))
    assert response["status"] == "incomplete"
    assert response["incomplete_details"] == {"reason": said}
    assert [item["status"] for item in response["output"]] == ["completed", "incomplete"]
    assert response["output"][1]["arguments"] == '{"x"'


def test_probabilities_and_annotations_of_a_chat_are_kept() -> None:
    logprobs = Raw(b'{"content":[{"token":"Hi","logprob":-0.1,"bytes":[72],"top_logprobs":[]}],"refusal":null}')
    cited = {"start_index": 0, "end_index": 2, "title": "T", "url": "https://example.org"}
    left = Raw(json.dumps({"message": {"annotations": [{"type": "url_citation", "url_citation": cited}]}}).encode())
    (item,) = made(TextDelta("Hi", logprobs=logprobs), Opaque(left, Dialect.OPENAI), STOP)["output"]
    part = item["content"][0]
    assert part["logprobs"] == [{"token": "Hi", "logprob": -0.1, "bytes": [72], "top_logprobs": []}]
    assert part["annotations"] == [{"type": "url_citation", **cited}]


def test_other_choices_are_left_out() -> None:
    assert made(TextDelta("a"), TextDelta("b", choice=1), STOP)["output"][0]["content"][0]["text"] == "a"


def test_an_answer_without_content_is_still_a_response() -> None:
    assert made(Started("x", "m"), STOP)["output"] == []


def test_a_break_is_told_flat_and_as_a_failed_response() -> None:
    to = writer()
    said = to.frame(Frame((TextDelta("Hi"),))) + to.error(UpstreamInterrupted("It broke off; ask again."))
    events = read_stream(said)
    assert events[-2] == {
        "type": "error",
        "code": "upstream_interrupted",
        "message": "It broke off; ask again.",
        "param": None,
        "sequence_number": 5,
    }
    failed = events[-1]
    assert failed["type"] == "response.failed"
    assert failed["response"]["error"] == {
        "code": "server_error",
        "message": "It broke off; ask again.",
        "type": "upstream_interrupted",
    }
    assert failed["response"]["output"][0]["status"] == "incomplete"
    assert to.end() == b""


def test_a_break_before_anything_was_said_has_a_created_event_all_the_same() -> None:
    events = read_stream(writer().error(UpstreamInterrupted("No.")))
    assert [event["type"] for event in events] == [
        "response.created",
        "response.in_progress",
        "error",
        "response.failed",
    ]


def test_a_stream_ends_in_done_only_where_that_is_wanted() -> None:
    to = writer()
    to.frame(Frame((TextDelta("Hi"), STOP)))
    assert b"[DONE]" not in to.end()
    to = writer()
    to._ask.done_marker = True
    to.frame(Frame((TextDelta("Hi"), STOP)))
    assert to.end().endswith(b"data: [DONE]\n\n")


def test_a_tool_that_is_not_allowed_breaks_the_answer() -> None:
    tools = [{"type": "function", "name": name, "parameters": {}, "strict": False} for name in ("f", "g")]
    choice = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]}
    assert made(ToolStarted("a", "f"), STOP, tools=tools, tool_choice=choice)["output"][0]["name"] == "f"
    with pytest.raises(UpstreamBroken, match="allow"):
        made(ToolStarted("a", "g"), STOP, tools=tools, tool_choice=choice)


_EVENTS = st.one_of(
    st.builds(TextDelta, st.text()),
    st.builds(RefusalDelta, st.text()),
    st.builds(ThinkingDelta, st.text()),
    st.builds(lambda text: ThinkingSealed(signature=text), st.text(min_size=1)),
    st.builds(lambda text: ThinkingSealed(redacted=text), st.text(min_size=1)),
    st.builds(lambda index: ToolStarted(f"call_{index}", "f", index), st.integers(0, 3)),
    st.just(Metered(Usage(1, 2))),
)


@given(events=st.lists(_EVENTS, max_size=12), reason=st.sampled_from(FinishReason))
@settings(max_examples=150, deadline=None)
def test_any_order_of_events_makes_a_stream_that_the_sdk_can_follow(events: list[Event], reason: FinishReason) -> None:
    seen: set[int] = set()
    kept = []
    for event in events:
        if isinstance(event, ToolStarted):
            if event.index in seen:
                continue
            seen.add(event.index)
        kept.append(event)
    response = made(*kept, Finished(reason))
    text = "".join(event.text for event in kept if isinstance(event, TextDelta))
    parts = [part for item in response["output"] for part in item.get("content", ()) if item["type"] == "message"]
    assert "".join(part.get("text", "") for part in parts) == text
