"""The official OpenAI and Anthropic SDKs against a running gateway in front of a scripted Gemini server."""

import base64
import itertools
import json
import threading
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest
from anthropic import Anthropic
from google.genai import types
from openai import OpenAI

from support import gemini_wire as wire
from support.asking import HELLO, ask_chat, ask_message
from support.gateway import Gateway
from support.gemini_wire import answer, call, candidate, status, text, thought
from support.upstream import Chunk, Cut, Head, Reply, Step, Upstream, Wait, json_reply

UPSTREAM_KEY = "AIza-upstream-0123456789"
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 8).decode()
SIGNATURE = base64.b64encode(b"\xfb\xff\xfe" * 900).decode()
PARAMETERS: Any = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER: Any = {"type": "function", "function": {"name": "weather", "parameters": PARAMETERS}}
FORECAST: Any = {"name": "weather", "input_schema": PARAMETERS}
FRESH = itertools.count()


def streamed(said: wire.Answer, cut: wire.Cut = wire.whole_piece) -> list[Step]:
    """Return the steps that stream an answer, one write a piece."""
    return [Head(200), *(Chunk(wire.sse([piece])) for piece in wire.chunks(said, cut))]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, vendor: Upstream) -> Iterator[Gateway]:
    key = {"api_key": "${UPSTREAM_KEY}"}
    config = {
        "providers": {
            "google": {"kind": "gemini", "base_url": vendor.url, **key},
            # A refused key closes every model of its row.
            "fragile": {"kind": "gemini", "base_url": vendor.url, **key},
            "vertex": {"kind": "vertex", "base_url": f"{vendor.url}/v1/projects/p/publishers/google", **key},
        },
        "models": {
            "flash": {"provider": "google", "name": "gemini-2.5-flash"},
            "pro": {"provider": "google", "name": "gemini-3-pro"},
            "cloud": {"provider": "vertex", "name": "gemini-3-pro"},
            **{f"fresh-{n}": {"provider": "fragile", "name": "gemini-2.5-flash"} for n in range(30)},
        },
        "routes": {
            # What an upstream's failure becomes is seen best when nobody asks again.
            "assistant": {"targets": ["pro"], "attempts": 1},
            "again": {"targets": ["flash"], "fallback": ["pro"], "attempts": 2},
            **{f"fresh-{n}": {"targets": [f"fresh-{n}"], "attempts": 1} for n in range(30)},
        },
    }
    with Gateway(tmp_path_factory.mktemp("gateway"), config, env={"UPSTREAM_KEY": UPSTREAM_KEY}) as running:
        yield running


def create(client: OpenAI, stream: bool, **fields: Any) -> Any:
    return ask_chat(client, stream, **{"model": "assistant", **fields})


def say(claude: Anthropic, stream: bool, **fields: Any) -> Any:
    return ask_message(claude, stream, **{"model": "assistant", **fields})


def script(vendor: Upstream, stream: bool, said: wire.Answer, cut: wire.Cut = wire.whole_piece) -> None:
    types.GenerateContentResponse.model_validate(said)
    vendor.script(streamed(said, cut) if stream else json_reply(said))


def last_record(gateway: Gateway) -> Any:
    return gateway.journal()[-1]


BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


@BOTH
def test_text_comes_back(client: OpenAI, vendor: Upstream, gateway: Gateway, stream: bool) -> None:
    script(vendor, stream, answer(text("Hé! 你好 \U0001f600")), list)
    found = create(client, stream, messages=[{"role": "developer", "content": "Be kind."}, *HELLO])
    assert found.choices[0].message.content == "Hé! 你好 \U0001f600"
    assert found.choices[0].finish_reason == "stop"
    assert (found.model, found.id[:9]) == ("gemini-test-001", "chatcmpl-")
    assert (found.usage.prompt_tokens, found.usage.completion_tokens, found.usage.total_tokens) == (10, 5, 15)
    (request,) = vendor.requests
    verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
    assert request.path == f"/v1beta/models/gemini-3-pro:{verb}"
    assert request.header("x-goog-api-key") == UPSTREAM_KEY
    assert request.json() == {
        "contents": [{"role": "user", "parts": [{"text": "Hello?"}]}],
        "systemInstruction": {"parts": [{"text": "Be kind."}]},
    }
    record = last_record(gateway)
    assert (record.outcome, record.finish, record.served) == ("ok", "stop", "gemini-test-001")
    assert (record.usage.input, record.usage.output) == (10, 5)
    (attempt,) = record.attempts
    assert (attempt.outcome, attempt.upstream_model, attempt.upstream_id) == ("ok", "gemini-test-001", "resp-1")


@BOTH
def test_the_same_wire_serves_vertex(client: OpenAI, vendor: Upstream, stream: bool) -> None:
    script(vendor, stream, answer(text("Yes.")))
    assert create(client, stream, model="cloud").choices[0].message.content == "Yes."
    verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
    assert vendor.requests[0].path == f"/v1/projects/p/publishers/google/models/gemini-3-pro:{verb}"
    assert vendor.requests[0].header("authorization") == f"Bearer {UPSTREAM_KEY}"


@BOTH
def test_a_round_of_tools_returns_every_signature_through_openais_wire(
    client: OpenAI, vendor: Upstream, stream: bool
) -> None:
    said = answer(
        thought("Two cities."),
        call("weather", {"city": "Oslo"}, id="fc-1", signature=SIGNATURE),
        call("weather", {"city": "Bergen"}, id="fc-2"),
    )
    script(vendor, stream, said)
    first = create(client, stream, tools=[WEATHER])
    message = first.choices[0].message
    assert first.choices[0].finish_reason == "tool_calls"
    assert [(one.id, json.loads(one.function.arguments)) for one in message.tool_calls] == [
        ("fc-1", {"city": "Oslo"}),
        ("fc-2", {"city": "Bergen"}),
    ]
    assert message.reasoning_content == "Two cities."
    vendor.script(json_reply(answer(text("Rain."))))
    results = [{"role": "tool", "tool_call_id": f"fc-{n}", "content": f"rain {n}"} for n in (1, 2)]
    turns = [*HELLO, message.model_dump(exclude_none=True), *results]
    client.chat.completions.create(model="assistant", messages=turns, tools=[WEATHER])
    _, model, answers = vendor.requests[1].json()["contents"]
    assert model["parts"] == [
        {"text": "Two cities.", "thought": True},
        {
            "functionCall": {"id": "fc-1", "name": "weather", "args": {"city": "Oslo"}},
            "thoughtSignature": SIGNATURE,
        },
        {"functionCall": {"id": "fc-2", "name": "weather", "args": {"city": "Bergen"}}},
    ]
    assert answers["parts"] == [
        {"functionResponse": {"id": f"fc-{n}", "name": "weather", "response": {"output": f"rain {n}"}}} for n in (1, 2)
    ]


@BOTH
def test_a_round_of_tools_returns_every_signature_through_anthropics_wire(
    claude: Anthropic, vendor: Upstream, stream: bool
) -> None:
    said = answer(
        thought("Look first."),
        text("I look.", thoughtSignature=SIGNATURE[:400]),
        call("weather", {"city": "Oslo"}, id="fc-1", signature=SIGNATURE),
    )
    script(vendor, stream, said)
    thinking: Any = {"type": "enabled", "budget_tokens": 1024}
    message = say(claude, stream, max_tokens=2000, tools=[FORECAST], thinking=thinking)
    assert message.stop_reason == "tool_use"
    assert [block.text for block in message.content if block.type == "text"] == ["I look."]
    (used,) = (block for block in message.content if block.type == "tool_use")
    assert (used.id, used.input) == ("fc-1", {"city": "Oslo"})
    vendor.script(json_reply(answer(text("Rain."))))
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    result = {"type": "tool_result", "tool_use_id": "fc-1", "content": [{"type": "text", "text": "rain"}, image]}
    content = [block.model_dump(exclude_none=True) for block in message.content]
    turns = [*HELLO, {"role": "assistant", "content": content}, {"role": "user", "content": [result]}]
    assert say(claude, False, messages=turns, tools=[FORECAST]).content[0].text == "Rain."
    first, second = (request.json() for request in vendor.requests)
    assert first["generationConfig"]["thinkingConfig"] == {"thinkingBudget": 1024, "includeThoughts": True}
    parts = [part for part in second["contents"][1]["parts"] if not part.get("thought")]
    assert parts == [
        {"text": "I look.", "thoughtSignature": SIGNATURE[:400]},
        {
            "functionCall": {"id": "fc-1", "name": "weather", "args": {"city": "Oslo"}},
            "thoughtSignature": SIGNATURE,
        },
    ]
    returned = second["contents"][2]["parts"][0]["functionResponse"]
    assert returned["parts"] == [{"inlineData": {"mimeType": "image/png", "data": PNG}}]


@BOTH
def test_counts_are_told_by_kind_in_each_dialect(
    client: OpenAI, claude: Anthropic, vendor: Upstream, stream: bool
) -> None:
    usage = {
        "promptTokenCount": 100,
        "cachedContentTokenCount": 40,
        "candidatesTokenCount": 20,
        "thoughtsTokenCount": 30,
        "totalTokenCount": 150,
    }
    said = answer(text("Yes."), usageMetadata=usage)
    script(vendor, stream, said)
    script(vendor, stream, said)
    found = create(client, stream).usage
    assert (found.prompt_tokens, found.completion_tokens) == (100, 50)
    assert found.prompt_tokens_details.cached_tokens == 40
    assert found.completion_tokens_details.reasoning_tokens == 30
    told = say(claude, stream).usage
    assert (told.input_tokens, told.cache_read_input_tokens, told.output_tokens) == (60, 40, 50)


@BOTH
@pytest.mark.parametrize(
    ("finish", "openai_word", "anthropic_word"),
    [
        ("STOP", "stop", "end_turn"),
        ("MAX_TOKENS", "length", "max_tokens"),
        ("SAFETY", "content_filter", "refusal"),
        ("RECITATION", "content_filter", "refusal"),
    ],
)
def test_reasons_are_told_in_the_callers_words(
    client: OpenAI,
    claude: Anthropic,
    vendor: Upstream,
    stream: bool,
    finish: str,
    openai_word: str,
    anthropic_word: str,
) -> None:
    said = answer(text("Yes."), finish=finish)
    script(vendor, stream, said)
    script(vendor, stream, said)
    asked: Any = {"model": "assistant", "messages": HELLO, "stream": stream}
    found = client.chat.completions.create(**asked)
    words = [part.choices[0].finish_reason for part in (found if stream else [found]) if part.choices]
    assert words[-1] == openai_word
    assert say(claude, stream).stop_reason == anthropic_word


@BOTH
def test_choices_and_probabilities_come_back(client: OpenAI, vendor: Upstream, stream: bool) -> None:
    result = {"chosenCandidates": [{"token": "A", "logProbability": -0.5}], "topCandidates": [{"candidates": []}]}
    both = [candidate(text("A"), logprobsResult=result), candidate(text("B"), index=1, finish="MAX_TOKENS")]
    script(vendor, stream, answer(candidates=both))
    fields = {"n": 2, "logprobs": True, "top_logprobs": 1}
    asked: Any = {"model": "assistant", "messages": HELLO, "stream": stream, **fields}
    found = client.chat.completions.create(**asked)
    choices = [choice for part in (found if stream else [found]) for choice in part.choices]
    assert {(c.index, c.finish_reason) for c in choices if c.finish_reason} == {(0, "stop"), (1, "length")}
    (told,) = (choice.logprobs for choice in choices if choice.logprobs and choice.logprobs.content)
    assert (told.content[0].token, told.content[0].logprob) == ("A", -0.5)
    config = vendor.requests[0].json()["generationConfig"]
    assert config == {"candidateCount": 2, "responseLogprobs": True, "logprobs": 1}


@BOTH
def test_an_image_that_the_model_drew_reaches_callers_of_openais_wire(
    client: OpenAI, vendor: Upstream, stream: bool
) -> None:
    script(vendor, stream, answer(text("Here:"), {"inlineData": {"mimeType": "image/png", "data": PNG}}))
    message = create(client, stream).choices[0].message
    assert message.images == [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}]


def test_each_word_is_here_before_the_next_is_sent(client: OpenAI, vendor: Upstream) -> None:
    seen = threading.Event()
    first, *rest = wire.chunks(answer(text("ab")), list)
    vendor.script([Head(200), Chunk(wire.sse([first])), Wait(seen), Chunk(wire.sse(rest))])
    words = []
    for chunk in client.chat.completions.create(model="assistant", messages=HELLO, stream=True):
        if chunk.choices[0].delta.content:
            words.append(chunk.choices[0].delta.content)
            # Only now may the upstream go on: were the stream buffered, this would never be reached.
            seen.set()
    assert words == ["a", "b"]


@BOTH
@pytest.mark.parametrize(
    ("code", "said", "shown", "name"),
    [
        (400, status(400, "INVALID_ARGUMENT", "Bad top_k."), 400, "upstream_refused"),
        (
            400,
            status(
                400, "INVALID_ARGUMENT", "The input token count (9) exceeds the maximum number of tokens allowed (8)."
            ),
            400,
            "context_length_exceeded",
        ),
        (400, status(400, "INVALID_ARGUMENT", f"API key not valid: {UPSTREAM_KEY}"), 502, "upstream_credential"),
        (404, [status(404, "NOT_FOUND", "models/gemini-2.5-flash is not found")], 502, "upstream_not_found"),
        (
            429,
            [status(429, "RESOURCE_EXHAUSTED", "quota", {"@type": "x", "retryDelay": "7s"})],
            429,
            "upstream_rate_limited",
        ),
        (503, status(503, "UNAVAILABLE", "The model is overloaded."), 503, "upstream_failed"),
    ],
)
def test_errors_before_the_answer_are_statuses_with_a_reason(
    client: OpenAI, vendor: Upstream, stream: bool, code: int, said: Any, shown: int, name: str
) -> None:
    vendor.script(json_reply(said, code))
    with pytest.raises(openai.APIStatusError) as caught:
        # A target of its own: one that asks for patience gets it from every later call.
        client.chat.completions.create(model=f"fresh-{next(FRESH)}", messages=HELLO, stream=stream)
    assert (caught.value.status_code, caught.value.code) == (shown, name)
    assert UPSTREAM_KEY not in str(caught.value.body)
    if shown == 429:
        assert caught.value.response.headers["retry-after"] == "7"


@BOTH
def test_a_blocked_prompt_is_a_400_in_each_dialect(
    client: OpenAI, claude: Anthropic, vendor: Upstream, stream: bool
) -> None:
    said: Any = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {"promptTokenCount": 3}}
    for _ in range(2):
        vendor.script([Head(200), Chunk(wire.sse([said]))] if stream else json_reply(said))
    with pytest.raises(openai.BadRequestError) as caught:
        create(client, stream)
    assert caught.value.code == "content_filter"
    with pytest.raises(anthropic.BadRequestError):
        say(claude, stream)


@pytest.mark.parametrize("end", [Cut(), None], ids=["cut", "a clean end too early"])
def test_a_stream_that_breaks_off_never_looks_complete(
    client: OpenAI, vendor: Upstream, gateway: Gateway, end: Step | None
) -> None:
    pieces = wire.chunks(answer(text("One.")))[:-1]
    vendor.script([Head(200), Chunk(wire.sse(pieces)), *([end] if end is not None else [])])
    words = []
    with pytest.raises(openai.APIError) as caught:
        for chunk in client.chat.completions.create(model="assistant", messages=HELLO, stream=True):
            words.append(chunk.choices[0].delta.content)
    assert "One." in words
    assert caught.value.code == "upstream_interrupted"
    assert last_record(gateway).error == "upstream_interrupted"


@BOTH
def test_a_malformed_call_goes_to_the_next_model(
    client: OpenAI, vendor: Upstream, gateway: Gateway, stream: bool
) -> None:
    # A route with somewhere to go is asked for streams.
    script(vendor, True, answer(finish="MALFORMED_FUNCTION_CALL"))
    script(vendor, True, answer(text("Yes.")))
    asked: Any = {"model": "again", "messages": HELLO, "stream": stream}
    found = client.chat.completions.create(**asked)
    if stream:
        assert "".join(part.choices[0].delta.content or "" for part in found) == "Yes."
    else:
        assert found.choices[0].message.content == "Yes."
    assert [attempt.outcome for attempt in last_record(gateway).attempts] == ["upstream_broken", "ok"]


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, (("content-type", "application/json"),), b"{}"),
        Reply(200, (("content-type", "text/html"),), b"<html>login</html>"),
        json_reply(status(503, "UNAVAILABLE", "overloaded")),
    ],
    ids=["no answer", "html", "an error under 200"],
)
@BOTH
def test_an_answer_that_is_none_is_an_error(client: OpenAI, vendor: Upstream, stream: bool, reply: Reply) -> None:
    vendor.script(reply)
    with pytest.raises(openai.InternalServerError):
        client.chat.completions.create(model="assistant", messages=HELLO, stream=stream)


def test_a_stream_in_a_list_is_still_a_stream(client: OpenAI, vendor: Upstream) -> None:
    vendor.script(json_reply(wire.chunks(answer(text("Yes.")), list)))
    found = client.chat.completions.create(model="assistant", messages=HELLO, stream=True)
    assert "".join(part.choices[0].delta.content or "" for part in found) == "Yes."


def test_what_the_wire_cannot_say_is_refused_in_the_callers_words(
    client: OpenAI, claude: Anthropic, vendor: Upstream
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        create(client, False, tools=[WEATHER], parallel_tool_calls=False)
    assert (caught.value.code, caught.value.param) == ("unsupported_by_model", "parallel_tool_calls")
    alone: Any = {"type": "auto", "disable_parallel_tool_use": True}
    with pytest.raises(anthropic.BadRequestError) as refused:
        say(claude, False, tools=[FORECAST], tool_choice=alone)
    assert "tool_choice.disable_parallel_tool_use" in str(refused.value.body)
    assert vendor.requests == []
