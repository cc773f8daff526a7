"""The official OpenAI SDK against a running gateway in front of a scripted OpenAI-compatible server."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI

from support.gateway import Gateway, completion, sse_chunks
from support.upstream import Chunk, Cut, Head, Reply, Reset, Silence, Upstream, Wait, json_reply

HELLO: list[Any] = [{"role": "user", "content": "Hello?"}]


@pytest.fixture(scope="module")
def vendor() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, vendor: Upstream) -> Iterator[Gateway]:
    config = {
        "providers": {"vendor": {"kind": "openai", "base_url": f"{vendor.url}/v1", "api_key": "${UPSTREAM_KEY}"}},
        "models": {
            "gpt-4o-mini": {"provider": "vendor"},
            "fast": {"provider": "vendor", "name": "gpt-4o-mini"},
            "plain": {"provider": "vendor", "lacks": ["images", "tools"]},
            "spare": {"provider": "vendor", "name": "spare-model"},
            # Rows of their own for what is remembered of a model: its failures, and what it asked for.
            **{name: {"provider": "vendor", "name": "gpt-4o-mini"} for name in ("limited", "failing", "sorry")},
        },
        "routes": {
            "assistant": {
                "targets": ["fast"],
                "attempts": 1,
                "timeouts": {"headers": "5s", "first_token": "5s", "idle": "5s"},
            },
            "kept": {"targets": ["fast"], "content": "full"},
            "limited": {"targets": ["limited"], "attempts": 1},
            "backed": {"targets": ["failing"], "fallback": ["spare"], "attempts": 2, "stream_upstream": "never"},
            "impatient": {
                "targets": ["fast"],
                "attempts": 1,
                "timeouts": {"headers": "300ms", "first_token": "300ms", "idle": "300ms"},
            },
            "consoled": {"targets": ["sorry"], "attempts": 1, "last_resort": "Back in a minute."},
        },
    }
    home = tmp_path_factory.mktemp("gateway")
    with Gateway(home, config, env={"UPSTREAM_KEY": "sk-upstream-secret"}) as running:
        yield running


@pytest.fixture
def client(gateway: Gateway, vendor: Upstream) -> Iterator[OpenAI]:
    vendor.forget()
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0) as sdk:
        yield sdk


def last_record(gateway: Gateway, count: int = 1) -> Any:
    return gateway.journal()[-count]


def test_a_whole_answer_comes_back_as_the_upstream_wrote_it(client: OpenAI, vendor: Upstream) -> None:
    body = completion("Hi!", novelty={"kept": [1, 2.0]})
    vendor.script(json_reply(body))
    answer = client.chat.completions.with_raw_response.create(model="assistant", messages=HELLO)
    assert json.loads(answer.content) == body
    assert answer.parse().choices[0].message.content == "Hi!"
    assert answer.headers["x-mainstay-route"] == "assistant"
    assert answer.headers["x-mainstay-model"] == "fast"
    assert answer.headers["x-mainstay-provider"] == "vendor"
    assert answer.headers["x-mainstay-attempts"] == "1"
    assert answer.headers["x-mainstay-cache"] == "off"
    assert float(answer.headers["x-mainstay-overhead-ms"]) >= 0
    assert len(answer.headers["x-request-id"]) == 36


def test_the_upstream_gets_its_own_key_and_model_name_and_every_other_field_as_sent(
    client: OpenAI, vendor: Upstream
) -> None:
    vendor.script(json_reply(completion('{"a": 1}')))
    client.chat.completions.create(
        model="assistant",
        messages=[
            {"role": "developer", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}},
                ],
            },
        ],
        n=2,
        stop=["\n"],
        logprobs=True,
        top_logprobs=2,
        seed=12345678901234567890,
        response_format={"type": "json_object"},
        tools=[{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}],
        extra_body={"novel_field": {"x": 1.0, "y": None}},
        extra_headers={"idempotency-key": "abc", "x-evil": "1"},
    )
    (request,) = vendor.requests
    sent = request.json()
    assert request.path == "/v1/chat/completions"
    assert request.header("authorization") == "Bearer sk-upstream-secret"
    assert request.header("idempotency-key") == "abc"
    assert request.header("x-evil") is None
    assert sent["model"] == "gpt-4o-mini"
    assert sent["novel_field"] == {"x": 1.0, "y": None}
    assert sent["seed"] == 12345678901234567890
    assert b'"x":1.0' in request.body.replace(b" ", b"")
    assert sent["messages"][1]["content"][1]["image_url"] == {"url": "data:image/png;base64,AAAA", "detail": "low"}
    assert sent["n"] == 2
    assert sent["stop"] == ["\n"]
    assert sent["top_logprobs"] == 2


def test_a_stream_arrives_word_by_word_and_hides_the_usage_nobody_asked_for(client: OpenAI, vendor: Upstream) -> None:
    vendor.script([Head(200), *map(Chunk, sse_chunks("One", " two", " three"))])
    chunks = list(client.chat.completions.create(model="assistant", messages=HELLO, stream=True))
    assert [c.choices[0].delta.content for c in chunks if c.choices and c.choices[0].delta.content] == [
        "One",
        " two",
        " three",
    ]
    assert all(c.choices for c in chunks)
    assert all(c.usage is None for c in chunks)
    assert vendor.requests[0].json()["stream_options"] == {"include_usage": True}


def test_usage_comes_last_when_it_was_asked_for(client: OpenAI, vendor: Upstream) -> None:
    vendor.script([Head(200), *map(Chunk, sse_chunks("One", " two"))])
    chunks = list(
        client.chat.completions.create(
            model="assistant", messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
    )
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 11
    assert chunks[-1].choices == []


def test_the_first_event_is_here_before_the_upstream_sends_the_second(client: OpenAI, vendor: Upstream) -> None:
    events = sse_chunks("One", " two")
    seen = threading.Event()
    vendor.script([Head(200), Chunk(events[0] + events[1]), Wait(seen), *map(Chunk, events[2:])])
    stream = client.chat.completions.create(model="assistant", messages=HELLO, stream=True)
    words = []
    for chunk in stream:
        if chunk.choices and chunk.choices[0].delta.content:
            words.append(chunk.choices[0].delta.content)
            # Only now may the upstream go on: were the stream buffered, this would never be reached.
            seen.set()
    assert words == ["One", " two"]


def test_tool_calls_come_through_streamed_in_pieces(client: OpenAI, vendor: Upstream) -> None:
    def chunk(delta: dict[str, Any], finish: str | None = None) -> Chunk:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return Chunk(
            b"data: "
            + json.dumps(
                {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
            ).encode()
            + b"\n\n"
        )

    def call(index: int, **fields: Any) -> dict[str, Any]:
        return {"tool_calls": [{"index": index, **fields}]}

    vendor.script(
        [
            Head(200),
            chunk({"role": "assistant", "content": None}),
            chunk(call(0, id="a", type="function", function={"name": "get", "arguments": ""})),
            chunk(call(0, function={"arguments": '{"x": "\\u00'})),
            chunk(call(1, id="b", type="function", function={"name": "put", "arguments": "{}"})),
            chunk(call(0, function={"arguments": 'e9"}'})),
            chunk({}, "tool_calls"),
            Chunk(b"data: [DONE]\n\n"),
        ]
    )
    with client.chat.completions.stream(model="assistant", messages=HELLO) as stream:
        final = stream.get_final_completion()
    calls = final.choices[0].message.tool_calls
    assert calls is not None
    assert [(c.id, c.function.name, c.function.arguments) for c in calls] == [  # type: ignore[union-attr]  # functions
        ("a", "get", '{"x": "\\u00e9"}'),
        ("b", "put", "{}"),
    ]
    assert final.choices[0].finish_reason == "tool_calls"


def test_the_models_are_those_this_key_may_call(client: OpenAI, gateway: Gateway) -> None:
    names = [model.id for model in client.models.list()]
    assert "assistant" in names
    assert "gpt-4o-mini" in names
    assert client.models.retrieve("fast").owned_by == "vendor"
    narrow = gateway.keys.create("narrow", routes=("kept",)).key
    gateway.keys.publish()
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=narrow, max_retries=0) as other:

        def known() -> bool:
            try:
                return [m.id for m in other.models.list()] == ["kept"]
            except openai.AuthenticationError:
                return False

        gateway.until(known)
        with pytest.raises(openai.PermissionDeniedError, match="may not call 'assistant'"):
            other.chat.completions.create(model="assistant", messages=HELLO)


def test_an_unknown_model_is_a_404_that_names_near_ones(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="asistant", messages=HELLO)
    assert caught.value.code == "model_not_found"
    assert caught.value.param == "model"
    assert "'assistant'" in caught.value.message


def test_what_a_model_lacks_is_refused_with_the_field_named(client: OpenAI, vendor: Upstream) -> None:
    image = [{"type": "image_url", "image_url": {"url": "https://example.com/x.png"}}]
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="plain", messages=[{"role": "user", "content": image}])  # type: ignore[typeddict-item]  # a list of dicts will do
    assert caught.value.code == "unsupported_by_model"
    assert vendor.requests == []


def test_the_callers_own_mistake_is_told_in_the_upstreams_words(client: OpenAI, vendor: Upstream) -> None:
    error = {
        "message": "temperature must be at most 2",
        "type": "invalid_request_error",
        "param": "temperature",
        "code": None,
    }
    vendor.script(json_reply({"error": error}, status=400))
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="assistant", messages=HELLO, temperature=9)
    assert "temperature must be at most 2" in caught.value.message
    assert caught.value.param == "temperature"


@pytest.mark.parametrize("status", [401, 403])
def test_a_bad_upstream_key_is_not_the_callers_fault(client: OpenAI, vendor: Upstream, status: int) -> None:
    body = {
        "error": {"message": "Incorrect API key provided: sk-upstream-secret", "type": "x", "code": "invalid_api_key"}
    }
    vendor.script(json_reply(body, status=status))
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model="assistant", messages=HELLO)
    assert caught.value.status_code == 502
    assert caught.value.code == "upstream_credential"
    assert "secret" not in str(caught.value.body)


def test_a_429_carries_retry_after(client: OpenAI, vendor: Upstream) -> None:
    vendor.script(json_reply({"error": {"message": "slow down"}}, 429, **{"retry-after": "7"}))
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model="limited", messages=HELLO)
    assert caught.value.response.headers["retry-after"] == "7"


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply(200, (("content-type", "text/html"),), b"<html>login</html>"), "upstream_broken"),
        (json_reply({"message": "Network connection lost."}), "upstream_broken"),
        (Reply(200, (("content-type", "application/json"),), b"{"), "upstream_broken"),
        (Reply(302, (("location", "https://example.com"),)), "upstream_broken"),
        (Reply(503, (), b"no healthy upstream"), "upstream_failed"),
        (Reset(), "upstream_unreachable"),
        (b"SSH-2.0-OpenSSH\r\n", "upstream_broken"),
    ],
    ids=["html", "no answer", "half a body", "redirect", "503", "reset", "not http"],
)
def test_an_answer_that_is_none_is_an_error_with_a_reason(
    client: OpenAI, vendor: Upstream, gateway: Gateway, reply: Any, code: str
) -> None:
    # A reset may be answered by one fresh try: the script covers it.
    vendor.script(reply, reply)
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model="assistant", messages=HELLO)
    assert caught.value.code == code
    record = last_record(gateway)
    assert (record.outcome, record.error) == ("failed", code)
    assert record.attempts[0].outcome == code


def test_a_stream_that_breaks_ends_in_an_error_and_never_in_done(
    client: OpenAI, vendor: Upstream, gateway: Gateway
) -> None:
    vendor.script([Head(200), *map(Chunk, sse_chunks("One", finish=None, usage=False, done=False)), Cut()])
    words = []
    with pytest.raises(openai.APIError) as caught:
        for chunk in client.chat.completions.create(model="assistant", messages=HELLO, stream=True):
            words.append(chunk.choices[0].delta.content)
    assert "One" in words
    assert caught.value.code == "upstream_interrupted"
    record = last_record(gateway)
    assert (record.outcome, record.error, record.status) == ("failed", "upstream_interrupted", 200)


def test_a_clean_end_without_a_finish_reason_is_no_success(client: OpenAI, vendor: Upstream) -> None:
    vendor.script([Head(200), *map(Chunk, sse_chunks("One", finish=None, usage=False, done=False))])
    with pytest.raises(openai.APIError):
        list(client.chat.completions.create(model="assistant", messages=HELLO, stream=True))


def test_an_error_in_the_first_event_is_still_a_status(client: OpenAI, vendor: Upstream) -> None:
    vendor.script(
        [Head(200), Chunk(b'data: {"error": {"message": "overloaded", "type": "server_error", "code": 503}}\n\n')]
    )
    with pytest.raises(openai.InternalServerError):
        client.chat.completions.create(model="assistant", messages=HELLO, stream=True)


def test_a_silent_upstream_is_given_up_in_time(client: OpenAI, vendor: Upstream) -> None:
    vendor.script([Silence()])
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model="impatient", messages=HELLO)
    assert (caught.value.status_code, caught.value.code) == (504, "upstream_timeout")
    vendor.script([Head(200), Chunk(sse_chunks()[0]), Silence()])
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model="impatient", messages=HELLO, stream=True)
    assert caught.value.code == "upstream_timeout"


def test_a_stream_that_falls_silent_ends_in_an_error(client: OpenAI, vendor: Upstream) -> None:
    vendor.script([Head(200), *map(Chunk, sse_chunks("One")[:2]), Silence()])
    with pytest.raises(openai.APIError) as caught:
        list(client.chat.completions.create(model="impatient", messages=HELLO, stream=True))
    assert caught.value.code == "upstream_interrupted"


def test_the_fallback_answers_and_both_attempts_are_told(client: OpenAI, vendor: Upstream, gateway: Gateway) -> None:
    vendor.script(Reply(503), json_reply(completion("From the spare.", model="spare-model")))
    answer = client.chat.completions.with_raw_response.create(model="backed", messages=HELLO)
    assert answer.headers["x-mainstay-attempts"] == "2"
    assert answer.headers["x-mainstay-model"] == "spare"
    assert answer.parse().model == "spare-model"
    record = last_record(gateway)
    assert [(a.target, a.cause, a.outcome) for a in record.attempts] == [
        ("failing", "first", "upstream_failed"),
        ("spare", "fallback", "ok"),
    ]


@pytest.mark.parametrize("stream", [False, True])
def test_a_route_may_have_last_words(client: OpenAI, vendor: Upstream, stream: bool) -> None:
    vendor.script(Reply(503))
    if stream:
        chunks = client.chat.completions.create(model="consoled", messages=HELLO, stream=True)
        text = "".join(c.choices[0].delta.content or "" for c in chunks)
    else:
        text = client.chat.completions.create(model="consoled", messages=HELLO).choices[0].message.content or ""
    assert text == "Back in a minute."


def test_bodies_are_kept_only_where_the_route_says_so(client: OpenAI, vendor: Upstream, gateway: Gateway) -> None:
    vendor.script(json_reply(completion("Secret answer.")), json_reply(completion("Secret answer.")))
    client.chat.completions.create(model="assistant", messages=[{"role": "user", "content": "Secret question."}])
    assert last_record(gateway).content is None
    client.chat.completions.create(model="kept", messages=[{"role": "user", "content": "Secret question."}])
    content = last_record(gateway).content
    assert "Secret question." in content.request
    assert "Secret answer." in content.response
    assert "Secret" not in gateway.log()


def test_the_record_tells_the_whole_call(client: OpenAI, vendor: Upstream, gateway: Gateway) -> None:
    vendor.script(json_reply(completion("Hi!")))
    client.chat.completions.create(model="assistant", messages=HELLO, extra_headers={"x-request-id": "my-own-id"})
    record = last_record(gateway)
    assert record.request_id == "my-own-id"
    assert record.id[14] == "7"
    assert (record.key, record.asked, record.route, record.target) == ("test", "assistant", "assistant", "fast")
    assert (record.outcome, record.status, record.finish) == ("ok", 200, "stop")
    assert (record.usage.input, record.usage.output) == (9, 3)
    assert record.served == "gpt-4o-mini-2024-07-18"
    assert record.total_ms > 0
    assert record.config
    assert record.cost_usd == "0.00000315"


def leave_and_wait(gateway: Gateway, vendor: Upstream, stream: bool, seen: bytes = b"") -> Any:
    """Leave a call once it is at the upstream and ``seen`` has come of its answer; return its record."""
    came = len(vendor.requests) + 1
    body = {"model": "assistant", "messages": HELLO, "stream": stream}
    with gateway.asking("/v1/chat/completions", body, f"leaver-{stream}") as sock:
        vendor.wait_for(came)
        read = b""
        while seen not in read:
            read += sock.recv(65536)
    assert vendor.requests[-1].closed.wait(60)
    gateway.until(lambda: any(r.request_id == f"leaver-{stream}" for r in gateway.journal()))
    return next(r for r in gateway.journal() if r.request_id == f"leaver-{stream}")


def test_a_caller_who_leaves_while_waiting_stops_the_upstream(
    client: OpenAI, gateway: Gateway, vendor: Upstream
) -> None:
    vendor.script([Silence()])
    record = leave_and_wait(gateway, vendor, False)
    assert (record.outcome, record.status) == ("gone", 499)
    assert record.attempts[0].outcome == "caller_gone"


def test_a_caller_who_leaves_a_stream_stops_the_upstream(client: OpenAI, gateway: Gateway, vendor: Upstream) -> None:
    vendor.script([Head(200), *map(Chunk, sse_chunks("One")[:2]), Silence()])
    record = leave_and_wait(gateway, vendor, True, b"One")
    assert (record.outcome, record.error) == ("gone", "caller_gone")
    assert record.first_ms is not None
