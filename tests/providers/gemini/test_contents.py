"""Conversations in Gemini's words."""

import base64
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
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolResultPart,
)
from mainstay.providers.gemini.contents import conversation
from mainstay.providers.gemini.seals import STAND_IN, seal

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
#: Signs that a decoder or encoder on the way could change.
SIGNATURE = 'Eu+/ab==\u00e9\u2028"\\/\U0001f511' + "x" * 3000


def turn(role: Any, *parts: Part | str, **fields: Any) -> Message:
    return Message(role, tuple(TextPart(part) if isinstance(part, str) else part for part in parts), **fields)


USER = turn("user", "Hi")
CALL = ToolCallPart("c1", "get", '{"a":1}')


def said(*messages: Message, generation: int = 2) -> tuple[Any, Any]:
    system, contents = conversation(messages, generation)
    return json.loads(msgspec.json.encode(system)), json.loads(msgspec.json.encode(contents))


def raw(**fields: Any) -> dict[str, msgspec.Raw]:
    return {name: msgspec.Raw(json.dumps(value)) for name, value in fields.items()}


def result(call_id: str, *parts: Part | str, **fields: Any) -> ToolResultPart:
    return ToolResultPart(call_id, tuple(TextPart(p) if isinstance(p, str) else p for p in parts), **fields)


def test_the_operators_words_are_the_system_instruction_wherever_they_stand() -> None:
    system, contents = said(turn("system", "A", "B"), USER, turn("developer", "C"), turn("user", "Again"))
    assert system == [{"text": "A"}, {"text": "B"}, {"text": "C"}]
    assert contents == [{"role": "user", "parts": [{"text": "Hi"}, {"text": "Again"}]}]


def test_turns_of_one_side_that_follow_each_other_are_one_content() -> None:
    _, contents = said(USER, turn("user", "there"), turn("assistant", "Yes"), turn("assistant", "?"), USER)
    assert [content["role"] for content in contents] == ["user", "model", "user"]
    assert contents[1]["parts"] == [{"text": "Yes"}, {"text": "?"}]


def test_a_result_names_the_function_of_its_call_and_keeps_its_id() -> None:
    calls = turn("assistant", CALL, ToolCallPart("c2", "put", ""))
    results = (turn("tool", result("c2", "done")), turn("tool", result("c1", "failed", is_error=True)))
    _, contents = said(USER, calls, *results, USER)
    assert contents[1]["parts"] == [
        {"functionCall": {"id": "c1", "name": "get", "args": {"a": 1}}},
        {"functionCall": {"id": "c2", "name": "put", "args": {}}},
    ]
    assert contents[2] == {
        "role": "user",
        "parts": [
            {"functionResponse": {"id": "c2", "name": "put", "response": {"output": "done"}}},
            {"functionResponse": {"id": "c1", "name": "get", "response": {"error": "failed"}}},
        ],
    }
    assert contents[3] == {"role": "user", "parts": [{"text": "Hi"}]}


def test_a_result_stays_text_so_that_its_numbers_keep_their_digits() -> None:
    text = '{"id": 12345678901234567890, "x": 1.0}'
    _, contents = said(USER, turn("assistant", CALL), turn("tool", result("c1", text)))
    assert contents[2]["parts"][0]["functionResponse"]["response"] == {"output": text}


def test_a_result_that_answers_no_call_is_the_callers_fault() -> None:
    for message, param in (
        (turn("tool", result("c9", "x")), "prompt.messages[1].parts[0].id"),
        (turn("user", "a", result("c9", "x")), "prompt.messages[1].parts[1].id"),
    ):
        with pytest.raises(errors.InvalidRequest) as caught:
            said(USER, message)
        assert caught.value.param == param


def test_a_result_may_name_its_function_itself() -> None:
    _, contents = said(USER, turn("tool", result("c9", "x"), name="get"))
    assert contents[1]["parts"][0]["functionResponse"]["name"] == "get"


@pytest.mark.parametrize("generation", [2, 3])
def test_images_of_a_result_stand_in_it_or_follow_all_results(generation: int) -> None:
    image = {"inlineData": {"mimeType": "image/png", "data": PNG}}
    seen = result("c1", "Seen:", ImagePart(data=PNG, media_type="image/png"))
    calls = turn("assistant", CALL, ToolCallPart("c2", "get", "{}"))
    _, contents = said(USER, calls, turn("user", seen, result("c2", "b"), "And?"), generation=generation)
    first = contents[2]["parts"][0]["functionResponse"]
    assert first["response"] == {"output": "Seen:"}
    assert len(contents[2]["parts"]) == 2
    if generation >= 3:
        assert first["parts"] == [image]
        assert contents[3]["parts"] == [{"text": "And?"}]
    else:
        assert contents[3] == {"role": "user", "parts": [image, {"text": "And?"}]}


def test_images_of_the_last_result_are_not_lost() -> None:
    seen = result("c1", ImagePart(data=PNG, media_type="image/png"))
    _, contents = said(USER, turn("assistant", CALL), turn("tool", seen))
    assert contents[-1]["parts"] == [{"inlineData": {"mimeType": "image/png", "data": PNG}}]


@pytest.mark.parametrize(
    ("part", "written"),
    [
        (ImagePart(data=PNG, media_type="image/webp"), {"inlineData": {"mimeType": "image/webp", "data": PNG}}),
        (
            ImagePart(url="https://a.test/b.JPG?x=1", detail="high"),
            {"fileData": {"fileUri": "https://a.test/b.JPG?x=1", "mimeType": "image/jpeg"}},
        ),
        (ImagePart(url="gs://bucket/b"), {"fileData": {"fileUri": "gs://bucket/b"}}),
        (DocumentPart(data="AAAA"), {"inlineData": {"mimeType": "application/pdf", "data": "AAAA"}}),
        (
            DocumentPart(data="é", media_type="text/plain", name="a.txt"),
            {"inlineData": {"mimeType": "text/plain", "data": "w6k="}},
        ),
        (
            DocumentPart(url="https://a.test/b.pdf"),
            {"fileData": {"fileUri": "https://a.test/b.pdf", "mimeType": "application/pdf"}},
        ),
        (DocumentPart(file_id="files/abc"), {"fileData": {"fileUri": "files/abc"}}),
        (AudioPart("AAAA", "mp3"), {"inlineData": {"mimeType": "audio/mp3", "data": "AAAA"}}),
        (OpaquePart(msgspec.Raw(b'{"text":"x","new":1}'), "gemini"), {"text": "x", "new": 1}),
        (OpaquePart(msgspec.Raw(b'{"type":"refusal","refusal":"No."}'), "openai"), {"text": "No."}),
        (TextPart("x", raw(cache_control={"type": "ephemeral"}, citations=[], gone=None)), {"text": "x"}),
        (TextPart("x", raw(partMetadata={"a": 1})), {"text": "x", "partMetadata": {"a": 1}}),
    ],
)
def test_every_kind_of_part_has_its_form(part: Part, written: Any) -> None:
    assert said(turn("user", part))[1][0]["parts"] == [written]


def test_the_context_of_a_document_comes_before_it() -> None:
    document = DocumentPart(data="AAAA", extra=raw(context="From 1999.", citations={"enabled": False}))
    assert said(turn("user", document))[1][0]["parts"][0] == {"text": "From 1999."}
    assert len(said(turn("user", document))[1][0]["parts"]) == 2


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ((turn("system", ImagePart(data=PNG)), USER), "prompt.messages[0].parts[0]"),
        ((turn("user"),), "prompt.messages[0].content"),
        ((turn("system", "Only"),), "messages"),
        ((turn("user", "x", name="Ann"),), "prompt.messages[0].name"),
        ((turn("user", "x", extra=raw(audio={"id": "a"})),), "prompt.messages[0].audio"),
        ((turn("user", OpaquePart(msgspec.Raw(b'{"type":"video"}'), "openai")),), "prompt.messages[0].parts[0]"),
    ],
)
def test_what_the_wire_lacks_is_refused_with_its_place(messages: tuple[Message, ...], param: str) -> None:
    with pytest.raises(errors.Unsupported) as caught:
        said(*messages)
    assert caught.value.param == param


@pytest.mark.parametrize("arguments", ["{", "[1]", '"a"', "null", '{"a":"\ud800"}'])
def test_arguments_that_are_no_object_are_the_callers_fault(arguments: str) -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        said(USER, turn("assistant", CALL, ToolCallPart("d", "f", arguments)))
    assert caught.value.param == "prompt.messages[1].parts[1].arguments"


def test_arguments_keep_every_byte() -> None:
    arguments = '{ "b":1.0,"a":123456789012345678901234567890,\n "b":"\\u00e9" }'
    _, contents = conversation([USER, turn("assistant", ToolCallPart("c", "f", arguments))], 2)
    assert arguments.encode() in msgspec.json.encode(contents)


def test_what_an_answer_carries_beside_its_content_is_left_out() -> None:
    extra = raw(annotations=[{"type": "url_citation"}], refusal=None, reasoning_details=["x"], images=[{}])
    called = ToolCallPart("c", "f", "{}", raw(index=0, extra_content={"x": 1}))
    _, contents = said(USER, turn("assistant", "Yes", called, extra=extra))
    assert contents[1]["parts"] == [{"text": "Yes"}, {"functionCall": {"id": "c", "name": "f", "args": {}}}]


def test_what_the_model_declined_with_is_what_it_said() -> None:
    _, contents = said(USER, turn("assistant", extra=raw(refusal="No.")))
    assert contents[1]["parts"] == [{"text": "No."}]


def sealed(kind: Any, number: int = 0, text: str = "", signature: str = SIGNATURE) -> ThinkingPart:
    return ThinkingPart(text, seal(kind, number, signature))


def test_a_calls_signature_returns_to_it_byte_for_byte_wherever_its_seal_stands() -> None:
    second = ToolCallPart("c2", "put", "{}")
    for parts in (
        (TextPart("a"), CALL, sealed("call", 1), second),
        (sealed("call", 1), TextPart("a"), CALL, second),
    ):
        _, contents = said(USER, turn("assistant", *parts))
        assert [part.get("thoughtSignature") for part in contents[1]["parts"]] == [None, None, SIGNATURE]


def test_a_texts_signature_returns_to_the_text_before_it_or_to_the_last() -> None:
    a, b = TextPart("a"), TextPart("b")
    for parts, where in (
        ((a, sealed("text"), b), [{"text": "a", "thoughtSignature": SIGNATURE}, {"text": "b"}]),
        ((sealed("text"), a, b), [{"text": "a"}, {"text": "b", "thoughtSignature": SIGNATURE}]),
        ((sealed("text"),), [{"text": "", "thoughtSignature": SIGNATURE}]),
    ):
        assert said(USER, turn("assistant", *parts))[1][1]["parts"] == where


def test_thoughts_return_only_when_gemini_signed_them() -> None:
    parts = (ThinkingPart("Mine.", "c2ln"), ThinkingPart("Unsigned."), ThinkingPart(redacted="x"), TextPart("Yes"))
    assert said(USER, turn("assistant", *parts))[1][1]["parts"] == [{"text": "Yes"}]
    own = said(USER, turn("assistant", sealed("call", 0, "Hm."), CALL))[1][1]["parts"]
    assert own[0] == {"text": "Hm.", "thought": True}
    thought = said(USER, turn("assistant", sealed("thought", 0, "Hm."), "Yes"))[1][1]["parts"]
    assert thought[0] == {"text": "Hm.", "thought": True, "thoughtSignature": SIGNATURE}


def test_a_signature_where_googles_own_openai_wire_puts_it_counts() -> None:
    called = ToolCallPart("c", "f", "{}", raw(extra_content={"google": {"thought_signature": "c2ln"}}))
    _, contents = said(USER, turn("assistant", called))
    assert contents[1]["parts"][0]["thoughtSignature"] == "c2ln"


def test_newer_models_get_a_stand_in_for_calls_that_another_model_made() -> None:
    calls = turn("assistant", ThinkingPart("Mine.", "c2ln"), "a", CALL, ToolCallPart("c2", "put", "{}"))
    _, contents = said(USER, calls, generation=3)
    assert [part.get("thoughtSignature") for part in contents[1]["parts"]] == [None, STAND_IN, None]
    _, contents = said(USER, turn("assistant", sealed("call"), CALL), generation=3)
    assert contents[1]["parts"][0]["thoughtSignature"] == SIGNATURE
    assert STAND_IN not in json.dumps(said(USER, calls, generation=2)[1])
