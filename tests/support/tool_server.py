"""An MCP server of the official package, in a thread of its own, on a real socket."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import uvicorn
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError

__all__ = ["ToolServer"]


class ToolServer:
    """Serves ``weather``, ``fail``, ``slow``, ``secret`` and ``large``; use as a context manager.

    Args:
        handshake: refuse the revisions that begin without a handshake, as servers of their day do.
        stateless: open no sessions.
        json: answer in JSON and not in streams.
    """

    def __init__(self, *, handshake: bool = False, stateless: bool = False, json: bool = False) -> None:
        #: (HTTP method, headers) of every request, in order of arrival.
        self.heard: list[tuple[str, dict[str, str]]] = []
        #: What ``weather`` was asked, and what became of ``slow``.
        self.asked: list[str] = []
        self.slow_began = threading.Event()
        self.slow_ended = threading.Event()
        self._handshake = handshake
        self._app = self._tools().streamable_http_app(stateless_http=stateless, json_response=json)
        config = uvicorn.Config(
            self._watch, "127.0.0.1", 0, log_level="critical", interface="asgi3", lifespan="on", ws="none"
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, name="tools", daemon=True)

    @property
    def url(self) -> str:
        """The address of the endpoint."""
        return f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}/mcp"

    def sessions(self) -> set[str]:
        """Return the ids of sessions that requests were made in."""
        return {headers["mcp-session-id"] for _, headers in self.heard if "mcp-session-id" in headers}

    def __enter__(self) -> "ToolServer":
        self._thread.start()
        while not self._server.started:
            self._thread.join(0.01)
            assert self._thread.is_alive()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(60)

    async def _watch(self, scope: Any, receive: Callable[[], Any], send: Callable[[Any], Any]) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.heard.append((scope["method"], headers))
        if self._handshake and headers.get("mcp-protocol-version", "") >= "2026":
            await send({"type": "http.response.start", "status": 400, "headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": b"Bad Request: unsupported protocol version"})
            return
        await self._app(scope, receive, send)

    def _tools(self) -> MCPServer[Any]:
        server: MCPServer[Any] = MCPServer("tools")

        @server.tool()
        async def weather(city: str, ctx: Context) -> str:  # type: ignore[type-arg]  # any context will do
            """Tell the weather in a city."""
            self.asked.append(city)
            await ctx.report_progress(0.5, 1)
            return f"12 degrees in {city}."

        @server.tool()
        async def fail(reason: str = "it is broken") -> str:
            """Fail."""
            raise ToolError(reason)

        @server.tool()
        async def slow() -> str:
            """Take for ever."""
            self.slow_began.set()
            try:
                await asyncio.Event().wait()
            finally:
                self.slow_ended.set()
            return "never"

        @server.tool()
        async def secret(ctx: Context) -> str:  # type: ignore[type-arg]  # any context will do
            """Repeat the credential it was called with."""
            assert ctx.headers is not None
            return f"You sent {ctx.headers.get('authorization')} and {ctx.headers.get('x-token')}."

        @server.tool()
        async def large(size: int = 1_000_000) -> str:
            """Say much."""
            return "é" * size

        return server
