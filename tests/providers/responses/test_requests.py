"""What a Responses upstream is asked, by callers of each dialect; the official SDK's types say whether it is right."""

import base64
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from mainstay.core.call import Ask
from mainstay.core.errors import InvalidRequest, MainstayError, Unsupported
from mainstay.core.target import Target
from mainstay.providers.anthropic import read_ask as read_anthropic
from mainstay.providers.openai import read_ask as read_openai
from mainstay.providers.places import name_place
from mainstay.providers.responses import read_ask as read_responses
from mainstay.providers.responses.codec import ResponsesCodec
from mainstay.providers.responses.history import Stored, expand
from mainstay.providers.responses.sealed import seal
from mainstay.providers.responses.wire import sign
from support import responses_vendor as wire

TARGET = Target("m", "p", "openai", "gpt-5")
PLAIN = Target("m", "p", "openai", "gpt-4o-mini")
PNG = base64.b64encode(b"\x89PNG").decode()
HELLO: list[Any] = [{"role": "user", "content": "Hi"}]
SCHEMA: Any = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOL: Any = {"type": "function", "function": {"name": "get", "description": "Gets.", "parameters": SCHEMA}}
FLAT: Any = {"type": "function", "name": "get", "description": "Gets.", "parameters": SCHEMA, "strict": False}

Sent = Callable[..., dict[str, Any]]


def openai(**fields: Any) -> Ask:
    return read_openai(json.dumps({"model": "m", "messages": HELLO, **fields}).encode())


def anthropic(**fields: Any) -> Ask:
    return read_anthropic(json.dumps({"model": "m", "max_tokens": 20, "messages": HELLO, **fields}).encode())


def responses(**fields: Any) -> Ask:
    return read_responses(json.dumps({"model": "m", "input": "Hi", **fields}).encode())


@pytest.fixture
def sent(sdk_accepts: Callable[[bytes], dict[str, Any]]) -> Sent:
    """Return a function that translates a request and gives the body that the SDK's types accepted."""

    def translate(ask: Ask, target: Target = PLAIN, *, stream: bool = False) -> dict[str, Any]:
        path, body = ResponsesCodec().request(ask, target, stream=stream)
        assert path == b"/responses"
        return sdk_accepts(body)

    return translate


def refused(ask: Ask, kind: type[MainstayError] = Unsupported) -> str | None:
    with pytest.raises(kind) as caught:
        ResponsesCodec().request(ask, PLAIN, stream=False)
    name_place(caught.value, ask)
    return caught.value.param


def test_a_plain_question_is_plain_and_is_not_stored(sent: Sent) -> None:
    asked = [{"type": "message", "role": "user", "content": "Hi"}]
    assert sent(openai()) == {"model": "gpt-4o-mini", "input": asked, "store": False}
    assert sent(openai(), stream=True)["stream"] is True


def test_a_system_prompt_becomes_instructions_and_later_ones_stay_where_they_are(sent: Sent) -> None:
    talk = [{"role": "system", "content": "Be brief."}, *HELLO, {"role": "developer", "content": "Now in verse."}]
    body = sent(openai(messages=talk))
    assert body["instructions"] == "Be brief."
    assert [item["role"] for item in body["input"]] == ["user", "developer"]
    assert sent(anthropic(system="Be brief."))["instructions"] == "Be brief."
    alone = sent(openai(messages=talk[:1]))
    assert alone["input"] == [{"type": "message", "role": "system", "content": "Be brief."}]


def test_every_setting_of_a_chat_has_its_place(sent: Sent) -> None:
    body = sent(
        openai(
            max_completion_tokens=20,
            temperature=0.5,
            top_p=0.9,
            user="u",
            metadata={"a": "b"},
            verbosity="low",
            reasoning_effort="high",
            logprobs=True,
            top_logprobs=2,
            store=True,
            service_tier="flex",
            safety_identifier="s",
            prompt_cache_key="k",
            parallel_tool_calls=False,
            tools=[TOOL],
            tool_choice="required",
            response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA, "strict": True}},
            stream_options={"include_usage": True, "include_obfuscation": False},
            n=1,
            frequency_penalty=0,
            logit_bias={},
        ),
        stream=True,
    )
    del body["input"]
    assert body == {
        "model": "gpt-4o-mini",
        "max_output_tokens": 20,
        "temperature": 0.5,
        "top_p": 0.9,
        "user": "u",
        "metadata": {"a": "b"},
        "text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True}, "verbosity": "low"},
        "reasoning": {"effort": "high"},
        "include": ["reasoning.encrypted_content", "message.output_text.logprobs"],
        "top_logprobs": 2,
        "store": True,
        "service_tier": "flex",
        "safety_identifier": "s",
        "prompt_cache_key": "k",
        "parallel_tool_calls": False,
        "tools": [FLAT],
        "tool_choice": "required",
        "stream": True,
        "stream_options": {"include_obfuscation": False},
    }


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 2}, "n"),
        ({"stop": "x"}, "stop"),
        ({"seed": 1}, "seed"),
        ({"logit_bias": {"1": 2}}, "logit_bias"),
        ({"frequency_penalty": 0.5}, "frequency_penalty"),
        ({"presence_penalty": 0.5}, "presence_penalty"),
        ({"modalities": ["text", "audio"], "audio": {"voice": "v", "format": "wav"}}, "modalities"),
        ({"prediction": {"type": "content", "content": "x"}}, "prediction"),
        ({"web_search_options": {}}, "web_search_options"),
        ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools[0]"),
        ({"messages": [{"role": "user", "content": "x", "name": "Ann"}]}, "messages[0].name"),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}]}
                ]
            },
            "messages[0].content[0]",
        ),
    ],
)
def test_what_the_wire_lacks_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    assert refused(openai(**fields)) == param


def test_callers_of_anthropics_wire_read_their_own_words_in_a_refusal() -> None:
    assert refused(anthropic(stop_sequences=["x"])) == "stop_sequences"
    assert refused(anthropic(tools=[{"type": "web_search_20250305", "name": "web_search"}])) == "tools[0]"
    image = {"type": "image", "source": {"type": "file", "file_id": "f"}}
    talk = [{"role": "user", "content": [image]}]
    assert refused(anthropic(messages=talk, system="S")) == "messages[0].content[0]"


def test_a_choice_needs_tools_and_one_of_them() -> None:
    assert refused(openai(tool_choice="required"), InvalidRequest) == "tool_choice"
    choice = {"type": "function", "function": {"name": "other"}}
    assert refused(openai(tools=[TOOL], tool_choice=choice), InvalidRequest) == "tool_choice"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("auto", "auto"),
        ("none", "none"),
        ({"type": "function", "function": {"name": "get"}}, {"type": "function", "name": "get"}),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "get"}}]},
            },
            {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "get"}]},
        ),
    ],
)
def test_every_form_of_tool_choice_is_said(sent: Sent, given: Any, said: Any) -> None:
    assert sent(openai(tools=[TOOL], tool_choice=given))["tool_choice"] == said


def test_a_turn_with_calls_becomes_items_in_its_order(sent: Sent) -> None:
    calls = [
        {"id": "c1", "type": "function", "function": {"name": "get", "arguments": ""}},
        {"id": "x" * 70, "type": "function", "function": {"name": "get", "arguments": '{"city":"Köln"}'}},
    ]
    talk = [
        *HELLO,
        {"role": "assistant", "content": "I look.", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "c1", "content": "3"},
        {"role": "tool", "tool_call_id": "x" * 70, "content": [{"type": "text", "text": "4"}]},
    ]
    items = sent(openai(messages=talk, tools=[TOOL]))["input"][1:]
    long = items[2]["call_id"]
    assert len(long) <= 64
    assert items == [
        {"type": "message", "role": "assistant", "content": "I look."},
        {"type": "function_call", "call_id": "c1", "name": "get", "arguments": "{}"},
        {"type": "function_call", "call_id": long, "name": "get", "arguments": '{"city":"Köln"}'},
        {"type": "function_call_output", "call_id": "c1", "output": "3"},
        {"type": "function_call_output", "call_id": long, "output": "4"},
    ]


def test_results_with_images_and_errors_keep_both(sent: Sent) -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    result = {"type": "tool_result", "tool_use_id": "t1", "is_error": True, "content": [image]}
    talk = [
        *HELLO,
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "get", "input": {}}]},
        {"role": "user", "content": [result, {"type": "text", "text": "And?"}]},
    ]
    items = sent(anthropic(messages=talk, tools=[{"name": "get", "input_schema": SCHEMA}]))["input"]
    assert items[2]["output"] == [
        {"type": "input_text", "text": "The tool failed."},
        {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "auto"},
    ]
    assert items[3] == {"type": "message", "role": "user", "content": "And?"}


def test_images_and_documents_are_sent_by_data_and_by_address(sent: Sent) -> None:
    sources = [
        {"type": "image", "source": {"type": "url", "url": "https://x/i.png"}},
        {"type": "document", "source": {"type": "url", "url": "https://x/d.pdf"}, "context": "From 2020."},
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "aGk="},
            "title": "T",
        },
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "é"}},
    ]
    (item,) = sent(anthropic(messages=[{"role": "user", "content": sources}]))["input"]
    assert item["content"] == [
        {"type": "input_image", "image_url": "https://x/i.png", "detail": "auto"},
        {"type": "input_text", "text": "From 2020."},
        {"type": "input_file", "file_url": "https://x/d.pdf"},
        {"type": "input_file", "filename": "T", "file_data": "data:application/pdf;base64,aGk="},
        {"type": "input_file", "filename": "document.txt", "file_data": "data:text/plain;base64,w6k="},
    ]


def test_reasoning_goes_back_to_this_wire_and_no_other_vendors_does(sent: Sent) -> None:
    content = [
        {"type": "thinking", "thinking": "hm", "signature": sign("rs_1", "gAAA:x")},
        {"type": "thinking", "thinking": "mine", "signature": "EqQBCg"},
        {"type": "redacted_thinking", "data": "xyz"},
        {"type": "text", "text": "Yes."},
    ]
    talk = [*HELLO, {"role": "assistant", "content": content}, *HELLO]
    items = sent(anthropic(messages=talk))["input"]
    assert items[1:-1] == [
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "hm"}],
            "encrypted_content": "gAAA:x",
        },
        {"type": "message", "role": "assistant", "content": "Yes."},
    ]


@pytest.mark.parametrize(
    ("model", "fields", "wanted"),
    [
        ("gpt-5.6-sol", {}, True),
        ("o4-mini", {}, True),
        ("openai/gpt-oss-120b", {}, True),
        ("gpt-5.3-codex", {}, True),
        ("gpt-5.3-chat", {}, False),
        ("gpt-4o", {}, False),
        ("my-deployment", {}, False),
        ("my-deployment", {"reasoning_effort": "low"}, True),
        ("my-deployment", {"reasoning_effort": "none"}, False),
        ("my-deployment", {"reasoning": {"effort": "low"}}, True),
    ],
)
def test_sealed_reasoning_is_asked_of_models_that_reason(
    sent: Sent, model: str, fields: dict[str, Any], wanted: bool
) -> None:
    body = sent(openai(**fields), Target("m", "p", "openai", model))
    assert ("reasoning.encrypted_content" in body.get("include", ())) is wanted


def test_a_budget_of_thinking_becomes_an_effort(sent: Sent) -> None:
    body = sent(anthropic(thinking={"type": "enabled", "budget_tokens": 20000}, metadata={"user_id": "u" * 70}))
    assert body["reasoning"] == {"effort": "high"}
    assert len(body["user"]) == 64


def test_a_body_of_this_wire_passes_with_its_bytes() -> None:
    body = b'{ "model":"gpt-5", "input":[{"role":"user","content":"Hi","new":1.0}], "top_p":1.0, "unheard_of":{} }'
    ask = read_responses(body)
    assert ResponsesCodec().request(ask, TARGET, stream=False)[1] is body
    renamed = ResponsesCodec().request(ask, PLAIN, stream=True)[1]
    assert renamed == (
        b'{"model":"gpt-4o-mini","input":[{"role":"user","content":"Hi","new":1.0}],"top_p":1.0,"unheard_of":{},'
        b'"stream":true}'
    )


def test_a_stream_is_asked_for_or_not_as_the_gateway_wants(sent: Sent) -> None:
    ask = responses(stream=True, stream_options={"include_obfuscation": False})
    body = sent(ask, Target("m", "p", "openai", "m"))
    assert body == {"model": "m", "input": "Hi", "stream": False}


def test_of_a_body_of_this_wire_only_reasoning_that_others_made_is_left_out() -> None:
    ours = "rs_0190f3c2111170008000000000000001" + "0000"
    items = [
        {"type": "reasoning", "id": "rs_far", "summary": [], "encrypted_content": "gAAA"},
        {"type": "reasoning", "id": "rs_far2", "summary": []},
        {"type": "reasoning", "id": ours, "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]},
        {"type": "reasoning", "id": ours, "summary": [], "encrypted_content": seal("hm", "EqQBCg", "")},
        {"type": "reasoning", "id": ours, "summary": [], "encrypted_content": seal("hm", sign("rs_1", "gBBB"), "")},
        {"role": "user", "content": 'a "type":"reasoning" in words'},
    ]
    body = json.loads(ResponsesCodec().request(responses(input=items), TARGET, stream=False)[1])
    assert body["input"] == [
        *items[:2],
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gBBB"},
        items[-1],
    ]
    same = responses(input=items[:2], model="gpt-5")
    assert ResponsesCodec().request(same, TARGET, stream=False)[1] is same.raw


def test_names_by_which_items_are_kept_here_stay_here(sent: Sent) -> None:
    ask = read_responses(b'{"model":"gpt-4o-mini","input":"And?","previous_response_id":"resp_1"}')
    turn = Stored(
        (),
        [msgspec.Raw(b'{"type":"message","role":"user","content":"Hi","id":"msg_1i0000"}')],
        msgspec.Raw(wire.body(wire.answer(wire.message(wire.part("Yes."))))),
    )
    result = {"type": "function_call_output", "call_id": "c", "output": "3", "id": "fco_1i0001"}
    turn.input.append(msgspec.Raw(json.dumps(result).encode()))
    ask.raw = expand(ask.raw, [turn], {})
    first, second, third, last = sent(ask)["input"]
    assert first == {"type": "message", "role": "user", "content": "Hi"}
    assert second == {"type": "function_call_output", "call_id": "c", "output": "3"}
    assert third["id"] == "msg_1"
    assert last["content"] == [{"type": "input_text", "text": "And?"}]


def test_a_changed_prompt_of_this_wire_keeps_what_no_prompt_carries(sent: Sent) -> None:
    ask = responses(
        instructions="Be brief.",
        reasoning={"effort": "low", "summary": "auto"},
        include=["web_search_call.action.sources"],
        metadata={"a": "b"},
        store=True,
        tools=[{"type": "function", "name": "get", "parameters": SCHEMA, "strict": True}, {"type": "web_search"}],
        tool_choice="auto",
    )
    changed = ask.asking(ask.prompt)
    body = sent(changed)
    assert body["instructions"] == "Be brief."
    assert body["reasoning"] == {"effort": "low", "summary": "auto"}
    assert body["include"] == ["web_search_call.action.sources", "reasoning.encrypted_content"]
    assert (body["metadata"], body["store"], body["tool_choice"]) == ({"a": "b"}, True, "auto")
    assert body["tools"][0]["strict"] is True


def test_custom_tools_of_a_changed_prompt_stay_custom(sent: Sent) -> None:
    tools = [
        {"type": "custom", "name": "apply"},
        {"type": "namespace", "name": "n", "tools": [FLAT], "description": "d"},
    ]
    items = [
        {"type": "custom_tool_call", "call_id": "c1", "name": "apply", "input": "*** Begin"},
        {"type": "custom_tool_call_output", "call_id": "c1", "output": "Done."},
        {"type": "function_call", "call_id": "c2", "name": "get", "namespace": "n", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c2", "output": "3"},
    ]
    ask = responses(input=[*HELLO, *items], tools=tools, parallel_tool_calls=False)
    body = sent(ask.asking(ask.prompt))
    assert body["tools"] == tools
    assert body["input"][1:] == items
    assert body["parallel_tool_calls"] is False
    other = msgspec.structs.replace(ask.prompt, tools=ask.prompt.tools[:1])
    (tool,) = json.loads(ResponsesCodec().request(ask.asking(other), PLAIN, stream=False)[1])["tools"]
    assert (tool["type"], tool["name"]) == ("function", "apply")


def test_a_field_that_nobody_knows_goes_up_and_one_said_twice_is_refused() -> None:
    _, body = ResponsesCodec().request(openai(unheard_of={"a": 1.0}), PLAIN, stream=False)
    assert b'"unheard_of":{"a": 1.0}' in body
    assert refused(openai(instructions="x", messages=[{"role": "system", "content": "S"}, *HELLO]), InvalidRequest) == (
        "instructions"
    )
