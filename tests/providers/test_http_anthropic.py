"""The official OpenAI SDK against a running gateway in front of a scripted Anthropic server: translated both ways."""

import base64
import itertools
import json
import threading
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI

from support import messages_wire as wire
from support.asking import HELLO, ask_chat
from support.gateway import Gateway
from support.upstream import Chunk, Cut, Head, Reply, Reset, Silence, Step, Upstream, Wait, json_reply

UPSTREAM_KEY = "sk-ant-upstream-0123456789"
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 8).decode()
#: Signs that a decoder or encoder on the way could change.
SIGNATURE = 'Eu+/ab==\u00e9\u2028"\\/\U0001f511' + "x" * 3000
WEATHER: Any = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}


def text(words: str) -> wire.Message:
    return {"type": "text", "text": words}


def thinking(words: str, signature: str = SIGNATURE) -> wire.Message:
    return {"type": "thinking", "thinking": words, "signature": signature}


def tool_use(call_id: str, name: str, **arguments: Any) -> wire.Message:
    return {"type": "tool_use", "id": call_id, "name": name, "input": arguments}


def streamed(said: wire.Message, cut: wire.Cut = wire.whole_piece) -> list[Step]:
    """Return the steps that stream a message, one write an event."""
    return [Head(200), *(Chunk(wire.sse([event])) for event in wire.events(said, cut))]


def by_letter(words: str) -> list[str]:
    return list(words)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, vendor: Upstream) -> Iterator[Gateway]:
    claude = {"kind": "anthropic", "base_url": vendor.url, "api_key": "${UPSTREAM_KEY}"}
    config = {
        "providers": {
            "claude": claude,
            "dressed": {**claude, "headers": {"anthropic-version": "2024-01-01", "idempotency-key": "the-operators"}},
        },
        "models": {
            "haiku": {"provider": "claude", "name": "claude-haiku-4-5"},
            "short": {"provider": "claude", "name": "claude-haiku-4-5", "max_output": 77},
            "dressed": {"provider": "dressed", "name": "claude-haiku-4-5"},
            **{f"fresh-{n}": {"provider": "claude", "name": "claude-haiku-4-5"} for n in range(40)},
        },
        "routes": {
            # What an upstream's failure becomes is seen best when nobody asks again.
            "assistant": {"targets": ["haiku"], "attempts": 1},
            **{f"fresh-{n}": {"targets": [f"fresh-{n}"], "attempts": 1} for n in range(40)},
            "impatient": {
                "targets": ["haiku"],
                "attempts": 1,
                "timeouts": {"headers": "300ms", "first_token": "300ms", "idle": "300ms"},
            },
        },
    }
    home = tmp_path_factory.mktemp("gateway")
    with Gateway(home, config, env={"UPSTREAM_KEY": UPSTREAM_KEY}) as running:
        yield running


def create(client: OpenAI, stream: bool, **fields: Any) -> Any:
    return ask_chat(client, stream, **{"model": "assistant", **fields})


def chunks(client: OpenAI, **fields: Any) -> list[Any]:
    return list(client.chat.completions.create(**{"model": "assistant", "messages": HELLO, **fields}, stream=True))


def script(vendor: Upstream, stream: bool, said: wire.Message, cut: wire.Cut = wire.whole_piece) -> None:
    vendor.script(streamed(said, cut) if stream else json_reply(said))


def last_record(gateway: Gateway) -> Any:
    return gateway.journal()[-1]


BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


@BOTH
def test_text_comes_back(client: OpenAI, vendor: Upstream, gateway: Gateway, stream: bool) -> None:
    script(vendor, stream, wire.message(text("Hé! 你好 \U0001f600")), by_letter)
    answer = create(client, stream)
    assert answer.choices[0].message.content == "Hé! 你好 \U0001f600"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == "claude-test"
    assert answer.id.startswith("chatcmpl-")
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (10, 5, 15)
    (request,) = vendor.requests
    assert request.path == "/v1/messages"
    sent = request.json()
    assert sent.get("stream", False) is stream
    assert (sent["model"], sent["messages"]) == ("claude-haiku-4-5", [{"role": "user", "content": "Hello?"}])
    record = last_record(gateway)
    assert (record.outcome, record.status, record.finish, record.served) == ("ok", 200, "stop", "claude-test")
    assert (record.usage.input, record.usage.output) == (10, 5)
    (attempt,) = record.attempts
    assert (attempt.outcome, attempt.upstream_model, attempt.upstream_id) == ("ok", "claude-test", "msg_01")
    assert attempt.first_ms is not None or not stream


def test_the_system_prompt_and_every_turn_go_up(client: OpenAI, vendor: Upstream) -> None:
    vendor.script(json_reply(wire.message(text("Yes."))))
    create(
        client,
        False,
        messages=[
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "One?"},
            {"role": "assistant", "content": "Two."},
            {"role": "user", "content": [{"type": "text", "text": "Three"}, {"type": "text", "text": "?"}]},
        ],
        stop=["END"],
        temperature=0.5,
        max_completion_tokens=9,
        user="u-1",
    )
    sent = vendor.requests[0].json()
    assert sent["system"] == "Be brief."
    assert [turn["role"] for turn in sent["messages"]] == ["user", "assistant", "user"]
    assert sent["messages"][2]["content"] == [text("Three"), text("?")]
    assert (sent["stop_sequences"], sent["temperature"], sent["max_tokens"]) == (["END"], 0.5, 9)
    assert sent["metadata"] == {"user_id": "u-1"}


@pytest.mark.parametrize(("model", "limit"), [("assistant", 4096), ("short", 77)])
def test_the_limit_the_wire_demands_is_the_models_own(client: OpenAI, vendor: Upstream, model: str, limit: int) -> None:
    vendor.script(json_reply(wire.message(text("Yes."))))
    create(client, False, model=model)
    assert vendor.requests[0].json()["max_tokens"] == limit


def test_an_image_goes_up(client: OpenAI, vendor: Upstream) -> None:
    vendor.script(json_reply(wire.message(text("A cat."))))
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
        {"type": "image_url", "image_url": {"url": "https://example.com/cat.jpg", "detail": "high"}},
    ]
    create(client, False, messages=[{"role": "user", "content": parts}])
    content = vendor.requests[0].json()["messages"][0]["content"]
    assert [block["type"] for block in content] == ["text", "image", "image"]
    assert content[1]["source"] == {"type": "base64", "media_type": "image/png", "data": PNG}
    assert content[2]["source"] == {"type": "url", "url": "https://example.com/cat.jpg"}


@BOTH
def test_parallel_tool_calls_come_back_and_their_results_go_up(client: OpenAI, vendor: Upstream, stream: bool) -> None:
    calls = [tool_use("toolu_1", "weather", city='"Åre"\n'), tool_use("toolu_2", "weather", city="Rome")]
    script(vendor, stream, wire.message(text("Let me see."), *calls, stop_reason="tool_use"), by_letter)
    answer = create(client, stream, tools=[WEATHER], parallel_tool_calls=True, tool_choice="auto")
    choice = answer.choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content == "Let me see."
    found = choice.message.tool_calls
    assert [(call.id, call.function.name) for call in found] == [("toolu_1", "weather"), ("toolu_2", "weather")]
    assert [json.loads(call.function.arguments) for call in found] == [{"city": '"Åre"\n'}, {"city": "Rome"}]
    assert vendor.requests[0].json()["tools"][0]["input_schema"] == WEATHER["function"]["parameters"]

    vendor.script(json_reply(wire.message(text("Cold and warm."))))
    results = [{"role": "tool", "tool_call_id": call.id, "content": f"{i} degrees"} for i, call in enumerate(found)]
    create(client, False, messages=[*HELLO, choice.message, *results], tools=[WEATHER])
    turns = vendor.requests[1].json()["messages"]
    assert turns[1] == {"role": "assistant", "content": [text("Let me see."), *calls]}
    assert [(block["type"], block["tool_use_id"]) for block in turns[2]["content"]] == [
        ("tool_result", "toolu_1"),
        ("tool_result", "toolu_2"),
    ]
    assert turns[2]["content"][1]["content"] == "1 degrees"


def test_arguments_arrive_in_the_pieces_they_were_sent_in(client: OpenAI, vendor: Upstream) -> None:
    said = wire.message(tool_use("toolu_1", "weather", city="Oslo"), stop_reason="tool_use")
    vendor.script(streamed(said, by_letter))
    pieces = [
        call.function.arguments
        for chunk in chunks(client, tools=[WEATHER])
        if chunk.choices
        for call in chunk.choices[0].delta.tool_calls or ()
        if call.function.arguments
    ]
    assert pieces == list('{"city": "Oslo"}')


@BOTH
def test_thinking_comes_back_and_goes_up_again_byte_for_byte(client: OpenAI, vendor: Upstream, stream: bool) -> None:
    redacted = {"type": "redacted_thinking", "data": "EmwK+/=="}
    said = [thinking("Hm, \u00fc.\n"), redacted, text("Let me see."), tool_use("toolu_1", "weather", city="Oslo")]
    script(vendor, stream, wire.message(*said, stop_reason="tool_use"), by_letter)
    thought = {"type": "enabled", "budget_tokens": 2000}
    if stream:
        # The SDK's accumulator sees only the fields it knows, so the blocks are taken from the chunks.
        deltas = [
            c.choices[0].delta for c in chunks(client, tools=[WEATHER], extra_body={"thinking": thought}) if c.choices
        ]
        blocks = [block for delta in deltas for block in getattr(delta, "thinking_blocks", None) or ()]
        assert [block.pop("index") for block in blocks] == [0, 1]
        reasoning = "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas)
        call = {"id": "toolu_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}
        turn = {"role": "assistant", "content": "Let me see.", "tool_calls": [call], "thinking_blocks": blocks}
    else:
        message = create(client, False, tools=[WEATHER], extra_body={"thinking": thought}).choices[0].message
        blocks, reasoning, turn = message.thinking_blocks, message.reasoning_content, message
    assert reasoning == "Hm, \u00fc.\n"
    assert blocks == said[:2]
    assert vendor.requests[0].json()["thinking"] == thought

    vendor.script(json_reply(wire.message(text("Cold."))))
    result = {"role": "tool", "tool_call_id": "toolu_1", "content": "-3"}
    create(client, False, messages=[*HELLO, turn, result], tools=[WEATHER], extra_body={"thinking": thought})
    assert vendor.requests[1].json()["messages"][1]["content"] == said


@BOTH
@pytest.mark.parametrize(
    ("stop_reason", "finish", "recorded"),
    [
        ("end_turn", "stop", "stop"),
        ("stop_sequence", "stop", "stop_sequence"),
        ("max_tokens", "length", "length"),
        ("model_context_window_exceeded", "length", "context"),
        ("refusal", "content_filter", "refused"),
        ("pause_turn", "stop", "paused"),
    ],
)
def test_stop_reasons_are_told_in_the_callers_words(
    client: OpenAI, vendor: Upstream, gateway: Gateway, stream: bool, stop_reason: str, finish: str, recorded: str
) -> None:
    script(vendor, stream, wire.message(text("Yes."), stop_reason=stop_reason))
    answer = client.chat.completions.create(model="assistant", messages=HELLO, stream=stream)
    found = [c.choices[0].finish_reason for c in (answer if stream else [answer]) if c.choices]
    assert found[-1] == finish
    assert last_record(gateway).finish == recorded


@BOTH
def test_cached_tokens_are_part_of_the_prompts(
    client: OpenAI, vendor: Upstream, gateway: Gateway, stream: bool
) -> None:
    usage = {
        "input_tokens": 7,
        "output_tokens": 50,
        "cache_read_input_tokens": 100,
        "cache_creation_input_tokens": 30,
        "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 10},
    }
    script(vendor, stream, wire.message(text("Yes."), usage=usage))
    found = create(client, stream).usage
    assert (found.prompt_tokens, found.completion_tokens, found.total_tokens) == (137, 50, 187)
    assert found.prompt_tokens_details.cached_tokens == 100
    recorded = last_record(gateway).usage
    assert (recorded.input, recorded.output, recorded.cache_read, recorded.cache_write) == (137, 50, 100, 30)
    assert recorded.cache_write_1h == 10


def test_usage_is_no_part_of_a_stream_that_did_not_ask(client: OpenAI, vendor: Upstream, gateway: Gateway) -> None:
    vendor.script(streamed(wire.message(text("Yes."))))
    found = chunks(client)
    assert all(chunk.choices and chunk.usage is None for chunk in found)
    assert last_record(gateway).usage.output == 5


def test_each_word_is_here_before_the_next_is_sent(client: OpenAI, vendor: Upstream) -> None:
    events = [Chunk(wire.sse([event])) for event in wire.events(wire.message(text("ab")), by_letter)]
    seen = threading.Event()
    vendor.script([Head(200), *events[:3], Wait(seen), *events[3:]])
    words = []
    for chunk in client.chat.completions.create(model="assistant", messages=HELLO, stream=True):
        if chunk.choices[0].delta.content:
            words.append(chunk.choices[0].delta.content)
            # Only now may the upstream go on: were the stream buffered, this would never be reached.
            seen.set()
    assert words == ["a", "b"]


def test_a_ping_keeps_the_callers_connection_alive_too(client: OpenAI, vendor: Upstream) -> None:
    events = [Chunk(wire.sse([event])) for event in wire.events(wire.message(text("One.")))]
    # One after the other: a ping that is read together with a word is not needed.
    word, ping = threading.Event(), threading.Event()
    said = [Head(200), *events[:3], Wait(word), Chunk(wire.sse([{"type": "ping"}])), Wait(ping), *events[3:]]
    vendor.script(said)
    with client.chat.completions.with_streaming_response.create(
        model="assistant", messages=HELLO, stream=True
    ) as answer:
        received = b""
        for piece in answer.iter_bytes():
            received += piece
            if b"One." in received:
                word.set()
            if b": ping\n\n" in received:
                ping.set()
    assert received.endswith(b"data: [DONE]\n\n")


FRESH = itertools.count()
FAULT = {"type": "error", "error": {"type": "api_error", "message": "inner workings of host db-1.internal"}}


def fault(kind: str, message: str = "") -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}


@BOTH
@pytest.mark.parametrize(
    ("status", "body", "shown", "code"),
    [
        (400, fault("invalid_request_error", "top_k: must be positive"), 400, "upstream_refused"),
        (400, fault("invalid_request_error", "prompt is too long: 210000 tokens"), 400, "context_length_exceeded"),
        (400, fault("invalid_request_error", "Your credit balance is too low"), 502, "upstream_quota"),
        (401, fault("authentication_error", f"invalid x-api-key {UPSTREAM_KEY}"), 502, "upstream_credential"),
        (403, fault("permission_error", f"key {UPSTREAM_KEY} lacks access"), 502, "upstream_credential"),
        (404, fault("not_found_error", "model: claude-haiku-4-5"), 502, "upstream_not_found"),
        (413, fault("request_too_large", "Request exceeds the maximum size"), 413, "upstream_refused"),
        (429, fault("rate_limit_error", "slow down"), 429, "upstream_rate_limited"),
        (500, FAULT, 502, "upstream_failed"),
        (529, fault("overloaded_error", "Overloaded"), 503, "upstream_failed"),
    ],
)
def test_errors_before_the_answer_are_statuses_with_a_reason(
    client: OpenAI,
    vendor: Upstream,
    gateway: Gateway,
    stream: bool,
    status: int,
    body: dict[str, Any],
    shown: int,
    code: str,
) -> None:
    vendor.script(json_reply(body, status, retry_after="7"))
    with pytest.raises(openai.APIStatusError) as caught:
        # A target of its own: one that asks for patience gets it from every later call.
        client.chat.completions.create(model=f"fresh-{next(FRESH)}", messages=HELLO, stream=stream)
    error = caught.value
    assert (error.status_code, error.code) == (shown, code)
    assert "secret" not in str(error.body)
    assert UPSTREAM_KEY not in str(error.body)
    assert "internal" not in str(error.body)
    assert error.response.headers.get("retry-after") == ("7" if shown in (429, 503) else None)
    record = last_record(gateway)
    assert (record.outcome, record.status, record.error) == (
        "refused" if shown in (400, 413) else "failed",
        shown,
        code,
    )
    assert (record.attempts[0].outcome, record.attempts[0].status) == (code, status)


def test_an_error_in_the_first_event_is_still_a_status(client: OpenAI, vendor: Upstream) -> None:
    start = wire.events(wire.message())[0]
    for before in ([], [start], [start, {"type": "ping"}]):
        vendor.script([Head(200), Chunk(wire.sse([*before, fault("overloaded_error", "Overloaded")]))])
        with pytest.raises(openai.InternalServerError) as caught:
            chunks(client)
        assert (caught.value.status_code, caught.value.code) == (503, "upstream_failed")


@pytest.mark.parametrize("together", [True, False], ids=["in one write", "in two writes"])
def test_an_error_inside_the_stream_comes_after_the_text_before_it(
    client: OpenAI, vendor: Upstream, gateway: Gateway, together: bool
) -> None:
    events = [*wire.events(wire.message(text("One.")))[:3], fault("overloaded_error", "Overloaded")]
    pieces = [wire.sse(events)] if together else [wire.sse(events[:3]), wire.sse(events[3:])]
    vendor.script([Head(200), *map(Chunk, pieces)])
    words = []
    with pytest.raises(openai.APIError) as caught:
        for chunk in client.chat.completions.create(model="assistant", messages=HELLO, stream=True):
            words.append(chunk.choices[0].delta.content)
    assert "One." in words
    assert caught.value.code == "upstream_interrupted"
    record = last_record(gateway)
    assert (record.outcome, record.status, record.error) == ("failed", 200, "upstream_interrupted")
    assert record.attempts[0].outcome == "upstream_failed"


@pytest.mark.parametrize("end", [Cut(), Reset(), None], ids=["cut", "reset", "a clean end too early"])
def test_a_stream_that_breaks_off_never_looks_complete(
    client: OpenAI, vendor: Upstream, gateway: Gateway, end: Step | None
) -> None:
    events = wire.events(wire.message(text("One.")))[:3]
    # The break waits until the text was read: a reset may overtake what is still on its way.
    read = threading.Event()
    vendor.script([Head(200), Chunk(wire.sse(events)), Wait(read), *([end] if end is not None else [])])
    words = []
    with pytest.raises(openai.APIError) as caught:
        for chunk in client.chat.completions.create(model="assistant", messages=HELLO, stream=True):
            words.append(chunk.choices[0].delta.content)
            read.set()
    assert "One." in words
    assert caught.value.code == "upstream_interrupted"
    assert last_record(gateway).error == "upstream_interrupted"


def test_a_stream_without_its_last_event_is_complete_once_the_reason_came(client: OpenAI, vendor: Upstream) -> None:
    vendor.script([Head(200), Chunk(wire.sse(wire.events(wire.message(text("One.")))[:-1]))])
    assert chunks(client)[-1].choices[0].finish_reason == "stop"


@pytest.mark.parametrize("stream", [False, True])
def test_a_silent_upstream_is_given_up_in_time(client: OpenAI, vendor: Upstream, stream: bool) -> None:
    head = Head(200) if stream else Head(200, (("content-type", "application/json"),))
    for steps in ([Silence()], [head, Silence()]):
        vendor.script(steps)
        with pytest.raises(openai.InternalServerError) as caught:
            client.chat.completions.create(model="impatient", messages=HELLO, stream=stream)
        assert (caught.value.status_code, caught.value.code) == (504, "upstream_timeout")


def test_fields_nobody_knows_go_up_as_they_came(client: OpenAI, vendor: Upstream) -> None:
    vendor.script(json_reply(wire.message(text("Yes."))))
    extra = {"top_k": 5, "thinking": {"type": "adaptive"}, "novel": {"x": 1.0, "y": None}}
    create(client, False, extra_body=extra)
    sent = vendor.requests[0].json()
    assert {name: sent[name] for name in extra} == extra


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"seed": 1}, "seed"),
        ({"logit_bias": {"1": 1}}, "logit_bias"),
        ({"presence_penalty": 0.5}, "presence_penalty"),
        ({"temperature": 1.5}, "temperature"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"messages": [{"role": "system", "content": "Be brief."}]}, "messages"),
        ({"messages": [{"role": "user", "content": ""}]}, "messages[0].content"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_what_the_wire_cannot_say_is_refused_with_the_field_named(
    client: OpenAI, vendor: Upstream, gateway: Gateway, fields: dict[str, Any], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        create(client, False, **fields)
    assert (caught.value.code, caught.value.param) == ("unsupported_by_model", param)
    assert vendor.requests == []
    record = last_record(gateway)
    assert (record.outcome, record.status, record.error) == ("refused", 400, "unsupported_by_model")


def test_the_callers_credentials_and_vendor_headers_stay_here(
    client: OpenAI, vendor: Upstream, gateway: Gateway
) -> None:
    vendor.script(json_reply(wire.message(text("Yes."))))
    create(
        client,
        False,
        extra_headers={
            "x-api-key": "ms-another",
            "openai-organization": "org-1",
            "openai-beta": "assistants=v2",
            "anthropic-version": "1999-01-01",
            "cookie": "a=b",
            "x-forwarded-for": "10.0.0.1",
            "idempotency-key": "the-callers",
        },
    )
    request = vendor.requests[0]
    assert request.header("x-api-key") == UPSTREAM_KEY
    assert request.header("anthropic-version") == "2023-06-01"
    assert request.header("idempotency-key") == "the-callers"
    names = [name for name, _ in request.headers]
    assert len(names) == len(set(names))
    assert not {
        name for name in names if name.startswith(("openai-", "x-stainless-", "authorization", "cookie", "x-f"))
    }
    assert gateway.key not in str(request.headers)
    assert "ms-another" not in str(request.headers)


def test_what_the_operator_has_set_stands_against_the_caller(client: OpenAI, vendor: Upstream) -> None:
    vendor.script(json_reply(wire.message(text("Yes."))))
    create(client, False, model="dressed", extra_headers={"idempotency-key": "mine", "anthropic-version": "1999-01-01"})
    headers = vendor.requests[0].headers
    assert [value for name, value in headers if name == "anthropic-version"] == ["2024-01-01"]
    assert [value for name, value in headers if name == "idempotency-key"] == ["the-operators"]


def test_the_upstreams_limits_and_id_are_shown_to_the_caller(client: OpenAI, vendor: Upstream) -> None:
    vendor.script(json_reply(wire.message(text("Yes.")), request_id="req_9", anthropic_ratelimit_tokens_remaining="5"))
    answer = client.chat.completions.with_raw_response.create(model="assistant", messages=HELLO)
    assert answer.headers["x-upstream-request-id"] == "req_9"
    assert answer.headers["anthropic-ratelimit-tokens-remaining"] == "5"
    assert answer.headers["x-mainstay-provider"] == "claude"


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply(200, (("content-type", "application/json"),), b""), "upstream_broken"),
        (Reply(200, (("content-type", "application/json"),), b"{}"), "upstream_broken"),
        (Reply(200, (("content-type", "text/html"),), b"<html>login</html>"), "upstream_broken"),
        (Reply(204), "upstream_broken"),
        (Reply(307, (("location", "https://example.com"),)), "upstream_broken"),
        (json_reply(fault("overloaded_error", "Overloaded")), "upstream_failed"),
    ],
    ids=["empty", "no message", "html", "204", "redirect", "an error under 200"],
)
@BOTH
def test_an_answer_that_is_none_is_an_error_with_a_reason(
    client: OpenAI, vendor: Upstream, gateway: Gateway, stream: bool, reply: Reply, code: str
) -> None:
    vendor.script(reply)
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model="assistant", messages=HELLO, stream=stream)
    assert caught.value.code == code
    assert last_record(gateway).error == code


def test_no_key_and_no_word_of_a_conversation_is_in_the_log(client: OpenAI, vendor: Upstream, gateway: Gateway) -> None:
    vendor.script(json_reply(wire.message(text("A confidential answer."))))
    create(client, False, messages=[{"role": "user", "content": "A confidential question."}])
    written = [path.read_bytes() for path in gateway.home.rglob("*") if path.is_file() and path != gateway.file]
    for secret in (b"confidential", UPSTREAM_KEY.encode(), gateway.key.encode()):
        assert not any(secret in data for data in written)


def test_a_name_of_any_length_is_refused_and_recorded_in_brief(client: OpenAI, gateway: Gateway) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        create(client, False, model="é" * 100_000)
    assert len(caught.value.message) < 500
    assert last_record(gateway).asked == "é" * 200
