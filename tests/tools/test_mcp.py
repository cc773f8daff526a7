"""The MCP client against the official package's server and against servers that mean no good."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from mainstay.core.ports import Origin
from mainstay.runtime.client import LeanTransport
from mainstay.tools.errors import ToolTrouble
from mainstay.tools.mcp import McpServer, Site
from support.tool_server import ToolServer
from support.upstream import Chunk, Cut, Head, Received, Reply, Silence, Upstream, json_reply

pytestmark = pytest.mark.anyio
HEADERS = ((b"authorization", b"Bearer tool-secret-0123456789"), (b"x-token", b"another-secret-42"))


@pytest.fixture(scope="module", params=["modern", "handshake", "stateless"])
def server(request: pytest.FixtureRequest) -> Iterator[ToolServer]:
    options = {"modern": {}, "handshake": {"handshake": True}, "stateless": {"handshake": True, "stateless": True}}
    with ToolServer(**options[request.param], json=request.param == "stateless") as running:
        yield running


@asynccontextmanager
async def reached(url: str, **options: Any) -> AsyncIterator[McpServer]:
    host, _, port = url.removeprefix("http://").partition("/")[0].partition(":")
    transport = LeanTransport()
    site = Site(Origin(host, int(port)), b"/mcp", HEADERS, **options)
    server = McpServer(site, transport)
    try:
        yield server
    finally:
        await server.aclose()
        await transport.aclose()


async def trouble(work: Any) -> ToolTrouble:
    with pytest.raises(ToolTrouble) as caught:
        await work
    return caught.value


async def test_tools_are_listed_and_run(server: ToolServer) -> None:
    async with reached(server.url) as tools:
        offers = {offer.name: offer for offer in await tools.offers(5)}
        assert set(offers) == {"weather", "fail", "slow", "secret", "large"}
        assert offers["weather"].description == "Tell the weather in a city."
        assert json.loads(bytes(offers["weather"].schema))["required"] == ["city"]
        result = await tools.run("weather", {"city": "Köln"}, "key", 5)
    assert (result.text, result.failed) == ("12 degrees in Köln.", False)


async def test_what_a_tool_says_of_its_own_failure_is_a_result(server: ToolServer) -> None:
    async with reached(server.url) as tools:
        result = await tools.run("fail", {"reason": "no rain gauge"}, "key", 5)
        assert result.failed
        assert "no rain gauge" in result.text
        result = await tools.run("weather", {}, "key", 5)
        assert result.failed
        assert "city" in result.text


async def test_the_credential_is_sent_and_never_repeated(server: ToolServer) -> None:
    async with reached(server.url) as tools:
        result = await tools.run("secret", {}, "key", 5)
    assert result.text == "You sent Bearer [secret] and [secret]." or result.text == "You sent [secret] and [secret]."


async def test_a_long_result_is_cut_and_says_so(server: ToolServer) -> None:
    async with reached(server.url, most=1001) as tools:
        result = await tools.run("large", {"size": 3000}, "key", 5)
    assert result.text == "é" * 500 + "\n[cut: the first 1001 of 6000 bytes]"


async def test_a_run_that_takes_too_long_is_stopped_at_the_server(server: ToolServer) -> None:
    server.slow_began.clear()
    server.slow_ended.clear()
    async with reached(server.url) as tools:
        found = await trouble(tools.run("slow", {}, "key", 1))
        assert found.outcome == "timeout"
        if server._handshake and not server.sessions():
            return  # Nothing tells such a server which of its requests is meant.
        assert await asyncio.to_thread(server.slow_ended.wait, 10)


async def test_a_session_is_one_owners_only() -> None:
    with ToolServer(handshake=True) as server:
        async with reached(server.url) as tools:
            for owner in ("a", "b", "a"):
                await tools.run("weather", {"city": "X"}, owner, 5)
        opened = [headers for method, headers in server.heard if "mcp-session-id" not in headers and method == "POST"]
        # The question whether it needs a handshake, and two of these.
        assert len(opened) == 3
        assert len(server.sessions()) == 2


async def test_a_session_that_was_lost_is_opened_again() -> None:
    with ToolServer(handshake=True) as server:
        async with reached(server.url) as tools:
            await tools.run("weather", {"city": "X"}, "a", 5)
            tools._sessions["a"] = tools._sessions["a"].__class__("2025-11-25", b"0" * 32)
            assert (await tools.run("weather", {"city": "Y"}, "a", 5)).text == "12 degrees in Y."


def rpc(answer: Callable[[dict[str, Any]], Any]) -> Callable[[Received], Any]:
    """Answer each request's message as ``answer`` says; what is no dict is a step of its own."""

    def handle(request: Received) -> Any:
        message = request.json() if request.body else {}
        if "id" not in message:
            return Reply(202)
        said = answer(message)
        return json_reply({"jsonrpc": "2.0", "id": message["id"], **said}) if isinstance(said, dict) else said

    return handle


def plain(method: str) -> dict[str, Any] | None:
    """Answer what every server of the newest revision answers."""
    if method == "server/discover":
        return {"result": {"supportedVersions": ["2026-07-28"], "resultType": "complete", "capabilities": {}}}
    return None


HOSTILE = {
    "an answer to another request": (lambda m: json_reply({"jsonrpc": "2.0", "id": 99, "result": {}}), "broken"),
    "no JSON": (lambda m: Reply(200, (("content-type", "application/json"),), b"{"), "broken"),
    "a page": (lambda m: Reply(200, (("content-type", "text/html"),), b"<p>"), "broken"),
    "an empty object": (lambda m: {}, "broken"),
    "a result that is a list": (lambda m: {"result": []}, "broken"),
    "content that is no list": (lambda m: {"result": {"content": "x"}}, "broken"),
    "a block that is no object": (lambda m: {"result": {"content": ["x"]}}, "broken"),
    "a wish for a person": (lambda m: {"result": {"resultType": "input_required"}}, "input_required"),
    "an error": (lambda m: {"error": {"code": -1, "message": "no, tool-secret-0123456789"}}, "refused"),
    "a bare error": (lambda m: {"error": {"code": -1}}, "refused"),
    "a refused credential": (lambda m: Reply(401), "refused"),
    "a redirect": (lambda m: Reply(307, (("location", "http://127.0.0.1:1/"),)), "refused"),
    "a failure": (lambda m: Reply(500, body=b"x" * 100_000), "refused"),
    "202": (lambda m: Reply(202), "broken"),
    "a stream that ends": (lambda m: [Head(200), Chunk(b": hi\n\n")], "broken"),
    "a stream that breaks": (lambda m: [Head(200), Chunk(b"data: {"), Cut()], "broken"),
    "a stream of others' answers": (
        lambda m: [Head(200), Chunk(b'data: {"jsonrpc":"2.0","id":77,"result":{}}\n\n')],
        "broken",
    ),
    "a stream of nonsense": (lambda m: [Head(200), Chunk(b"data: nonsense\n\n")], "broken"),
    "too much": (
        lambda m: Reply(200, (("content-type", "application/json"),), b'"' + b"x" * 9_000_000 + b'"'),
        "too_large",
    ),
    "a stream without end": (
        lambda m: [Head(200), *(Chunk(b'data: {"jsonrpc":"2.0","method":"x"}\n\n' * 30_000) for _ in range(8))],
        "too_large",
    ),
    "a closed door": (lambda m: Cut(), "unreachable"),
    "silence": (lambda m: Silence(), "timeout"),
}


@pytest.mark.parametrize("case", HOSTILE)
async def test_a_server_that_answers_wrongly_is_told_apart_and_said_in_words(upstream: Upstream, case: str) -> None:
    answer, outcome = HOSTILE[case]
    upstream.handler = rpc(lambda message: plain(message["method"]) or answer(message))
    async with reached(upstream.url) as tools:
        found = await trouble(tools.run("any", {}, "key", 1 if case == "silence" else 5))
    assert found.outcome == outcome
    assert found.message.endswith((".", "secret]", "given"))
    assert "tool-secret" not in found.message
    assert "127.0.0.1" not in found.message


async def test_a_server_that_never_answers_costs_the_limit_and_no_more(upstream: Upstream) -> None:
    upstream.handler = lambda _: Silence()
    async with reached(upstream.url) as tools:
        assert (await trouble(tools.offers(0.5))).outcome == "timeout"


async def test_a_port_that_nobody_listens_on_is_said_to_be_so(refused_port: int) -> None:
    async with reached(f"http://127.0.0.1:{refused_port}/mcp") as tools:
        assert (await trouble(tools.run("any", {}, "key", 5))).outcome == "unreachable"


async def test_a_server_is_asked_again_how_it_begins_after_it_was_not_understood(upstream: Upstream) -> None:
    upstream.script(Reply(503), Reply(503))
    upstream.handler = rpc(lambda message: plain(message["method"]) or {"result": {"content": []}})
    async with reached(upstream.url) as tools:
        await trouble(tools.run("any", {}, "key", 5))
        assert (await tools.run("any", {}, "key", 5)).text == "(no output)"


async def test_a_servers_own_questions_are_refused(upstream: Upstream) -> None:
    asked = b'data: {"jsonrpc":"2.0","id":"s1","method":"%b"}\n\n'

    def answer(message: dict[str, Any]) -> Any:
        if message["method"] == "initialize":
            return {"result": {"protocolVersion": "2025-06-18", "capabilities": {}}}
        if message["method"] == "server/discover":
            return Reply(400)
        done = json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": {"content": []}}).encode()
        return [
            Head(200),
            Chunk(asked % b"sampling/createMessage"),
            Chunk(asked % b"ping"),
            Chunk(b"data: " + done + b"\n\n"),
        ]

    upstream.handler = lambda request: Reply(202) if b'"s1"' in request.body else rpc(answer)(request)
    async with reached(upstream.url) as tools:
        await tools.run("any", {}, "key", 5)
        said = await asyncio.to_thread(upstream.wait_for, 6)
    replies = [request.json() for request in said if b'"s1"' in request.body]
    assert {"jsonrpc": "2.0", "id": "s1", "result": {}} in replies
    assert any(reply.get("error", {}).get("code") == -32601 for reply in replies)


LIES: list[Any] = [
    7,
    {"name": ""},
    {"name": "no\nname"},
    {"name": "x" * 200},
    {"name": "a", "inputSchema": {"type": "string"}},
    {"name": "a", "inputSchema": {"type": "object", "properties": []}},
    {"name": "a", "inputSchema": {"type": "object", "properties": {"x": {"type": "banana"}}}},
    {"name": "a", "inputSchema": {"type": "object", "properties": {"x": {"$ref": "http://127.0.0.1:1/x.json"}}}},
    {"name": "a", "inputSchema": {"type": "object", "description": "x" * 70_000}},
    {"name": "a", "inputSchema": {"properties": {"x": {"type": "number", "x-mcp-header": "A"}}}},
]


async def test_a_tool_whose_schema_lies_is_not_offered_and_the_others_are(upstream: Upstream) -> None:
    schema = {"$schema": "http://json-schema.org/x", "type": "object", "anyOf": [{"required": ["x"]}]}
    good = {"name": "good", "description": "d" * 9000, "inputSchema": schema}
    pages = [{"tools": LIES, "nextCursor": "2"}, {"tools": [good, good, {"name": "bare"}], "nextCursor": "2"}]

    def answer(message: dict[str, Any]) -> Any:
        return plain(message["method"]) or {"result": pages["cursor" in message["params"]]}

    upstream.handler = rpc(answer)
    async with reached(upstream.url) as tools:
        offers = await tools.offers(5)
    assert [offer.name for offer in offers] == ["good", "bare"]
    # What vendors refuse at a schema's root is left out; the server judges arguments itself.
    assert json.loads(bytes(offers[0].schema)) == {"type": "object", "properties": {}}
    assert len(offers[0].description) == 4096
    # A cursor that comes again ends the list.
    assert sum(request.json()["method"] == "tools/list" for request in upstream.requests) == 2


async def test_marked_parameters_are_repeated_in_headers(upstream: Upstream) -> None:
    schema = {
        "type": "object",
        "properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "deep": {"type": "object", "properties": {"on": {"type": "boolean", "x-mcp-header": "On"}}},
            "none": {"type": "integer", "x-mcp-header": "None"},
        },
    }

    def answer(message: dict[str, Any]) -> Any:
        if message["method"] == "tools/list":
            return {"result": {"tools": [{"name": "wéather", "inputSchema": schema}]}}
        return plain(message["method"]) or {"result": {"content": []}}

    upstream.handler = rpc(answer)
    async with reached(upstream.url) as tools:
        await tools.offers(5)
        await tools.run("wéather", {"region": "Köln", "deep": {"on": True}}, "key", 5)
    call = upstream.requests[-1]
    assert call.header("mcp-method") == "tools/call"
    assert call.header("mcp-name") == "=?base64?d8OpYXRoZXI=?="
    assert call.header("mcp-param-region") == "=?base64?S8O2bG4=?="
    assert call.header("mcp-param-on") == "true"
    assert call.header("mcp-param-none") is None
    assert call.json()["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] == "2026-07-28"


async def test_content_that_is_no_text_is_named(upstream: Upstream) -> None:
    content = [
        {"type": "image", "data": "QUJD", "mimeType": "image/png"},
        {"type": "resource_link", "name": "log", "uri": "file:///log"},
        {"type": "resource", "resource": {"uri": "x", "text": "inside"}},
        {"type": "resource", "resource": {"uri": "x", "blob": "QUJDRA==", "mimeType": "a/b"}},
        {"type": "hologram"},
    ]
    upstream.handler = rpc(
        lambda m: plain(m["method"]) or {"result": {"content": content, "structuredContent": {"a": 1}}}
    )
    async with reached(upstream.url) as tools:
        result = await tools.run("any", {}, "key", 5)
    assert result.text.splitlines() == [
        "[image (image/png) of 3 bytes: not shown]",
        "log file:///log",
        "inside",
        "[resource (a/b) of 4 bytes: not shown]",
    ]


async def test_a_result_of_values_alone_is_their_json(upstream: Upstream) -> None:
    upstream.handler = rpc(lambda m: plain(m["method"]) or {"result": {"content": [], "structuredContent": {"a": 1}}})
    async with reached(upstream.url) as tools:
        assert json.loads((await tools.run("any", {}, "key", 5)).text) == {"a": 1}
