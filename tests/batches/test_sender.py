"""One row, asked of a scripted gateway."""

import asyncio
import json
import time
from typing import Any

import msgspec
import pytest

from mainstay.batches import sender
from mainstay.batches.config import BatchesConfig
from mainstay.batches.lines import Row
from mainstay.batches.sender import Result, Sender
from mainstay.core.ports import Origin
from mainstay.identity.keys import read_pass
from mainstay.runtime.client import LeanTransport
from support.upstream import Cut, Reply, Upstream, json_reply

pytestmark = pytest.mark.anyio
PEPPER = b"p" * 32
ROW = Row("a", "POST", "/v1/chat/completions", msgspec.Raw(b'{"model": "m"}'))


async def ask(upstream: Upstream | None, rules: BatchesConfig, halt: asyncio.Event | None = None) -> Result | None:
    transport = LeanTransport()
    origin = None if upstream is None else Origin("127.0.0.1", int(upstream.url.rpartition(":")[2]))
    try:
        return await Sender(transport, lambda: origin, PEPPER, rules).ask(ROW, "key_1", halt or asyncio.Event())
    finally:
        await transport.aclose()


def said(result: Result | None) -> dict[str, Any]:
    assert result is not None
    return dict(json.loads(result.line))


async def test_a_row_is_asked_as_its_key_and_gives_way_to_others() -> None:
    with Upstream() as upstream:
        upstream.script(json_reply({"said": 1}, x_request_id="req-7"))
        result = await ask(upstream, BatchesConfig())
        (request,) = upstream.requests
    assert result is not None
    assert result.good
    assert said(result)["response"] == {"status_code": 200, "request_id": "req-7", "body": {"said": 1}}
    assert (request.method, request.path, request.body) == ("POST", ROW.url, bytes(ROW.body))
    assert request.header("x-mainstay-priority") == "sheddable"
    presented = (request.header("authorization") or "").removeprefix("Bearer ").encode()
    assert read_pass(PEPPER, presented, time.time()) == "key_1"


async def test_failures_are_tried_again_as_often_as_the_rules_say() -> None:
    with Upstream() as upstream:
        upstream.script(*(json_reply({"error": {"code": "upstream_failed"}}, 502) for _ in range(2)))
        result = await ask(upstream, BatchesConfig(attempts=2))
        assert len(upstream.requests) == 2
    assert said(result)["response"]["status_code"] == 502


async def test_a_full_gateway_and_one_that_is_away_are_no_attempts() -> None:
    with Upstream() as upstream:
        busy = json_reply({"error": {"code": "unavailable"}}, 503)
        upstream.script(busy, [Cut()], json_reply({"ok": 1}))
        result = await ask(upstream, BatchesConfig(attempts=1))
        assert len(upstream.requests) == 3
    assert said(result)["response"]["status_code"] == 200


async def test_patience_ends() -> None:
    with Upstream() as upstream:
        upstream.script(json_reply({"error": {"code": "unavailable"}}, 503))
        result = await ask(upstream, BatchesConfig(patience=0.0))
    assert result is not None
    assert not result.good
    assert said(result)["response"]["status_code"] == 503
    assert said(await ask(None, BatchesConfig(patience=0.0)))["error"]["code"] == "unavailable"


async def test_a_spent_quota_is_not_waited_for() -> None:
    with Upstream() as upstream:
        upstream.script(json_reply({"error": {"code": "insufficient_quota"}}, 429))
        result = await ask(upstream, BatchesConfig(attempts=1))
        assert len(upstream.requests) == 1
    assert said(result)["response"]["status_code"] == 429


async def test_an_answer_that_is_no_json_is_told_of() -> None:
    with Upstream() as upstream:
        upstream.script(Reply(200, (), b"RIFF"))
        result = await ask(upstream, BatchesConfig())
    assert said(result)["error"]["code"] == "invalid_answer"
    assert said(result)["response"] is None


async def test_nothing_is_asked_once_told_to_halt() -> None:
    halt = asyncio.Event()
    with Upstream() as upstream:
        upstream.script(Reply(503, (("retry-after", "500"),), b"{}"))
        asyncio.get_running_loop().call_later(0.1, halt.set)
        assert await ask(upstream, BatchesConfig(), halt) is None
        assert await ask(upstream, BatchesConfig(), halt) is None
        assert len(upstream.requests) == 1


async def test_a_row_that_ends_the_gateway_each_time_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "_FIRST", 0.001)
    with Upstream(lambda _: [Cut()]) as upstream:
        result = await ask(upstream, BatchesConfig())
        assert len(upstream.requests) == 10
    assert said(result)["error"]["code"] == "unavailable"
