"""The official MCP client, in both ways of beginning, against a running gateway's ``/mcp``."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client

from support.gateway import Gateway, completion, sse_chunks
from support.upstream import Chunk, Head, Upstream, json_reply

pytestmark = pytest.mark.anyio
BOTH = pytest.mark.parametrize("mode", ["legacy", "auto"])


@pytest.fixture(scope="module")
def vendor() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, vendor: Upstream) -> Iterator[Gateway]:
    config: dict[str, Any] = {
        "providers": {
            "echo": {"kind": "echo"},
            "vendor": {"kind": "openai", "base_url": f"{vendor.url}/v1", "api_key": "${UPSTREAM_KEY}"},
        },
        "models": {
            "echo": {"provider": "echo"},
            "gpt": {"provider": "vendor"},
            "vectors": {"provider": "vendor", "operations": ["embeddings"]},
        },
        "routes": {"kept": {"targets": ["echo"], "content": "full"}},
        "mcp": {"origins": ["https://app.example.com"]},
    }
    running = Gateway(tmp_path_factory.mktemp("gateway"), config, env={"UPSTREAM_KEY": "sk-upstream-0123456789"})
    running.narrow = running.keys.create("narrow", routes=["echo"]).key  # type: ignore[attr-defined]  # a note for the tests
    with running:
        yield running


@asynccontextmanager
async def connected(gateway: Gateway, mode: str, key: str | None = None) -> AsyncIterator[Client]:
    headers = {"authorization": f"Bearer {key or gateway.key}"}
    async with (
        httpx2.AsyncClient(headers=headers) as http,
        Client(streamable_http_client(f"{gateway.url}/mcp", http_client=http), mode=mode) as client,
    ):
        yield client


def post(gateway: Gateway, body: Any, key: str | None = None, **headers: str) -> httpx.Response:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    given = {"accept": "application/json, text/event-stream", "content-type": "application/json", **given}
    if key != "":
        given["authorization"] = f"Bearer {key or gateway.key}"
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx.post(f"{gateway.url}/mcp", content=content, headers=given)


def request(method: str, number: Any = 1, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def modern(method: str, version: str = "2026-07-28", **params: Any) -> dict[str, Any]:
    meta = {"io.modelcontextprotocol/protocolVersion": version, "io.modelcontextprotocol/clientCapabilities": {}}
    return request(method, _meta=meta, **params)


@BOTH
async def test_the_official_client_asks_a_route(gateway: Gateway, mode: str) -> None:
    async with connected(gateway, mode) as client:
        listed = await client.list_tools()
        assert [tool.name for tool in listed.tools] == ["ask"]
        # What has no conversation is no one to ask.
        assert listed.tools[0].input_schema["properties"]["route"]["enum"] == ["kept", "echo", "gpt"]
        result = await client.call_tool("ask", {"route": "echo", "prompt": "Say this back."})
    assert not result.is_error
    assert [block.text for block in result.content] == ["Say this back."]  # type: ignore[union-attr]  # all text
    assert result.structured_content is not None
    assert result.structured_content["model"] == "echo"
    assert result.structured_content["finish_reason"] == "stop"
    assert result.structured_content["usage"]["output_tokens"] == 3
    record = gateway.journal()[-1]
    assert (record.dialect, record.route, record.key, record.outcome, record.path) == (
        "mcp",
        "echo",
        "test",
        "ok",
        "/mcp",
    )


@BOTH
async def test_progress_carries_the_words_as_they_come(gateway: Gateway, vendor: Upstream, mode: str) -> None:
    vendor.forget()
    vendor.script([Head(200), *(Chunk(event) for event in sse_chunks("Hel", "lo ", "you."))])
    heard: list[tuple[float, str | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, message))

    async with connected(gateway, mode) as client:
        result = await client.call_tool("ask", {"route": "gpt", "prompt": "Hi"}, progress_callback=hear)
    assert result.structured_content is not None
    assert result.structured_content["text"] == "Hello you."
    assert heard
    assert heard[0][1] is not None
    assert "Hello you.".startswith(heard[0][1])
    assert json.loads(vendor.requests[0].body)["stream"] is True
    assert gateway.journal()[-1].stream


@BOTH
async def test_what_an_upstream_or_an_argument_does_wrong_is_a_result_that_a_model_can_read(
    gateway: Gateway, vendor: Upstream, mode: str
) -> None:
    vendor.forget()
    vendor.handler = lambda _: json_reply({"error": {"message": "No.", "type": "x", "code": None}}, 400)
    async with connected(gateway, mode) as client:
        refused = await client.call_tool("ask", {"route": "gpt", "prompt": "Hi"})
        assert refused.is_error
        assert "No." in refused.content[0].text  # type: ignore[union-attr]  # it is text
        wrong = await client.call_tool("ask", {"route": "gpt", "promt": "Hi"})
        assert wrong.is_error
        assert "promt" in wrong.content[0].text  # type: ignore[union-attr]  # it is text
        unknown = await client.call_tool("ask", {"route": "gpd", "prompt": "Hi"})
        assert unknown.is_error
        assert "did you mean 'gpt'" in unknown.content[0].text  # type: ignore[union-attr]  # it is text
    assert [record.outcome for record in gateway.journal()[-3:]] == ["refused"] * 3


@BOTH
async def test_an_unknown_tool_is_an_error_of_the_protocol(gateway: Gateway, mode: str) -> None:
    async with connected(gateway, mode) as client:
        with pytest.raises(MCPError) as caught:
            await client.call_tool("answer", {"prompt": "Hi"})
    assert caught.value.code == -32602


@BOTH
async def test_a_key_sees_and_asks_only_its_own_routes(gateway: Gateway, mode: str) -> None:
    narrow: str = gateway.narrow  # type: ignore[attr-defined]  # set above
    async with connected(gateway, mode, narrow) as client:
        schema = (await client.list_tools()).tools[0].input_schema
        assert schema["properties"]["route"]["enum"] == ["echo"]
        # With one route there is nothing to choose.
        assert (await client.call_tool("ask", {"prompt": "Hi"})).content[0].text == "Hi"  # type: ignore[union-attr]  # text
        refused = await client.call_tool("ask", {"route": "gpt", "prompt": "Hi"})
    assert refused.is_error
    assert "may not call 'gpt'" in refused.content[0].text  # type: ignore[union-attr]  # it is text


async def test_the_client_pings(gateway: Gateway) -> None:
    async with connected(gateway, "legacy") as client:
        assert client.protocol_version == "2025-11-25"
        assert client.server_info is not None
        assert client.server_info.name == "mainstay"
        await client.session.send_ping()


async def test_without_a_handshake_the_newest_revision_is_spoken(gateway: Gateway) -> None:
    async with connected(gateway, "auto") as client:
        assert client.protocol_version == "2026-07-28"


@pytest.mark.parametrize("asked", ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])
async def test_every_revision_with_a_handshake_is_agreed_to(gateway: Gateway, asked: str) -> None:
    answer = post(gateway, request("initialize", protocolVersion=asked, capabilities={}, clientInfo={}))
    assert answer.json()["result"]["protocolVersion"] == asked
    assert "mcp-session-id" not in answer.headers


async def test_another_revision_is_answered_with_the_newest(gateway: Gateway) -> None:
    answer = post(gateway, request("initialize", protocolVersion="1999-01-01", capabilities={}, clientInfo={}))
    assert answer.json()["result"]["protocolVersion"] == "2025-11-25"


async def test_without_a_good_key_nothing_is_said(gateway: Gateway) -> None:
    for body in (request("tools/list"), request("tools/call", name="ask", arguments={"route": "echo", "prompt": "x"})):
        for key in ("", "ms-wrong"):
            answer = post(gateway, body, key)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.json()["error"]["data"]["code"] == "invalid_api_key"
    assert gateway.journal()[-1].error == "invalid_api_key"


async def test_no_stream_is_opened_and_no_session_ended(gateway: Gateway) -> None:
    for method in ("GET", "DELETE"):
        answer = httpx.request(method, f"{gateway.url}/mcp", headers={"authorization": f"Bearer {gateway.key}"})
        assert answer.status_code == 405
        assert answer.headers["allow"] == "POST"
        assert answer.json()["jsonrpc"] == "2.0"


async def test_notifications_and_responses_are_taken_in_silence(gateway: Gateway) -> None:
    for body in (
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 3, "result": {}},
    ):
        answer = post(gateway, body)
        assert (answer.status_code, answer.content) == (202, b"")


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"{", {}, 400, -32700),
        (b"[]", {}, 400, -32600),
        (json.dumps([request("ping")]).encode(), {}, 400, -32600),
        ({"jsonrpc": "1.0", "id": 1, "method": "ping"}, {}, 400, -32600),
        (b'{"jsonrpc": "2.0", "id": {}, "method": "ping"}', {}, 400, -32600),
        (request("resources/list"), {}, 200, -32601),
        (request("tools/list", cursor="2"), {}, 200, -32602),
        (request("tools/call", arguments={}), {}, 200, -32602),
        (request("initialize"), {}, 200, -32602),
        (modern("ping"), {"mcp_protocol_version": "2026-07-28", "mcp_method": "ping"}, 404, -32601),
        (modern("tools/list"), {"mcp_protocol_version": "2026-07-28"}, 400, -32020),
        (modern("tools/list"), {"mcp_protocol_version": "2026-07-28", "mcp_method": "tools/call"}, 400, -32020),
        (
            modern("tools/call", name="ask"),
            {"mcp_protocol_version": "2026-07-28", "mcp_method": "tools/call", "mcp_name": "other"},
            400,
            -32020,
        ),
        (request("tools/list"), {"mcp_protocol_version": "2026-07-28", "mcp_method": "tools/list"}, 400, -32602),
        (
            modern("tools/list", "2030-01-01"),
            {"mcp_protocol_version": "2030-01-01", "mcp_method": "tools/list"},
            400,
            -32022,
        ),
    ],
)
async def test_what_the_protocol_does_not_allow_is_refused_by_the_book(
    gateway: Gateway, body: Any, headers: dict[str, str], status: int, code: int
) -> None:
    answer = post(gateway, body, **headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


async def test_a_client_must_take_json(gateway: Gateway) -> None:
    assert post(gateway, request("ping"), accept="text/html").status_code == 406
    assert post(gateway, request("ping"), content_type="text/plain").status_code == 415


async def test_a_client_that_takes_no_stream_gets_none(gateway: Gateway) -> None:
    body = request("tools/call", name="ask", arguments={"route": "echo", "prompt": "Hi"}, _meta={"progressToken": "p"})
    answer = post(gateway, body, accept="application/json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["result"]["content"][0]["text"] == "Hi"


async def test_only_pages_that_the_operator_names_may_call(gateway: Gateway) -> None:
    for origin, status in (
        ("https://evil.example.com", 403),
        ("null", 403),
        ("https://app.example.com", 200),
        ("http://localhost:3000", 200),
    ):
        assert post(gateway, request("ping"), origin=origin).status_code == status


async def test_a_record_keeps_what_was_asked_where_the_route_keeps_content(gateway: Gateway) -> None:
    post(gateway, request("tools/call", name="ask", arguments={"route": "kept", "prompt": "A secret."}))
    record = gateway.journal()[-1]
    assert record.content is not None
    assert "A secret." in record.content.request
    assert "A secret." in record.content.response


async def test_a_model_that_breaks_off_ends_in_an_error(gateway: Gateway, vendor: Upstream) -> None:
    vendor.forget()
    vendor.script([Head(200), *(Chunk(event) for event in sse_chunks("Hel", finish=None, usage=False, done=False))])
    async with connected(gateway, "legacy") as client:

        async def hear(progress: float, total: float | None, message: str | None) -> None:
            return

        result = await client.call_tool("ask", {"route": "gpt", "prompt": "Hi"}, progress_callback=hear)
    assert result.is_error
    assert gateway.journal()[-1].outcome == "failed"


async def test_a_scripted_answer_comes_whole(gateway: Gateway, vendor: Upstream) -> None:
    vendor.forget()
    vendor.script(json_reply(completion("Four.")))
    arguments = {"route": "gpt", "prompt": "2+2?", "system": "Be brief.", "max_tokens": 5, "temperature": 0}
    answer = post(gateway, request("tools/call", "abc", name="ask", arguments=arguments)).json()
    assert answer["id"] == "abc"
    assert answer["result"]["structuredContent"]["text"] == "Four."
    sent = json.loads(vendor.requests[0].body)
    assert sent["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "2+2?"}]
    assert (sent["max_tokens"], sent["temperature"]) == (5, 0)
