"""From the configuration to each route's step, and what outlives a generation: servers, their sessions and lists."""

import asyncio
from collections.abc import Callable
from urllib.parse import urlsplit

from mainstay.core.ports import Origin, Transport
from mainstay.store.kv import KeyValues
from mainstay.tools.catalogue import Grant, Listing
from mainstay.tools.config import McpConfig, McpServerConfig, ToolsConfig
from mainstay.tools.mcp import McpServer, Site
from mainstay.tools.memory import Memory
from mainstay.tools.port import ToolServer
from mainstay.tools.rounds import Limits
from mainstay.tools.stage import UseTools

__all__ = ["Toolbox"]


class Toolbox:
    """The servers of one worker.

    Args:
        values: where turns are kept that callers must go on with.
        transport: returns what requests are sent through, by whether HTTP/2 may be spoken and whom to trust.
    """

    def __init__(self, values: KeyValues, transport: Callable[[bool, str | None], Transport]) -> None:
        self._values = values
        self._transport = transport
        self._listings: dict[str, tuple[McpServerConfig, Listing]] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def renew(self, config: McpConfig) -> None:
        """Take in a configuration: a server whose row was edited is a new acquaintance."""
        old, self._listings = self._listings, {}
        for name, row in config.servers.items():
            known = old.pop(name, None)
            if known is not None and known[0] == row:
                self._listings[name] = known
            else:
                self._listings[name] = (row, self._open(name, row))
                if known is not None:
                    self._close(known[1])
        for _, listing in old.values():
            self._close(listing)

    def stages(self, config: ToolsConfig | None) -> tuple[UseTools, ...]:
        """Return the step of a route that uses tools, or nothing."""
        if config is None:
            return ()
        chosen: dict[str, set[str] | None] = {}
        for entry in config.mcp:
            server, slash, tool = entry.partition("/")
            tools = chosen.setdefault(server, set())
            if not slash:
                chosen[server] = None
            elif tools is not None:
                tools.add(tool)
        grants = []
        for server, tools in chosen.items():
            row, listing = self._listings[server]
            only = frozenset(tools) if tools is not None else None
            grants.append(Grant(listing, only, frozenset(row.keys), frozenset(row.teams)))
        limits = Limits(config.rounds, config.calls, config.parallel, config.tokens, config.time)
        memory = Memory(self._values, config.remember)
        return (UseTools(grants, memory, limits, words=config.words, required=config.required),)

    async def aclose(self) -> None:
        """Let go of every server."""
        for _, listing in self._listings.values():
            self._close(listing)
        self._listings = {}
        await asyncio.gather(*self._closing, return_exceptions=True)

    def _open(self, name: str, row: McpServerConfig) -> Listing:
        only = frozenset(row.tools) if row.tools is not None else None
        return Listing(name, self._server(row), only, timeout=row.timeout, refresh=row.refresh)

    def _server(self, row: McpServerConfig) -> ToolServer:
        if row.command is not None:
            given = tuple((key, value.get_secret_value()) for key, value in row.environment.items())
            # Loaded for those who run programs only.
            from mainstay.tools.stdio import McpProgram, Program

            return McpProgram(Program(row.command, row.folder or ".", given, row.idle, row.result, row.processes))
        url = urlsplit(row.url or "")
        tls = url.scheme == "https"
        origin = Origin(url.hostname or "", url.port or (443 if tls else 80), tls, proxy=row.proxy or "")
        headers = tuple((key.encode(), value.get_secret_value().encode()) for key, value in row.headers.items())
        site = Site(origin, (url.path or "/").encode(), headers, row.connect, row.result)
        return McpServer(site, self._transport(row.http2 and tls, row.ca_file))

    def _close(self, listing: Listing) -> None:
        # Calls under way end as they may; what they still ask of it fails, and is told to their model.
        task = asyncio.get_running_loop().create_task(listing.aclose())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
