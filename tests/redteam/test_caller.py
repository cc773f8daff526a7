"""The caller: what a gateway answers is read rightly, busy ones are waited for, and none is misread as an answer."""

import json
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from mainstay.core.errors import ConfigError, StartError
from mainstay.redteam import caller as caller_module
from mainstay.redteam.caller import Caller, parse_answer
from mainstay.redteam.judge import ToolCall
from mainstay.runtime.client import LeanTransport
from support.gateway import completion, sse_chunks
from support.redteam import models_of
from support.upstream import Reset, Upstream, json_reply

pytestmark = pytest.mark.anyio
ASK = [{"role": "user", "content": "Hello?"}]
EVENTS = {"content-type": "text/event-stream"}


@pytest.fixture
async def transport() -> AsyncIterator[LeanTransport]:
    transport = LeanTransport()
    yield transport
    await transport.aclose()


def called(body: dict[str, Any], **fields: Any) -> bytes:
    body["choices"][0]["message"] |= fields
    return json.dumps(body).encode()


async def test_it_asks_as_an_application_does(transport: LeanTransport, upstream: Upstream) -> None:
    upstream.script(json_reply(completion("Hi."), x_request_id="req-1"))
    caller = Caller(transport, f"{upstream.url}/v1", "sk-1", most_tokens=99)
    reply = await caller.ask("assistant", ASK, [{"type": "function"}])
    assert (reply.status, reply.text, reply.request_id, caller.calls) == (200, "Hi.", "req-1", 1)
    (seen,) = upstream.requests
    assert (seen.path, seen.header("authorization")) == ("/v1/chat/completions", "Bearer sk-1")
    assert seen.json() == {
        "model": "assistant",
        "messages": ASK,
        "max_tokens": 99,
        "temperature": 0,
        "stream": False,
        "tools": [{"type": "function"}],
    }


async def test_a_busy_gateway_is_asked_again(transport: LeanTransport, upstream: Upstream) -> None:
    busy = json_reply({"error": {"code": "rate_limit_exceeded"}}, 429, retry_after="0")
    upstream.script(busy, busy, json_reply(completion("Hi.")))
    caller = Caller(transport, upstream.url, "", most_tokens=99)
    assert (await caller.ask("a", ASK, [])).text == "Hi."
    assert (len(upstream.requests), caller.calls) == (3, 1)


async def test_a_pace_is_kept(transport: LeanTransport, upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    upstream.handler = lambda request: json_reply(completion("Hi."))

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    caller = Caller(transport, upstream.url, "", rate=2.0, most_tokens=99)
    monkeypatch.setattr(caller_module, "asyncio", SimpleNamespace(sleep=sleep))
    monkeypatch.setattr(caller_module, "monotonic", lambda: 100.0)
    for _ in range(3):
        await caller.ask("a", ASK, [])
    assert slept == [0.0, 0.5, 1.0]


async def test_a_spent_budget_is_not_waited_for(transport: LeanTransport, upstream: Upstream) -> None:
    upstream.script(json_reply({"error": {"code": "insufficient_quota"}}, 429))
    reply = await Caller(transport, upstream.url, "", most_tokens=99).ask("a", ASK, [])
    assert (reply.fault, len(upstream.requests)) == ("status 429, insufficient_quota", 1)


async def test_a_connection_that_breaks_is_a_fault(transport: LeanTransport, upstream: Upstream) -> None:
    upstream.script(Reset())
    reply = await Caller(transport, upstream.url, "", most_tokens=99).ask("a", ASK, [])
    assert reply.fault.startswith("no answer: upstream_")


async def test_it_lists_what_the_key_may_call(transport: LeanTransport, upstream: Upstream) -> None:
    upstream.script(models_of("a", "b"), json_reply({"error": {}}, 401))
    caller = Caller(transport, upstream.url, "", most_tokens=99)
    assert await caller.models() == ["a", "b"]
    with pytest.raises(StartError, match="401"):
        await caller.models()


async def test_nobody_there_says_how_to_start_it(transport: LeanTransport, refused_port: int) -> None:
    with pytest.raises(StartError, match="mainstay up"):
        await Caller(transport, f"127.0.0.1:{refused_port}", "", most_tokens=99).models()


@pytest.mark.parametrize("url", ["ftp://a", "http://", "http://a:b", "http://a:0"])
async def test_what_is_no_address_is_refused(transport: LeanTransport, url: str) -> None:
    with pytest.raises(ConfigError):
        Caller(transport, url, "", most_tokens=99)


@pytest.mark.parametrize(
    ("status", "code", "blocked"),
    [
        (400, "content_blocked", True),
        (400, "content_filter", True),
        (400, "language_not_allowed", True),
        (403, "policy_denied", True),
        (400, "invalid_request", False),
        (400, "context_length_exceeded", False),
        (403, "route_not_allowed", False),
        (500, "content_filter", False),
        (404, "model_not_found", False),
    ],
)
def test_what_is_stopped_is_told_from_what_went_wrong(status: int, code: str, blocked: bool) -> None:
    reply = parse_answer(status, {}, json.dumps({"error": {"code": code}}).encode())
    assert (reply.blocked, reply.code) == (blocked, code)
    assert bool(reply.fault) != blocked


def test_tools_and_a_filter_at_the_end_are_read() -> None:
    call = {"function": {"name": "pay", "arguments": "{}"}}
    reply = parse_answer(200, {}, called(completion(""), content=None, tool_calls=[call]))
    assert reply.calls == (ToolCall("pay", "{}"),)
    body = completion("cut")
    body["choices"][0]["finish_reason"] = "content_filter"
    assert parse_answer(200, {}, json.dumps(body).encode()).blocked


def test_a_stream_is_joined() -> None:
    reply = parse_answer(200, EVENTS, b"".join(sse_chunks("One", " two")))
    assert (reply.text, reply.finish, reply.fault) == ("One two", "stop", "")


def test_tools_of_a_stream_are_joined() -> None:
    pieces = [{"index": 0, "function": {"name": "pay", "arguments": ""}}, {"index": 0, "function": {"arguments": "{}"}}]
    data = b"".join(
        b"data: " + json.dumps({"choices": [{"delta": {"tool_calls": [piece]}}]}).encode() + b"\n\n" for piece in pieces
    )
    assert parse_answer(200, EVENTS, data + b"data: [DONE]\n\n").calls == (ToolCall("pay", "{}"),)


def test_a_stream_that_is_stopped_keeps_what_came_before() -> None:
    data = b"".join(sse_chunks("Said", done=False, finish=None)) + b'data: {"error": {"code": "content_blocked"}}\n\n'
    reply = parse_answer(200, EVENTS, data)
    assert (reply.text, reply.blocked, reply.fault) == ("Said", True, "")


def test_a_stream_without_an_end_is_a_fault() -> None:
    reply = parse_answer(200, EVENTS, b"".join(sse_chunks("Said", done=False)))
    assert (reply.text, reply.fault) == ("Said", "the stream broke off")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"choices": []}', b'{"error": "no"}'])
def test_bytes_that_are_no_answer_are_a_fault(body: bytes) -> None:
    reply = parse_answer(200, {}, body)
    assert reply.fault == "status 200"
