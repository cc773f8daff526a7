"""Conversations in Anthropic's words."""

import json
from typing import Any

import msgspec
import pytest

from mainstay.core import errors
from mainstay.core.prompt import (
    AudioPart,
    DocumentPart,
    ImagePart,
    Message,
    OpaquePart,
    Part,
    Role,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolResultPart,
)
from mainstay.providers.anthropic.messages import conversation

CACHE = {"cache_control": {"type": "ephemeral"}}


def raw(**fields: Any) -> dict[str, msgspec.Raw]:
    return {name: msgspec.Raw(json.dumps(value)) for name, value in fields.items()}


def turn(role: Role, *parts: Part | str, **extra: Any) -> Message:
    return Message(role, tuple(TextPart(one) if isinstance(one, str) else one for one in parts), extra=raw(**extra))


def said(*messages: Message) -> tuple[Any, Any]:
    system, turns = conversation(messages)
    return msgspec.json.decode(msgspec.json.encode([system, turns]))


USER = turn("user", "Hi")


def test_plain_texts_stay_strings() -> None:
    assert said(turn("system", "Be kind."), USER, turn("assistant", "Hello"), turn("user", "Bye")) == [
        "Be kind.",
        [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Hello"},
            {"role": "user", "content": "Bye"},
        ],
    ]


def test_every_system_message_moves_to_the_top_in_order_with_its_cache_marks() -> None:
    late = turn("developer", TextPart("Now in French.", raw(**CACHE)))
    system, turns = said(turn("system", "A", "B"), USER, late, USER)
    assert system == [
        {"type": "text", "text": "A"},
        {"type": "text", "text": "B"},
        {"type": "text", "text": "Now in French.", **CACHE},
    ]
    assert len(turns) == 2


def test_a_system_prompt_of_anything_but_text_is_refused() -> None:
    with pytest.raises(errors.Unsupported) as caught:
        said(turn("system", "a", ImagePart(url="https://x/y.png")), USER)
    assert caught.value.param == "prompt.messages[0].parts[1]"


def test_turns_of_one_role_may_follow_each_other() -> None:
    assert [one["role"] for one in said(USER, USER, turn("assistant", "a"), turn("assistant", "b"))[1]] == [
        "user",
        "user",
        "assistant",
        "assistant",
    ]


def test_results_that_follow_each_other_share_one_user_turn() -> None:
    results = [turn("tool", ToolResultPart(f"call_{n}", (TextPart(f"{n}"),))) for n in range(3)]
    _, turns = said(USER, *results[:2], turn("user", "and?"), results[2])
    assert turns[1:] == [
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "call_0", "content": "0"},
                {"type": "tool_result", "tool_use_id": "call_1", "content": "1"},
            ],
        },
        {"role": "user", "content": "and?"},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_2", "content": "2"}]},
    ]


def test_a_result_keeps_its_images_its_failure_and_its_cache_mark() -> None:
    image = ImagePart(data="aGk=", media_type="image/png")
    result = ToolResultPart("c", (TextPart("see"), image), is_error=True, extra=raw(**CACHE))
    assert said(turn("tool", result))[1][0]["content"] == [
        {
            "type": "tool_result",
            "tool_use_id": "c",
            "content": [
                {"type": "text", "text": "see"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}},
            ],
            "is_error": True,
            **CACHE,
        }
    ]


def test_an_empty_result_has_no_content() -> None:
    assert said(turn("tool", ToolResultPart("c", (TextPart(""),))))[1][0]["content"] == [
        {"type": "tool_result", "tool_use_id": "c"}
    ]


def test_the_name_of_a_tool_beside_its_result_is_no_speaker() -> None:
    message = Message("tool", (ToolResultPart("c"),), name="get")
    assert said(message)[1][0]["content"] == [{"type": "tool_result", "tool_use_id": "c"}]


def test_an_assistants_turn_is_reasoning_then_text_then_calls() -> None:
    message = turn(
        "assistant",
        "Wait.",
        ToolCallPart("c", "get", '{"a":1}'),
        ThinkingPart("Hm.", signature="Eq+/="),
        ThinkingPart(redacted="Em+/="),
    )
    assert said(USER, message)[1][1]["content"] == [
        {"type": "thinking", "thinking": "Hm.", "signature": "Eq+/="},
        {"type": "redacted_thinking", "data": "Em+/="},
        {"type": "text", "text": "Wait."},
        {"type": "tool_use", "id": "c", "name": "get", "input": {"a": 1}},
    ]


def test_reasoning_that_anthropic_did_not_sign_is_left_out() -> None:
    for signature in ("", "gemini:call:0:c2ln"):
        unsigned = turn("assistant", ThinkingPart("Hm.", signature), "Yes")
        assert said(USER, unsigned)[1][1] == {"role": "assistant", "content": "Yes"}


def test_arguments_keep_every_byte() -> None:
    arguments = '{ "b":1.0,"a":123456789012345678901234567890,\n "b":"\\u00e9" }'
    _, turns = conversation([turn("assistant", ToolCallPart("c", "f", arguments))])
    assert arguments.encode() in msgspec.json.encode(turns)


def test_a_call_without_arguments_has_an_empty_object() -> None:
    (message,) = said(turn("assistant", ToolCallPart("c", "f", " ")))[1]
    assert message["content"][0]["input"] == {}


@pytest.mark.parametrize("arguments", ["{", "[1]", '"a"', "null", "{} {}", '{"a":}', '{"a":"\ud800"}'])
def test_arguments_that_are_no_object_are_the_callers_fault(arguments: str) -> None:
    calls = (ToolCallPart("c", "f", "{}"), ToolCallPart("d", "f", arguments))
    with pytest.raises(errors.InvalidRequest) as caught:
        said(USER, turn("assistant", "text", *calls))
    assert caught.value.param == "prompt.messages[1].parts[2].arguments"


def test_ids_the_wire_refuses_are_rewritten_alike_in_call_and_result() -> None:
    ids = ["functions.get:0", "functions_get_0", "functions.get.0", "é" * 90]
    calls = turn("assistant", *(ToolCallPart(one, "f", "{}") for one in ids))
    _, (asked, answered) = said(calls, turn("tool", *(ToolResultPart(one) for one in ids)))
    sent = [block["id"] for block in asked["content"]]
    assert sent == [block["tool_use_id"] for block in answered["content"]]
    assert len(set(sent)) == 4
    assert all(len(one) <= 64 and one.replace("_", "").isascii() for one in sent)
    assert sent[1] == "functions_get_0"


def test_images_and_documents_find_their_source() -> None:
    parts = (
        ImagePart(url="https://example.test/a.png", detail="low"),
        ImagePart(data="aGk=", media_type="image/webp", extra=raw(**CACHE)),
        DocumentPart(data="JVBE", media_type="application/pdf", name="a.pdf"),
        DocumentPart(data="plain words", media_type="text/plain"),
        DocumentPart(url="https://example.test/a.pdf"),
        DocumentPart(file_id="file_1", extra=raw(citations={"enabled": True})),
    )
    assert said(turn("user", *parts))[1][0]["content"] == [
        {"type": "image", "source": {"type": "url", "url": "https://example.test/a.png"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/webp", "data": "aGk="}, **CACHE},
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"},
            "title": "a.pdf",
        },
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "plain words"}},
        {"type": "document", "source": {"type": "url", "url": "https://example.test/a.pdf"}},
        {"type": "document", "source": {"type": "file", "file_id": "file_1"}, "citations": {"enabled": True}},
    ]


@pytest.mark.parametrize(
    "part",
    [
        AudioPart("UklG", "wav"),
        ImagePart(data="PHN2Zz4=", media_type="image/svg+xml"),
        DocumentPart(data="UEsD", media_type="application/msword"),
        OpaquePart(msgspec.Raw(b'{"type":"video"}'), "openai"),
    ],
)
@pytest.mark.parametrize("inside", [False, True])
def test_content_the_wire_lacks_is_refused_at_its_place(part: Part, inside: bool) -> None:
    content: tuple[Part, ...] = (TextPart("a"), part)
    message = turn("tool", ToolResultPart("c", content)) if inside else turn("user", *content)
    with pytest.raises(errors.Unsupported) as caught:
        said(USER, message)
    assert caught.value.param == f"prompt.messages[1].parts[{'0].parts[1' if inside else 1}]"


def test_parts_of_this_wire_pass_as_they_are() -> None:
    payload = msgspec.Raw(b'{"type":"search_result", "content":[],"title":"t","source":"s"}')
    _, turns = conversation([turn("user", OpaquePart(payload, "anthropic"))])
    assert bytes(payload) in msgspec.json.encode(turns)


def test_a_refusal_of_an_earlier_turn_is_what_was_said() -> None:
    part = OpaquePart(msgspec.Raw(b'{"type":"refusal","refusal":"No."}'), "openai")
    expected = {"role": "assistant", "content": "No."}
    assert said(turn("assistant", part))[1] == [expected]
    assert said(turn("assistant", refusal="No."))[1] == [expected]


def test_a_cache_mark_on_a_message_moves_to_its_last_block() -> None:
    payload = msgspec.Raw(b'{"type":"search_result"}')
    message = turn("user", "a", OpaquePart(payload, "anthropic"), **CACHE)
    assert said(turn("system", "s", **CACHE), message, turn("user", "b", **CACHE)) == [
        [{"type": "text", "text": "s", **CACHE}],
        [
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "search_result", **CACHE}]},
            {"role": "user", "content": [{"type": "text", "text": "b", **CACHE}]},
        ],
    ]


def test_openais_breakpoints_become_cache_marks() -> None:
    parts = (
        TextPart("a", raw(prompt_cache_breakpoint={"mode": "explicit"})),
        TextPart("b", raw(prompt_cache_breakpoint={"mode": "explicit", "ttl": "30m"})),
        TextPart("c", raw(prompt_cache_breakpoint={"mode": "explicit"}, cache_control={"type": "mine"})),
    )
    assert [block["cache_control"] for block in said(turn("user", *parts))[1][0]["content"]] == [
        {"type": "ephemeral"},
        {"type": "ephemeral", "ttl": "1h"},
        {"type": "mine"},
    ]


def test_what_an_answer_carries_beside_its_content_is_left_out() -> None:
    message = turn(
        "assistant",
        "a",
        ToolCallPart("c", "f", "{}", raw(index=0, extra_content={"google": {}})),
        annotations=[{"type": "url_citation"}],
        audio=None,
        function_call=None,
        reasoning_content="Hm.",
        tool_calls=[],
    )
    assert said(USER, message)[1][1] == {
        "role": "assistant",
        "content": [
            {"type": "text", "text": "a"},
            {"type": "tool_use", "id": "c", "name": "f", "input": {}},
        ],
    }


def test_fields_nobody_knows_go_up_with_their_message_and_part() -> None:
    message = turn("user", TextPart("a", raw(x=1)), y={"z": 2})
    assert said(message)[1] == [{"role": "user", "content": [{"type": "text", "text": "a", "x": 1}], "y": {"z": 2}}]


@pytest.mark.parametrize(
    ("message", "param"),
    [
        (Message("user", (TextPart("a"),), name="bob"), "prompt.messages[0].name"),
        (turn("assistant", "a", audio={"id": "audio_1"}), "prompt.messages[0].audio"),
        (turn("assistant", "a", function_call={"name": "f"}), "prompt.messages[0].function_call"),
        (turn("user", ""), "prompt.messages[0].content"),
        (turn("system", "a", y=1), "prompt.messages[0].y"),
        (turn("system", "a"), "messages"),
    ],
)
def test_what_a_message_cannot_say_here_is_refused_by_name(message: Message, param: str) -> None:
    with pytest.raises(errors.Unsupported) as caught:
        said(message)
    assert caught.value.param == param


def test_an_assistants_turn_without_content_is_no_turn() -> None:
    assert said(USER, turn("assistant", ""), USER)[1] == [{"role": "user", "content": "Hi"}] * 2
