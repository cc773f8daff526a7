"""The headers of answers and errors, and those that go up, over real sockets; and how often a client asks again."""

import gzip
import json
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx
import openai
import pytest
from anthropic import Anthropic
from openai import OpenAI

from support import messages_wire as wire
from support.gateway import Gateway, completion, sse_chunks
from support.upstream import Chunk, Head, Reply, Silence, Steps, Upstream, json_reply

HELLO: Any = [{"role": "user", "content": "Hello?"}]
CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
#: Rows of their own for what is remembered of a model.
PLENTY = [f"m{number}" for number in range(20)]
OURS = [f"x-mainstay-{name}" for name in ("route", "model", "provider", "attempts", "cache", "cost-usd", "overhead-ms")]


@pytest.fixture(scope="module")
def vendor() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, vendor: Upstream) -> Iterator[Gateway]:
    models: dict[str, Any] = {name: {"provider": "vendor", "name": f"up-{name}"} for name in PLENTY}
    models |= {f"c{name}": {"provider": "claude", "name": f"up-{name}"} for name in PLENTY}
    models["narrow"] = {"provider": "vendor", "concurrency": 1}
    config = {
        "overload": {"queue": 0},
        "providers": {
            "vendor": {"kind": "openai", "base_url": f"{vendor.url}/v1", "api_key": "k"},
            "claude": {"kind": "anthropic", "base_url": vendor.url, "api_key": "k"},
        },
        "models": models,
        "routes": {
            **{f"only-{name}": {"targets": [name], "attempts": 1} for name in models},
            "backed": {"targets": ["m18"], "fallback": ["m19"], "attempts": 2},
            "crossing": {"targets": ["cm18"], "fallback": ["m17"], "attempts": 2},
        },
    }
    with Gateway(tmp_path_factory.mktemp("gateway"), config) as running:
        yield running


@pytest.fixture
def http(gateway: Gateway, vendor: Upstream) -> Iterator[httpx.Client]:
    vendor.forget()
    headers = {"authorization": f"Bearer {gateway.key}"}
    with httpx.Client(base_url=gateway.url, headers=headers, timeout=60) as client:
        yield client


def chat(
    http: httpx.Client, model: str, *, stream: bool = False, headers: dict[str, str] | None = None
) -> httpx.Response:
    return http.post(CHAT, json={"model": model, "messages": HELLO, "stream": stream}, headers=headers)


HELPFUL = {
    "x-ratelimit-limit-requests": "60",
    "x-ratelimit-remaining-tokens": "7",
    "x-ratelimit-reset-tokens": "6m0s",
    "anthropic-ratelimit-requests-remaining": "3",
    "openai-processing-ms": "12",
}
UNHELPFUL = {
    "set-cookie": "session=1",
    "server": "acme",
    "keep-alive": "timeout=5",
    "proxy-authenticate": "Basic",
    "trailer": "x-late",
    "x-internal-node": "gpu-7",
    "openai-organization": "org-1",
    "alt-svc": 'h3=":443"',
}
PASSED = {**HELPFUL, **UNHELPFUL, "request-id": "req_up"}


def check_passed(answer: httpx.Response) -> None:
    found = answer.headers
    assert {name: found.get(name) for name in HELPFUL} == HELPFUL
    assert found["x-upstream-request-id"] == "req_up"
    assert found["x-request-id"] != "req_up"
    assert not set(UNHELPFUL) & set(found)
    assert len(found.get_list("content-type")) == 1


@pytest.mark.parametrize("shape", ["whole", "compressed", "chunked", "stream"])
def test_of_an_upstreams_headers_only_those_that_help_come_through(
    http: httpx.Client, vendor: Upstream, shape: str
) -> None:
    plain = (("content-type", "application/json"), *PASSED.items())
    body = json.dumps(completion("Hi!")).encode()
    answers: dict[str, Steps] = {
        "whole": Reply(200, plain, body),
        "compressed": Reply(200, (*plain, ("content-encoding", "gzip")), gzip.compress(body)),
        "chunked": [Head(200, plain), Chunk(body)],
        "stream": [Head(200, (("content-type", "text/event-stream"), *PASSED.items())), *map(Chunk, sse_chunks("Hi!"))],
    }
    vendor.script(answers[shape])
    answer = chat(http, "only-m0", stream=shape == "stream")
    assert answer.status_code == 200
    check_passed(answer)
    assert "content-encoding" not in answer.headers
    if shape == "stream":
        assert answer.headers["transfer-encoding"] == "chunked"
        assert answer.text.endswith("data: [DONE]\n\n")
    else:
        # The length is of what is sent here.
        assert int(answer.headers["content-length"]) == len(answer.content)
        assert answer.json()["choices"][0]["message"]["content"] == "Hi!"


@pytest.mark.parametrize(("status", "model"), [(429, "m1"), (503, "m2"), (400, "m3"), (500, "m4")])
def test_errors_carry_the_upstreams_limits_too(http: httpx.Client, vendor: Upstream, status: int, model: str) -> None:
    error = {"error": {"message": "no", "type": "x"}}
    vendor.script(Reply(status, tuple(PASSED.items()), json.dumps(error).encode()))
    answer = chat(http, f"only-{model}")
    check_passed(answer)
    assert ("retry-after" in answer.headers) == (status in (429, 503))


def test_the_wait_an_upstream_names_reaches_the_caller_in_seconds_and_milliseconds(
    http: httpx.Client, vendor: Upstream
) -> None:
    cases: list[tuple[str, int, dict[str, str], str, str | None]] = [
        ("m5", 429, {"retry-after": "7"}, "7", "7000"),
        ("m6", 429, {"retry-after-ms": "1500"}, "2", "1500"),
        ("m7", 503, {"retry-after": "7"}, "7", "7000"),
        ("m8", 429, {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "2.5s"}, "3", "2500"),
        ("m9", 429, {}, "1", None),
        ("m10", 529, {}, "1", None),
    ]
    for model, status, headers, seconds, milliseconds in cases:
        vendor.script(Reply(status, tuple(headers.items()), b"{}"))
        answer = chat(http, f"only-{model}")
        assert answer.headers.get_list("retry-after") == [seconds], model
        assert answer.headers.get_list("retry-after-ms") == ([milliseconds] if milliseconds else []), model


def test_a_call_that_finds_no_room_is_told_when_to_come_back(http: httpx.Client, vendor: Upstream) -> None:
    vendor.script([Head(200), *map(Chunk, sse_chunks("One")[:2]), Silence()])
    body = {"model": "only-narrow", "messages": HELLO, "stream": True}
    with http.stream("POST", CHAT, json=body) as first:
        assert first.status_code == 200
        for path in (CHAT, MESSAGES):
            answer = http.post(path, json={"model": "only-narrow", "messages": HELLO, "max_tokens": 9})
            assert answer.status_code == (503 if path == CHAT else 529)
            assert answer.json()["error"]["code"] == "overloaded"
            assert int(answer.headers["retry-after"]) >= 1
            # It was never sent: asking again multiplies nothing.
            assert "x-should-retry" not in answer.headers
    assert len(vendor.requests) == 1


@pytest.mark.parametrize("status", [408, 409, 500, 503])
def test_an_official_client_does_not_multiply_the_attempts(gateway: Gateway, vendor: Upstream, status: int) -> None:
    vendor.forget()
    vendor.script(*[json_reply({"error": {"message": "no", "type": "x"}}, status)] * 9)
    name = f"only-m{11 + [408, 409, 500, 503].index(status)}"
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=2) as sdk:
        with pytest.raises(openai.APIStatusError):
            sdk.chat.completions.create(model=name, messages=HELLO)
        assert len(vendor.requests) == 1
    with Anthropic(base_url=gateway.url, api_key=gateway.key, max_retries=2) as claude:
        with pytest.raises(anthropic.APIStatusError):
            claude.messages.create(model=name, messages=HELLO, max_tokens=9)
        assert len(vendor.requests) == 2


def test_an_official_client_waits_as_long_as_it_is_told(gateway: Gateway, vendor: Upstream) -> None:
    vendor.forget()
    vendor.script(json_reply({}, 429, retry_after_ms="20"), json_reply(completion("Hi!")))
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=1) as sdk:
        answer = sdk.chat.completions.create(model="only-m15", messages=HELLO)
    assert answer.choices[0].message.content == "Hi!"
    first, second = vendor.requests
    assert second.at - first.at >= 0.02


def test_the_callers_headers_go_up_where_they_mean_something(http: httpx.Client, vendor: Upstream) -> None:
    ours = {"openai-beta": "a=1", "anthropic-beta": "b-1", "x-stainless-lang": "python", "idempotency-key": "i-1"}
    kept_here = {"cookie": "a=b", "x-user-id": "u", "openai-organization": "org-caller", "x-forwarded-for": "1.2.3.4"}
    vendor.script(json_reply(completion()), json_reply(wire.message({"type": "text", "text": "Hi!"})))
    assert chat(http, "only-m0", headers=ours | kept_here).status_code == 200
    message = {"model": "only-cm0", "messages": HELLO, "max_tokens": 9}
    assert http.post(MESSAGES, json=message, headers=ours | kept_here).status_code == 200
    for request, same in zip(vendor.requests, ("openai-beta", "anthropic-beta"), strict=True):
        assert request.header(same) in ("a=1", "b-1")
        assert request.header("x-stainless-lang") == "python"
        assert request.header("idempotency-key") == "i-1"
        assert not any(request.header(name) for name in kept_here)
        assert len([name for name, _ in request.headers if name == "authorization"]) <= 1
        assert gateway_key_is_absent(http, request.headers)


def gateway_key_is_absent(http: httpx.Client, headers: list[tuple[str, str]]) -> bool:
    return not any(http.headers["authorization"].removeprefix("Bearer ") in value for _, value in headers)


@pytest.mark.parametrize("route", ["backed", "crossing"])
def test_an_idempotency_key_is_the_same_at_every_attempt(http: httpx.Client, vendor: Upstream, route: str) -> None:
    vendor.script(Reply(500), json_reply(completion()))
    assert chat(http, route, headers={"idempotency-key": "once-and-for-all"}).status_code == 200
    assert [request.header("idempotency-key") for request in vendor.requests] == ["once-and-for-all"] * 2


def test_every_answer_says_who_served_it_and_has_an_id(http: httpx.Client, vendor: Upstream) -> None:
    vendor.script(
        json_reply(completion()),
        [Head(200), *map(Chunk, sse_chunks("Hi!"))],
        json_reply({"error": {"message": "no"}}, 400),
    )
    for stream, status in ((False, 200), (True, 200), (False, 400)):
        answer = chat(http, "only-m0", stream=stream)
        assert answer.status_code == status
        assert {"x-request-id", *OURS} <= set(answer.headers)
        found = {name.removeprefix("x-mainstay-"): answer.headers[name] for name in OURS}
        assert (found["route"], found["provider"], found["attempts"]) == ("only-m0", "vendor", "1")
        assert found["model"] == "m0" or status == 400
        assert found["cache"] in ("hit", "semantic", "miss", "off")
        assert found["cost-usd"]
        assert float(found["overhead-ms"]) >= 0
    for method, path in (("GET", "/v1/models"), ("GET", "/none"), ("PUT", CHAT), ("GET", "/health/live")):
        assert len(http.request(method, path).headers["x-request-id"]) == 36
    assert http.get("/v1/models", headers={"x-request-id": "mine-1"}).headers["x-request-id"] == "mine-1"
    for odd in ("a b", "x" * 129, "<b>", "a\tb"):
        assert len(http.get("/none", headers={"x-request-id": odd}).headers["x-request-id"]) == 36


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_after_a_fallback_headers_and_body_name_the_model_that_served(
    http: httpx.Client, vendor: Upstream, stream: bool
) -> None:
    if stream:
        chunks = [chunk.replace(b"gpt-4o-mini", b"up-m19") for chunk in sse_chunks("Hi!")]
        vendor.script(Reply(500), [Head(200), *map(Chunk, chunks)])
    else:
        vendor.script(Reply(500), json_reply(completion(model="up-m19")))
    answer = chat(http, "backed", stream=stream)
    assert answer.status_code == 200
    assert (answer.headers["x-mainstay-model"], answer.headers["x-mainstay-attempts"]) == ("m19", "2")
    lines = answer.text.splitlines() if stream else [f"data: {answer.text}"]
    said = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
    assert {one["model"] for one in said} == {"up-m19"}
    assert len({one["id"] for one in said}) == 1
