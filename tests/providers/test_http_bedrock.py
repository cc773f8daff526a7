"""The official OpenAI and Anthropic SDKs against a running gateway in front of a scripted Bedrock."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest
from anthropic import Anthropic
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from openai import OpenAI

from support import converse as wire
from support.asking import HELLO, ask_chat, ask_message
from support.gateway import Gateway
from support.upstream import Chunk, Cut, Head, Received, Upstream, Wait, json_reply

SECRET, TOKEN, BEARER = "wJalrXUtnFEMI/hush-hush", "FwoGZXIvYXdzEXAMPLE//token", "ABSKQmVkcm9ja0FQSUtleQ-1"
SIGNATURE = "Eu+/ab==" + "x" * 3000
TOOL: Any = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


def text(words: str) -> wire.Json:
    return {"text": words}


def call(call_id: str, **arguments: Any) -> wire.Json:
    return {"toolUse": {"toolUseId": call_id, "name": "weather", "input": arguments}}


def thinking(words: str) -> wire.Json:
    return {"reasoningContent": {"reasoningText": {"text": words, "signature": SIGNATURE}}}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, vendor: Upstream) -> Iterator[Gateway]:
    signed = {
        "kind": "bedrock",
        "region": "eu-central-1",
        "base_url": vendor.url,
        "access_key_id": "${AWS_ID}",
        "secret_access_key": "${AWS_SECRET}",
        "session_token": "${AWS_TOKEN}",
    }
    bearer = {"kind": "bedrock", "region": "eu-central-1", "base_url": vendor.url, "api_key": "${AWS_BEARER}"}
    fresh = {f"fresh-{n}": {"provider": f"fresh-{n}", "name": "x.y-v1:0"} for n in range(20)}
    config = {
        "providers": {"aws": signed, "bearer": bearer, **dict.fromkeys(fresh, signed)},
        "models": {
            "sonnet": {"provider": "aws", "name": "eu.anthropic.claude-sonnet-4-5-v1:0"},
            "nova": {"provider": "bearer", "name": "amazon.nova-pro-v1:0"},
            **fresh,
        },
        "routes": {name: {"targets": [name], "attempts": 1} for name in ("sonnet", "nova", *fresh)},
    }
    home = tmp_path_factory.mktemp("gateway")
    env = {"AWS_ID": "AKIDEXAMPLE", "AWS_SECRET": SECRET, "AWS_TOKEN": TOKEN, "AWS_BEARER": BEARER}
    with Gateway(home, config, env=env) as running:
        yield running


@pytest.fixture(scope="module")
def fresh() -> Iterator[str]:
    """Return models of which nothing was learnt yet, one for each failure."""
    return iter([f"fresh-{n}" for n in range(20)])


def create(client: OpenAI, stream: bool, **fields: Any) -> Any:
    return ask_chat(client, stream, **{"model": "sonnet", **fields})


def message(client: Anthropic, stream: bool, **fields: Any) -> Any:
    return ask_message(client, stream, **{"model": "sonnet", "max_tokens": 50, **fields})


def script(vendor: Upstream, stream: bool, said: wire.Json) -> None:
    vendor.script(wire.streamed(said, list) if stream else json_reply(said, x_amzn_requestid="req-1"))


def expected_proof(request: Received, host: str) -> str:
    """Return the authorization that AWS's own library gives the request, at the time it names."""
    stamp = request.header("x-amz-date")
    signed = {name: request.header(name) or "" for name in ("content-type", "x-amz-date", "x-amz-security-token")}
    theirs = AWSRequest("POST", f"http://{host}{request.path}", headers={**signed, "host": host}, data=request.body)
    theirs.context["timestamp"] = stamp
    theirs.context["payload_signing_enabled"] = True
    signer = SigV4Auth(Credentials("AKIDEXAMPLE", SECRET, TOKEN), "bedrock", "eu-central-1")
    canonical = signer.canonical_request(theirs)
    signature = signer.signature(signer.string_to_sign(theirs, canonical), theirs)
    names = signer.signed_headers(signer.headers_to_sign(theirs))
    return f"AWS4-HMAC-SHA256 Credential={signer.scope(theirs)}, SignedHeaders={names}, Signature={signature}"


@BOTH
def test_text_comes_back_and_the_request_is_signed(
    client: OpenAI, vendor: Upstream, gateway: Gateway, stream: bool
) -> None:
    script(vendor, stream, wire.answer(text("Hé! 你好 \U0001f600")))
    answer = create(client, stream)
    assert answer.choices[0].message.content == "Hé! 你好 \U0001f600"
    assert answer.choices[0].finish_reason == "stop"
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (10, 5)
    (request,) = vendor.requests
    assert request.path == f"/model/eu.anthropic.claude-sonnet-4-5-v1%3A0/converse{'-stream' if stream else ''}"
    assert request.json()["messages"] == [{"role": "user", "content": [{"text": "Hello?"}]}]
    assert request.header("x-amz-security-token") == TOKEN
    assert request.header("authorization") == expected_proof(request, f"127.0.0.1:{vendor.port}")
    assert SECRET not in str(request.headers)
    record = gateway.journal()[-1]
    assert (record.outcome, record.status, record.finish) == ("ok", 200, "stop")
    assert record.usage is not None
    assert (record.usage.input, record.usage.output) == (10, 5)


def test_an_api_key_goes_as_a_bearer_and_nothing_is_signed(client: OpenAI, vendor: Upstream) -> None:
    vendor.script(json_reply(wire.answer(text("Hi"))))
    create(client, False, model="nova")
    (request,) = vendor.requests
    assert request.header("authorization") == f"Bearer {BEARER}"
    assert request.header("x-amz-date") is None


@BOTH
def test_parallel_calls_come_back_to_the_openai_sdk(client: OpenAI, vendor: Upstream, stream: bool) -> None:
    said = wire.answer(text("Looking."), call("t1", city="Köln"), call("t2", city="Oslo", n=1), stop="tool_use")
    script(vendor, stream, said)
    answer = create(client, stream, tools=[TOOL])
    assert answer.choices[0].finish_reason == "tool_calls"
    calls = answer.choices[0].message.tool_calls
    assert [(one.id, one.function.name) for one in calls] == [("t1", "weather"), ("t2", "weather")]
    assert [json.loads(one.function.arguments) for one in calls] == [{"city": "Köln"}, {"city": "Oslo", "n": 1}]


@BOTH
def test_thinking_goes_to_the_anthropic_sdk_and_back_byte_for_byte(
    claude: Anthropic, vendor: Upstream, stream: bool
) -> None:
    redacted = base64.b64encode(hashlib.sha256(b"x").digest()).decode()
    script(
        vendor,
        stream,
        wire.answer(thinking("Hm."), {"reasoningContent": {"redactedContent": redacted}}, text("So."), call("t1", a=1),
                    stop="tool_use"),
    )  # fmt: skip
    tools: Any = [{"name": "weather", "input_schema": {"type": "object", "properties": {}}}]
    answer = message(claude, stream, tools=tools, thinking={"type": "enabled", "budget_tokens": 1024}, max_tokens=2000)
    assert answer.stop_reason == "tool_use"
    assert [block.type for block in answer.content] == ["thinking", "redacted_thinking", "text", "tool_use"]
    assert (answer.content[0].signature, answer.content[1].data) == (SIGNATURE, redacted)
    vendor.script(json_reply(wire.answer(text("Done."))))
    turns = [
        *HELLO,
        {"role": "assistant", "content": [block.to_dict() for block in answer.content]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "warm"}]},
    ]
    assert message(claude, False, messages=turns, tools=tools).content[0].text == "Done."
    sent = vendor.requests[1].json()["messages"]
    assert sent[1]["content"][:2] == [thinking("Hm."), {"reasoningContent": {"redactedContent": redacted}}]
    assert sent[2]["content"] == [{"toolResult": {"toolUseId": "t1", "content": [{"text": "warm"}]}}]


@BOTH
def test_cached_tokens_and_the_stop_string_reach_the_anthropic_sdk(
    claude: Anthropic, vendor: Upstream, stream: bool
) -> None:
    usage = {
        "inputTokens": 4,
        "outputTokens": 2,
        "totalTokens": 66,
        "cacheReadInputTokens": 10,
        "cacheWriteInputTokens": 50,
    }
    more = {"additionalModelResponseFields": {"stop_sequence": "END"}}
    script(vendor, stream, wire.answer(text("Hi"), stop="stop_sequence", usage=usage, **more))
    answer = message(claude, stream, stop_sequences=["END"])
    assert (answer.stop_reason, answer.stop_sequence) == ("stop_sequence", "END")
    assert (answer.usage.input_tokens, answer.usage.cache_read_input_tokens) == (4, 10)
    assert (answer.usage.cache_creation_input_tokens, answer.usage.output_tokens) == (50, 2)


def test_the_first_word_comes_before_the_second_is_sent(client: OpenAI, vendor: Upstream) -> None:
    more = threading.Event()
    frames = [wire.event(*one) for one in wire.events(wire.answer(text("ab")), list)]
    head, *rest = wire.streamed(frames)
    vendor.script([head, *rest[:2], Wait(more), *rest[2:]])
    words = []
    for chunk in client.chat.completions.create(model="sonnet", messages=HELLO, stream=True):
        if chunk.choices and chunk.choices[0].delta.content:
            words.append(chunk.choices[0].delta.content)
            more.set()
    assert words == ["a", "b"]


def test_one_byte_a_write_is_the_same_answer(client: OpenAI, vendor: Upstream) -> None:
    frames = b"".join(wire.event(*one) for one in wire.events(wire.answer(text("Hi"))))
    vendor.script(wire.streamed([bytes([byte]) for byte in frames]))
    assert create(client, True).choices[0].message.content == "Hi"


@pytest.mark.parametrize(
    ("status", "name", "kind", "code"),
    [
        (429, "ThrottlingException", openai.RateLimitError, "upstream_rate_limited"),
        (403, "AccessDeniedException", openai.APIStatusError, "upstream_credential"),
        (400, "ValidationException", openai.BadRequestError, "upstream_refused"),
        (429, "ModelNotReadyException", openai.InternalServerError, "upstream_failed"),
    ],
)
def test_a_refusal_has_its_status_and_no_secret(
    client: OpenAI,
    vendor: Upstream,
    gateway: Gateway,
    fresh: Iterator[str],
    status: int,
    name: str,
    kind: Any,
    code: str,
) -> None:
    words = f"Bad {SECRET} {TOKEN} AKIDEXAMPLE arn:aws:bedrock:eu-central-1:123456789012:x"
    vendor.script(json_reply({"message": words}, status, x_amzn_errortype=f"{name}:http://internal.amazon.com/x"))
    with pytest.raises(kind) as caught:
        create(client, False, model=next(fresh))
    assert caught.value.code == code
    seen = str(caught.value.body) + gateway.log() + str(gateway.journal()[-1])
    for secret in (SECRET, TOKEN, "AKIDEXAMPLE", "123456789012"):
        assert secret not in seen


def test_an_exception_before_the_first_word_is_a_real_status(
    client: OpenAI, vendor: Upstream, fresh: Iterator[str]
) -> None:
    start = wire.event("messageStart", {"role": "assistant"})
    vendor.script(wire.streamed([start, wire.exception("throttlingException", "Slow down.")]))
    with pytest.raises(openai.RateLimitError):
        create(client, True, model=next(fresh))


def _broken_streams() -> dict[str, list[bytes]]:
    sound = [wire.event(*one) for one in wire.events(wire.answer(text("Hello there")), str.split)]
    spoilt = bytearray(sound[2])
    spoilt[-1] ^= 1
    return {
        "exception": [*sound[:2], wire.exception("modelStreamErrorException", "x")],
        "checksum": [*sound[:2], bytes(spoilt), *sound[3:]],
        "cut": [*sound[:2], sound[2][:9]],
        "unended": sound[:3],
    }


@pytest.mark.parametrize("how", list(_broken_streams()))
def test_a_stream_that_breaks_after_its_first_word_never_ends_well(
    claude: Anthropic, client: OpenAI, vendor: Upstream, fresh: Iterator[str], how: str
) -> None:
    frames = _broken_streams()[how]
    model = next(fresh)
    vendor.script(wire.streamed(frames), wire.streamed(frames))
    with pytest.raises(openai.APIError):
        create(client, True, model=model)
    with pytest.raises(anthropic.APIError):
        message(claude, True, model=model)


def test_a_connection_that_is_cut_never_ends_well(client: OpenAI, vendor: Upstream, fresh: Iterator[str]) -> None:
    steps = wire.streamed(wire.answer(text("Hi")))
    vendor.script([*steps[:3], Cut()])
    with pytest.raises(openai.APIError):
        create(client, True, model=next(fresh))


def test_a_web_page_in_place_of_a_stream_is_an_error(client: OpenAI, vendor: Upstream, fresh: Iterator[str]) -> None:
    vendor.script([Head(200, (("content-type", "text/plain"),)), Chunk(b"Welcome to the internet, all of it." * 3)])
    with pytest.raises(openai.InternalServerError):
        create(client, True, model=next(fresh))


def test_what_the_wire_cannot_say_is_the_callers_400(client: OpenAI, vendor: Upstream) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        create(client, False, seed=1)
    assert (caught.value.param, vendor.requests) == ("seed", [])
