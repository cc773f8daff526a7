"""Any caller's question for any vendor: one table of questions, every dialect, every codec.

The official SDK's types of each vendor say whether what is sent is right; that nothing of the question is lost is told
by its words, which must all be found in it. What a wire cannot say is refused with the caller's own field named.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mainstay.core.call import Ask
from mainstay.core.errors import Unsupported
from mainstay.providers.places import name_place
from support.callers import CALLERS
from support.crossing import MODES, frames_of, record, write_frames
from support.messages_stream import read_message
from support.questions import PDF, PNG, QUESTIONS, Question, ask_chat, ask_messages, ask_responses
from support.responses_wire import read_response
from support.vendors import VENDORS, Call, Said, Vendor, whole_piece

Json = dict[str, Any]

ASKING: dict[str, Callable[[Question], Json]] = {
    "chat": ask_chat,
    "messages": ask_messages,
    "responses": ask_responses,
}
#: What a vendor's wire has no word for.
REFUSED = {
    ("one call at a time", "gemini"),
    ("one call at a time", "bedrock"),
    ("one call at a time", "cohere"),
    ("an image by address", "bedrock"),
    ("a document", "cohere"),
    ("stop", "responses"),
}
#: The field that asks for it, by dialect.
FIELDS = {
    "one call at a time": ("parallel_tool_calls", "tool_choice.disable_parallel_tool_use", "parallel_tool_calls"),
    "an image by address": ("messages[0].content[1]", "messages[0].content[1]", "input[0].content[1]"),
    "a document": ("messages[0].content[1]", "messages[0].content[1]", "input[0].content[1]"),
    "stop": ("stop", "stop_sequences", ""),
}
SHOWN = {"image-data": PNG, "image-url": "https://pictures.example/a.png", "pdf": PDF}
each_vendor = pytest.mark.parametrize("vendor", VENDORS)
each_caller = pytest.mark.parametrize("caller", ASKING)


def asked(caller: str, question: Question, **fields: Any) -> Ask:
    return CALLERS[caller].wire().read(json.dumps({**ASKING[caller](question), **fields}).encode())


def texts(value: Any) -> Iterator[str]:
    """Yield every text in what is sent, at any depth; an object is one too, as JSON, and JSON as it is written here."""
    if isinstance(value, str):
        yield compact(value)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)
    elif isinstance(value, dict):
        yield compact(json.dumps(value))
        for item in value.values():
            yield from texts(item)


def compact(text: str) -> str:
    """Return JSON of an object without spaces and escapes, anything else as it is."""
    if text[:1] != "{":
        return text
    return json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":"))


@each_vendor
@each_caller
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_every_vendor_is_asked_what_every_caller_asks(vendor: str, caller: str, stream: bool) -> None:
    at = VENDORS[vendor]
    for name, question in QUESTIONS.items():
        if "stop" in question.settings and caller == "responses":
            # This wire cannot ask for it.
            continue
        ask = asked(caller, question)
        if (name, vendor) in REFUSED:
            with pytest.raises(Unsupported) as caught:
                at.codec().request(ask, at.target, stream=stream)
            name_place(caught.value, ask)
            assert (caught.value.status, caught.value.param) == (400, FIELDS[name][list(ASKING).index(caller)]), name
            continue
        body = at.judge(*at.codec().request(ask, at.target, stream=stream))
        found = list(texts(body))
        places = [next((i for i, text in enumerate(found) if text == word), -1) for word in question.words]
        assert -1 not in places, (name, question.words, found)
        if not question.calls:
            assert places == sorted(places), "in order"
        assert not question.system or question.system in found
        check_tools(name, question, found)
        check_shown(name, question, found)
        check_settings(name, question, body, at)


def check_tools(name: str, question: Question, found: list[str]) -> None:
    tools = {text for text in found if text.startswith("look_")}
    if question.choice == "none":
        # A vendor without a word for it is sent no tools.
        assert tools <= {"look_0"}, name
    elif question.choice == "tool":
        assert {"look_0"} <= tools <= {"look_0", "look_1"}, name
    else:
        assert tools == {f"look_{i}" for i in range(question.tools)}, name
    if question.choice in ("any", "tool"):
        named = '{"tool":{"name":"look_0"}}'
        forced = {"required", "any", "ANY", "REQUIRED", "tool", "function", '{"any":{}}', named}
        assert forced & set(found), name


def check_shown(name: str, question: Question, found: list[str]) -> None:
    if question.shown == "note":
        # Text, or its base64.
        assert any(text == "A note." or text.endswith("QSBub3RlLg==") for text in found), name
    elif question.shown:
        assert any(text.endswith(SHOWN[question.shown]) for text in found), name


def check_settings(name: str, question: Question, body: Json, vendor: Vendor) -> None:
    numbers = list(_numbers(body))
    for setting in ("limit", "temperature", "top_p"):
        if setting in question.settings:
            assert question.settings[setting] in numbers, (name, setting)
    if "stop" in question.settings:
        assert "END" in list(texts(body))
    if "effort" in question.settings:
        said = json.dumps(body).lower()
        assert '"high"' in said or "thinking" in said, name
    if "schema" in question.settings:
        assert "additionalproperties" in json.dumps(body).lower(), name


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _numbers(item)
    elif isinstance(value, int | float):
        yield value


@each_vendor
def test_every_vendor_completes_a_legacy_prompt(vendor: str) -> None:
    at, by = VENDORS[vendor], CALLERS["completions"]
    question = {"model": "m", "prompt": "Hé 😀", "max_tokens": 77, "temperature": 0.5, "suffix": None}
    assert by.adapt is not None
    ask = by.adapt(by.wire().read(json.dumps(question).encode()))
    body = at.judge(*at.codec().request(ask, at.target, stream=False))
    assert question["prompt"] in list(texts(body))
    assert {77, 0.5} <= set(_numbers(body))


@each_vendor
@each_caller
def test_what_a_vendor_says_goes_back_to_it_with_the_next_question(vendor: str, caller: str) -> None:
    """A second turn with what the caller's SDK got of the first: thoughts and their proof, calls and their ids."""
    at, by = VENDORS[vendor], CALLERS[caller]
    calls = tuple(Call(f"call_{i}", "look_0", json.dumps({"city": name})) for i, name in enumerate(("Köln", "Bonn")))
    signature = "" if "signature" in at.lacks else "EqQBCg=="
    said = Said("I look.", "Let me think.", signature, calls)
    for up, down in MODES:
        codec, wire = at.codec(), by.wire()
        options = {"stream_options": {"include_usage": True}} if (caller, down) == ("chat", "stream") else {}
        first = asked(caller, Question(tools=1), stream=down == "stream", **options)
        frames = frames_of(codec, at.pieces(said, whole_piece))
        if down == "stream":
            turn = _streamed_turn(caller, write_frames(by, first, frames))
        else:
            whole = codec.whole(at.whole(said))
            passes = whole.dialect is wire.dialect
            turn = _whole_turn(caller, whole.wire if passes else wire.whole(whole, first, record()))
        body = _with_turn(caller, ASKING[caller](Question(tools=1)), turn)
        for other, there in VENDORS.items():
            path, data = there.codec().request(wire.read(json.dumps(body).encode()), there.target, stream=False)
            # A chat's own bytes pass as they are, fields that OpenAI does not know among them.
            sent = json.loads(data) if (caller, other) == ("chat", "openai") else there.judge(path, data)
            found = list(texts(sent))
            assert "I look." in found, (other, up)
            assert all(compact(call.arguments) in found for call in calls)
            if signature and (caller, down) != ("chat", "stream"):
                known = any(signature in text for text in found)
                passes = (caller, other) == ("chat", "openai")
                assert known is (passes or _keeps(vendor, other)), (other, found)


def _keeps(vendor: str, other: str) -> bool:
    """Whether what ``vendor`` signed is for ``other``: for itself, and for Claude wherever it is."""
    return vendor == other or {vendor, other} == {"anthropic", "bedrock"}


def _whole_turn(caller: str, body: bytes) -> Any:
    said = json.loads(body)
    if caller == "chat":
        return said["choices"][0]["message"]
    return said["content"] if caller == "messages" else said["output"]


def _streamed_turn(caller: str, stream: bytes) -> Any:
    if caller == "messages":
        return read_message(stream)["content"]
    if caller == "responses":
        return read_response(stream)["output"]
    heard = CALLERS["chat"].stream(stream)
    calls = [
        {"id": id_, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        for id_, name, arguments in heard.calls
    ]
    return {"role": "assistant", "content": heard.text, "reasoning_content": heard.thinking, "tool_calls": calls}


def _with_turn(caller: str, body: Json, turn: Any) -> Json:
    if caller == "chat":
        results = [{"role": "tool", "tool_call_id": call["id"], "content": "r"} for call in turn["tool_calls"]]
        return {**body, "messages": [*body["messages"], turn, *results]}
    if caller == "messages":
        uses = [block["id"] for block in turn if block["type"] == "tool_use"]
        results = [{"type": "tool_result", "tool_use_id": one, "content": "r"} for one in uses]
        more = [{"role": "assistant", "content": turn}, {"role": "user", "content": results}]
        return {**body, "messages": [*body["messages"], *more]}
    calls = [item["call_id"] for item in turn if item["type"] == "function_call"]
    results = [{"type": "function_call_output", "call_id": one, "output": "r"} for one in calls]
    return {**body, "input": [*body["input"], *turn, *results]}
