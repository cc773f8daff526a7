"""Each vendor as it is asked and understood, over a real socket; a user's own vendor in a whole gateway."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from mainstay.core.answer import Answer
from mainstay.core.call import Ask, Call, Caller
from mainstay.core.clock import monotonic
from mainstay.core.errors import ContentFiltered, MainstayError, Unsupported, UpstreamFailed
from mainstay.core.events import Finished, FinishReason, Metered, Opaque, Started, TextDelta, ThinkingDelta
from mainstay.core.ports import Origin
from mainstay.core.record import Attempt, Record
from mainstay.core.target import Operation, Target
from mainstay.core.timeouts import Timeouts
from mainstay.providers.anthropic import AnthropicCodec
from mainstay.providers.anthropic import read_ask as read_messages
from mainstay.providers.http import Endpoint, HttpProvider
from mainstay.providers.openai import OpenAICodec, read_ask
from mainstay.providers.tasks.catalogue import make_task
from mainstay.providers.tasks.embeddings import read_embeddings
from mainstay.providers.vendors.catalogue import address, packaged_names, packaged_row
from mainstay.providers.vendors.codec import VendorCodec, make_vendor_codec, make_vendor_task, vendor_credentials
from mainstay.providers.vendors.row import VendorRow
from mainstay.providers.vendors.wires import make_codec
from mainstay.runtime.transport import open_transport
from support import cohere_wire, gemini_wire, messages_wire, responses_vendor
from support.gateway import Gateway, completion
from support.upstream import Received, Reply, Upstream, json_reply, sse

NAMES = packaged_names()
#: Where a wire has its key, if not as a bearer token.
OWN_HEADERS = {"anthropic": "x-api-key", "gemini": "x-goog-api-key"}
CHAT = [name for name in NAMES if packaged_row(name).wire == "openai"]
CALL = {"id": "call_0123456789", "type": "function", "function": {"name": "f", "arguments": "{}"}}
TALK: list[dict[str, Any]] = [
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": CALL["id"], "content": "1"},
]
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]


def asking(**fields: Any) -> Ask:
    return read_ask(json.dumps({"model": "m", "messages": TALK, **fields}).encode())


def tell(row: VendorRow, upstream: Upstream, ask: Ask, *, name: str = "up/stream-1") -> list[Any]:
    """Ask ``upstream`` as if it were the vendor; return the answer's events. Raises what the attempt raises."""
    codec = make_codec(row.wire)
    url, path = address(row, dict.fromkeys((key for key, value in row.parameters.items() if not value), "given"))
    headers = ((b"content-type", b"application/json"), *vendor_credentials(row, codec, "the-key-0123"))
    endpoint = Endpoint(Origin(upstream.host, upstream.port), urlsplit(url).path.encode(), headers)
    target = Target("m", "p", "vendor", name)
    now = monotonic()
    record = Record.opened("chat", "POST", "/v1/chat/completions")
    call = Call(ask, record, Caller("k"), "m", (), now, now + 10, Timeouts(total=10))

    async def main() -> list[Any]:
        transport = open_transport()
        try:
            provider = HttpProvider(make_vendor_codec(row, codec, path), endpoint, transport)
            return await _events(await provider.answer(call, target, Attempt("m", "p", "first")))
        finally:
            await transport.aclose()

    return asyncio.run(main())


async def _events(answer: Answer) -> list[Any]:
    if answer.whole is not None:
        return list(answer.whole.events)
    assert answer.frames is not None
    return [event async for batch in answer.frames for frame in batch for event in frame.events]


def _strict(row: VendorRow) -> Any:
    """Return a handler that answers as the vendor does: 400 for whatever its row says that it refuses."""

    def answer(request: Received) -> Any:
        body = request.json()
        wrong = [entry for entry in row.rejects if _has(body, entry)]
        wrong += [name for name in row.renames if name in body]
        wrong += [
            name
            for name in ("max_tokens", "max_completion_tokens")
            if name in body and row.limit not in ("either", name)
        ]
        wrong += ["null"] if row.drops_null and None in body.values() else []
        wrong += ["stream_options"] if not row.stream_options and "stream_options" in body else []
        if row.tool_id_length is not None:
            ids = [call["id"] for message in body["messages"] for call in message.get("tool_calls", ())]
            ids += [message["tool_call_id"] for message in body["messages"] if message["role"] == "tool"]
            wrong += [one for one in ids if len(one) != row.tool_id_length or not one.isalnum()]
        if wrong:
            return json_reply({"error": {"message": f"not taken: {wrong}"}}, 400)
        if row.wire == "anthropic":
            return Reply(
                200,
                (("content-type", "application/json"),),
                messages_wire.body(messages_wire.message({"type": "text", "text": "Hello."})),
            )
        if row.wire in ("gemini", "vertex"):
            return json_reply(gemini_wire.answer(gemini_wire.text("Hello.")))
        if row.wire == "cohere":
            return json_reply(cohere_wire.answer({"type": "text", "text": "Hello."}))
        if row.wire == "responses":
            return json_reply(responses_vendor.answer(responses_vendor.message(responses_vendor.part("Hello."))))
        return json_reply(completion("Hello."))

    return answer


def _has(body: Any, entry: str) -> bool:
    path, _, wanted = entry.partition("=")
    values = [body]
    for step in path.split("."):
        found = [
            value[step.removesuffix("[]")]
            for value in values
            if isinstance(value, dict) and step.removesuffix("[]") in value
        ]
        values = [item for value in found for item in value] if step.endswith("[]") else found
    return any(not wanted or json.dumps(value).strip('"') == wanted for value in values if value is not None)


def _given(entry: str) -> dict[str, Any]:
    """Return fields of a request that has what ``entry`` refuses."""
    path, _, value = entry.partition("=")
    if path == "messages[].name":
        return {"messages": [*TALK, {"role": "user", "content": "And?", "name": "Ann"}]}
    if path == "tool_choice.function":
        return {"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "f"}}}
    samples: dict[str, Any] = {
        "functions": [{"name": "f"}],
        "function_call": "auto",
        "modalities": ["text"],
        "audio": {"voice": "v", "format": "wav"},
        "metadata": {"a": "b"},
        "prediction": {"type": "content", "content": "x"},
        "top_logprobs": 2,
        "web_search_options": {},
        "store": True,
    }
    return {path: json.loads(value) if value in ("true", "false") else value or samples.get(path, "x"), "tools": TOOLS}


@pytest.mark.parametrize("name", NAMES)
def test_each_vendor_takes_what_it_is_sent_and_its_key_where_it_looks_for_it(name: str, upstream: Upstream) -> None:
    row = packaged_row(name)
    upstream.handler = _strict(row)
    fields: dict[str, Any] = {"temperature": 0.5, "max_completion_tokens": 9, "tools": TOOLS}
    if row.wire != "responses":
        fields["stop"] = ["x"]
    if row.wire == "openai":
        fields |= {"top_p": None, "seed": 3}
    events = tell(row, upstream, asking(**fields))
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "Hello."
    [request] = upstream.requests
    if row.auth == "header":
        assert request.header(row.key_header or "") == "the-key-0123"
        assert request.header("authorization") is None
    elif row.wire in OWN_HEADERS and row.auth == "wire":
        assert request.header(OWN_HEADERS[row.wire]) == "the-key-0123"
    else:
        assert request.header("authorization") == "Bearer the-key-0123"
        assert request.header("x-api-key") is None
    assert all(request.header(header) == value for header, value in row.headers.items())
    sent = request.json()
    if row.wire in ("gemini", "vertex"):
        assert sent["generationConfig"]["maxOutputTokens"] == 9
        return
    limits = {"max_tokens", "max_completion_tokens", "max_output_tokens"} & set(sent)
    assert [sent[limit] for limit in limits] == [9]
    assert row.limit in ("either", *limits)
    if row.wire == "openai":
        assert sent[row.renames.get("seed", "seed")] == 3


@pytest.mark.parametrize(("name", "entry"), [(name, entry) for name in NAMES for entry in packaged_row(name).rejects])
def test_what_each_vendor_refuses_is_refused_here_with_the_field_named_and_nothing_is_sent(
    name: str, entry: str, upstream: Upstream
) -> None:
    row = packaged_row(name)
    upstream.handler = _strict(row)
    fields = _given(entry)
    with pytest.raises(Unsupported) as caught:
        tell(row, upstream, asking(**fields))
    assert upstream.requests == []
    assert (caught.value.param or "").rpartition(".")[2] == entry.partition("=")[0].rpartition(".")[2]
    assert "'m'" in caught.value.message
    # The vendor as scripted would have refused it too.
    bare = row.model_copy(update={"rejects": ()})
    with pytest.raises(MainstayError, match="not taken"):
        tell(bare, upstream, asking(**fields))


@pytest.mark.parametrize("name", CHAT)
def test_a_caller_of_anthropics_wire_is_taken_by_each(name: str, upstream: Upstream) -> None:
    row = packaged_row(name)
    upstream.handler = _strict(row)
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}], "metadata": {}}
    events = tell(row, upstream, read_messages(json.dumps(body).encode()))
    assert any(isinstance(event, Finished) for event in events)


def _chunk(delta: dict[str, Any], finish: str | None = None, **choice: Any) -> dict[str, Any]:
    choices = [{"index": 0, "delta": delta, "finish_reason": finish, **choice}]
    return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m-1", "choices": choices}


USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}


@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("groq", {**_chunk({}, "stop"), "x_groq": {"id": "r", "usage": USAGE}}),
        ("moonshot", _chunk({}, "stop", usage=USAGE)),
        ("mistral", {**_chunk({}, "stop"), "usage": USAGE}),
        ("perplexity", {**_chunk({}, "stop"), "usage": USAGE, "citations": ["https://a.example"]}),
        ("deepseek", {**_chunk({}, "stop"), "usage": {**USAGE, "prompt_cache_hit_tokens": 4}}),
    ],
)
def test_the_usage_of_a_stream_is_found_where_the_vendor_puts_it(name: str, last: Any, upstream: Upstream) -> None:
    upstream.script(sse(_chunk({"role": "assistant", "content": "Hi"}), last))
    events = tell(packaged_row(name), upstream, asking(stream=True))
    [usage] = [event.usage for event in events if isinstance(event, Metered)]
    assert (usage.input, usage.output, usage.cache_read) == (5, 2, 4 if name == "deepseek" else 0)
    kept = b"".join(bytes(event.payload) for event in events if isinstance(event, Opaque))
    assert (b"citations" in kept) == (name == "perplexity")


@pytest.mark.parametrize(
    ("name", "delta"),
    [
        ("groq", {"reasoning": "why"}),
        ("deepseek", {"reasoning_content": "why"}),
        ("mistral", {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "why"}]}]}),
    ],
)
def test_reasoning_is_reasoning_wherever_the_vendor_puts_it(name: str, delta: Any, upstream: Upstream) -> None:
    upstream.script(sse(_chunk(delta), _chunk({"content": "so"}), _chunk({}, "stop")))
    events = tell(packaged_row(name), upstream, asking(stream=True))
    assert [event.text for event in events if isinstance(event, ThinkingDelta)] == ["why"]
    assert [event.text for event in events if isinstance(event, TextDelta)] == ["so"]


def test_zhipus_words_for_an_end_are_translated(upstream: Upstream) -> None:
    row = packaged_row("zhipu")
    upstream.script(sse(_chunk({"content": "x"}), _chunk({}, "sensitive")))
    assert FinishReason.FILTERED in [
        e.reason for e in tell(row, upstream, asking(stream=True)) if isinstance(e, Finished)
    ]
    said = completion("x")
    said["choices"][0]["finish_reason"] = "network_error"
    upstream.script(json_reply(said))
    with pytest.raises(UpstreamFailed):
        tell(row, upstream, asking())


@pytest.mark.parametrize("stream", [False, True])
def test_minimaxs_error_under_status_200_is_an_error(stream: bool, upstream: Upstream) -> None:
    body = {"id": "1", "choices": None, "base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}}
    upstream.script(sse(body, done=False) if stream else json_reply(body))
    with pytest.raises(MainstayError) as caught:
        tell(packaged_row("minimax"), upstream, asking(stream=stream))
    assert caught.value.code == "upstream_quota"


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("azure", "/openai/v1/chat/completions"),
        ("azure-deployments", "/openai/deployments/my%20gpt/chat/completions?api-version=2024-10-21"),
        ("azure-models", "/models/chat/completions?api-version=2024-05-01-preview"),
        ("azure-anthropic", "/anthropic/v1/messages"),
    ],
)
def test_azures_forms_have_their_paths(name: str, path: str, upstream: Upstream) -> None:
    row = packaged_row(name)
    upstream.handler = _strict(row)
    tell(row, upstream, asking(), name="my gpt")
    [request] = upstream.requests
    assert request.path == path
    assert request.json()["model"] == "my gpt"


def test_azures_verdict_on_the_prompt_comes_before_the_answer_and_is_kept(upstream: Upstream) -> None:
    verdict = [{"prompt_index": 0, "content_filter_results": {"hate": {"filtered": False, "severity": "safe"}}}]
    opening = {"id": "", "object": "", "created": 0, "model": "", "choices": [], "prompt_filter_results": verdict}
    stopped = _chunk({}, "content_filter", content_filter_results={"hate": {"filtered": True}})
    upstream.script(sse(opening, _chunk({"role": "assistant", "content": "x"}), stopped))
    events = tell(packaged_row("azure"), upstream, asking(stream=True))
    assert [(event.id, event.model) for event in events if isinstance(event, Started)] == [("c1", "m-1")]
    assert [event.reason for event in events if isinstance(event, Finished)] == [FinishReason.FILTERED]
    kept = b"".join(bytes(event.payload) for event in events if isinstance(event, Opaque))
    assert b"prompt_filter_results" in kept
    assert b'{"choice":{"content_filter_results":{"hate": {"filtered": true}}}}' in kept


def test_azures_refusal_of_a_prompt_is_content_filter_with_its_verdict(upstream: Upstream) -> None:
    found = {"violence": {"filtered": True, "severity": "medium"}}
    inner = {"code": "ResponsibleAIPolicyViolation", "content_filter_result": found}
    fault = {"message": "The response was filtered", "param": "prompt", "code": "content_filter", "innererror": inner}
    upstream.script(json_reply({"error": {**fault, "status": 400, "type": None}}, 400))
    with pytest.raises(ContentFiltered) as caught:
        tell(packaged_row("azure-deployments"), upstream, asking())
    assert caught.value.extra == {"content_filter_results": found}


@pytest.mark.parametrize(
    ("status", "code", "name"),
    [
        (404, "DeploymentNotFound", "upstream_not_found"),
        (401, "401", "upstream_credential"),
        (429, "429", "upstream_rate_limited"),
    ],
)
def test_azures_other_errors_are_the_operators_or_pass(status: int, code: str, name: str, upstream: Upstream) -> None:
    upstream.script(json_reply({"error": {"code": code, "message": "The API deployment does not exist."}}, status))
    with pytest.raises(MainstayError) as caught:
        tell(packaged_row("azure"), upstream, asking())
    assert caught.value.code == name


def test_a_vendor_without_differences_gets_the_wires_own_codec() -> None:
    plain = make_codec("openai")
    assert make_vendor_codec(packaged_row("openrouter"), plain, None) is plain
    assert isinstance(make_vendor_codec(packaged_row("groq"), plain, None), VendorCodec)


def test_a_codec_with_differences_keeps_its_dialect_and_its_credentials() -> None:
    for codec in (OpenAICodec(), AnthropicCodec()):
        wrapped = make_vendor_codec(VendorRow(base_url="https://a.example", rejects=("x",)), codec, None)
        assert wrapped.dialect is codec.dialect
        assert wrapped.credentials("k") == codec.credentials("k")


@pytest.mark.parametrize(
    ("fields", "headers"),
    [
        ({}, ((b"authorization", b"Bearer k"),)),
        ({"auth": "none", "headers": {"x-a": "b"}}, ((b"x-a", b"b"),)),
        ({"auth": "header", "key_header": "x-key"}, ((b"x-key", b"k"),)),
        (
            {"wire": "anthropic", "auth": "bearer"},
            ((b"anthropic-version", b"2023-06-01"), (b"authorization", b"Bearer k")),
        ),
    ],
)
def test_the_key_goes_where_the_row_says(fields: dict[str, Any], headers: Any) -> None:
    row = VendorRow.model_validate({"base_url": "https://a.example", **fields})
    assert vendor_credentials(row, make_codec(row.wire), "k") == headers


# A user's own vendor, in a whole gateway.


@pytest.fixture
def acme() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


def test_a_vendor_that_a_user_adds_works_from_end_to_end(tmp_path: Path, acme: Upstream) -> None:
    row = {
        "base_url": f"http://127.0.0.1:{acme.port}/{{region}}/v1",
        "path": "/models/{model}/chat?v={version}",
        "parameters": {"region": "eu", "version": "1"},
        "auth": "header",
        "key_header": "X-Acme-Key",
        "limit": "max_tokens",
        "rejects": ["user", "messages[].name"],
        "renames": {"seed": "random_seed"},
        "usage": ["meta.usage"],
        "errors": {"E42": "rate"},
        "can": ["tools", "seed"],
    }
    config = {
        "vendors": {"acme": row},
        "providers": {"a": {"kind": "acme", "api_key": "acme-key-1234", "parameters": {"region": "us"}}},
        "models": {"m": {"provider": "a", "name": "big/one"}},
    }
    said = completion("Hello.")
    said["meta"] = {"usage": said.pop("usage")}
    acme.handler = lambda _: json_reply(said)
    with Gateway(tmp_path, config) as gateway:
        client = httpx.Client(headers={"authorization": f"Bearer {gateway.key}"}, timeout=30)

        def ask(**fields: Any) -> httpx.Response:
            body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], **fields}
            return client.post(f"{gateway.url}/v1/chat/completions", json=body)

        with client:
            answer = ask(seed=7, max_completion_tokens=5)
            assert answer.json()["choices"][0]["message"]["content"] == "Hello."
            assert answer.json()["usage"] == {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
            [request] = acme.requests
            assert request.path == "/us/v1/models/big/one/chat?v=1"
            assert request.header("x-acme-key") == "acme-key-1234"
            assert {key: request.json().get(key) for key in ("random_seed", "seed", "max_tokens")} == {
                "random_seed": 7,
                "seed": None,
                "max_tokens": 5,
            }
            refused = ask(user="u")
            assert (refused.status_code, refused.json()["error"]["param"]) == (400, "user")
            assert refused.json()["error"]["code"] == "unsupported_by_model"
            lacking = ask(logprobs=True)
            assert (lacking.status_code, lacking.json()["error"]["param"]) == (400, "logprobs")
            assert len(acme.requests) == 1
            acme.handler = lambda _: json_reply({"code": "E42", "message": "slow"}, 400)
            assert ask().status_code == 429
        gateway.until(lambda: len(gateway.journal()) == 4)
        assert gateway.journal()[0].vendor == "acme"


def test_mistral_calls_the_length_of_its_vectors_otherwise() -> None:
    row, target = packaged_row("mistral"), Target("m", "p", "mistral_ai", "codestral-embed")
    task = make_vendor_task(row, Operation.EMBEDDING, make_task("openai", Operation.EMBEDDING))
    asked = {"model": "m", "input": "Hi", "dimensions": 2, "encoding_format": None}
    ask = read_embeddings(json.dumps(asked).encode())
    path, body = task.about(ask, target).request(ask, target, stream=False)
    assert path == b"/embeddings"
    assert json.loads(body) == {"model": "codestral-embed", "input": "Hi", "output_dimension": 2}
    ask = read_embeddings(json.dumps({**asked, "user": "u"}).encode())
    with pytest.raises(Unsupported) as caught:
        task.about(ask, target).request(ask, target, stream=False)
    assert caught.value.param == "user"


def test_a_task_without_differences_is_the_task_itself() -> None:
    task = make_task("openai", Operation.EMBEDDING)
    assert make_vendor_task(packaged_row("groq"), Operation.EMBEDDING, task) is task
    assert make_vendor_task(packaged_row("mistral"), Operation.TRANSCRIPTION, task) is task
