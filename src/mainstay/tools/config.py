"""``mcp:`` in the configuration, and ``routes.X.tools``: whose tools a model may use, and how far it may go."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from mainstay.core.config import (
    Duration,
    HeaderName,
    LocalPath,
    Name,
    PositiveDuration,
    Secret,
    Section,
    Size,
    check_url,
)

__all__ = ["McpConfig", "McpServerConfig", "ToolsConfig"]

_SERVER = r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}"
_TOOL = r"[A-Za-z0-9_./:-]{1,128}"
_ORIGIN = re.compile(r"https?://[^\s/?#@]+")


def _server(value: str) -> str:
    if not re.fullmatch(_SERVER, value):
        raise ValueError("must be 1 to 32 letters, digits, _ and -, and begin with a letter or digit")
    return value


def _tool(value: str) -> str:
    if not re.fullmatch(_TOOL, value):
        raise ValueError("is no name of a tool")
    return value


def _granted(value: str) -> str:
    server, slash, tool = value.partition("/")
    if not re.fullmatch(_SERVER, server) or (slash and not re.fullmatch(_TOOL, tool)):
        raise ValueError("must be the name of a server, or SERVER/TOOL")
    return value


def _variable(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,127}", value):
        raise ValueError("is no name of a variable")
    return value


def _endpoint(value: str) -> str:
    check_url(value)
    # Its last slash belongs to an address that nothing is added to.
    return value


def _origin(value: str) -> str:
    if not _ORIGIN.fullmatch(value):
        raise ValueError("must be an origin: https://HOST, without a path")
    return value.lower()


#: Name of a tool's server; it begins the names of its tools, so it has only what those may have.
ServerName = Annotated[str, AfterValidator(_server), WithJsonSchema({"type": "string", "pattern": f"^{_SERVER}$"})]


class McpServerConfig(Section):
    """A server whose tools routes may use: one that is reached over HTTP (``url``), or a program (``command``)."""

    url: Annotated[str, AfterValidator(_endpoint)] | None = None
    """Address of its endpoint, such as ``https://tools.example.com/mcp``: the protocol's streamable HTTP transport."""

    headers: dict[HeaderName, Secret] = {}
    """Headers sent with every request; values may be references. One that carries a credential must be."""

    command: tuple[Annotated[str, Field(min_length=1, max_length=4096)], ...] | None = Field(default=None, min_length=1)
    """A program that speaks the protocol over its standard input and output, and its arguments:
    ``[npx, -y, some-server]``. It is run by no shell, with the rights of the gateway."""

    environment: dict[Annotated[str, AfterValidator(_variable)], Secret] = {}
    """What the program finds in its environment beside ``PATH``, ``HOME``, ``LANG`` and the like; values are
    references. Nothing else of the gateway's own environment is there."""

    folder: LocalPath | None = None
    """Where the program runs, relative to the folder of the configuration; absent, where the gateway runs."""

    processes: int = Field(default=8, ge=1, le=256)
    """How many processes of the program each worker may run: every caller has one of its own."""

    idle: PositiveDuration = 300.0
    """How long a process that nobody needs is kept."""

    tools: tuple[Annotated[str, AfterValidator(_tool)], ...] | None = None
    """The tools that may be used, by the server's own names; absent, all that it lists."""

    keys: tuple[Name, ...] = ()
    """Names of keys whose callers may use it. With ``teams`` or ``keys`` given, nobody else may."""

    teams: tuple[Name, ...] = ()
    """Teams whose callers may use it."""

    connect: PositiveDuration = 2.0
    """Until the connection stands, TLS included."""

    timeout: PositiveDuration = 30.0
    """What one run of a tool may take."""

    result: Size = 64 * 1024
    """The most of a result that a model is shown; what is longer is cut, and says so."""

    refresh: PositiveDuration = 300.0
    """How long its list of tools is used before it is asked for again."""

    proxy: str | None = Field(default=None, pattern=r"^http://[^\s/?#@]+$")
    """Forward proxy, ``http://HOST:PORT``. Proxy variables of the environment are not read."""

    http2: bool = True
    """Whether HTTP/2 may be used where the server offers it."""

    ca_file: LocalPath | None = None
    """PEM file of certificate authorities to trust beside the system's; relative to the folder of the
    configuration."""

    @model_validator(mode="after")
    def _one_way(self) -> "McpServerConfig":
        if (self.url is None) == (self.command is None):
            raise ValueError("give 'url' or 'command', and not both")
        there, other, others = (
            ("url", "command", {"environment", "folder", "processes", "idle"})
            if self.url is not None
            else ("command", "url", {"headers", "proxy", "ca_file", "http2", "connect"})
        )
        for name in sorted(others & self.model_fields_set):
            raise ValueError(f"'{name}' is for servers with '{other}', and this one has '{there}'")
        return self


class McpConfig(Section):
    """The Model Context Protocol: servers whose tools routes may use, and the gateway as such a server."""

    servers: dict[ServerName, McpServerConfig] = {}
    """Servers, by a name of your choice, which begins the names that models know their tools by."""

    origins: tuple[Annotated[str, AfterValidator(_origin)], ...] = ()
    """Pages of the web that may call ``/mcp``, such as ``https://app.example.com``. Those on this machine always may,
    and programs, which send no origin."""


class ToolsConfig(Section):
    """Tools that the gateway offers to a route's models and runs itself."""

    mcp: tuple[Annotated[str, AfterValidator(_granted)], ...] = Field(min_length=1)
    """Servers under ``mcp``, or single tools of them: ``SERVER/TOOL``."""

    rounds: int = Field(default=4, ge=1, le=32)
    """How often tools are run for one call before the model must answer."""

    calls: int = Field(default=16, ge=1, le=1000)
    """Runs of tools for one call, all rounds together."""

    parallel: int = Field(default=4, ge=1, le=64)
    """Runs at the same time."""

    tokens: int = Field(default=200_000, ge=1, le=100_000_000)
    """Tokens, in and out, of all rounds together, after which no more tools are run."""

    time: PositiveDuration = 120.0
    """What all runs of tools for one call may take together."""

    words: bool = True
    """Whether what a model writes before it calls a tool is part of the answer. Without, a stream begins when it is
    known that no tool is called. Never part of it where the answer must have a form."""

    required: bool = False
    """Whether a call fails (503) when a server's tools cannot be listed. Otherwise it does without them."""

    remember: Duration = 3600.0
    """How long the runs of a turn that ends in a call of one of the caller's own tools are kept, so that the model
    knows of them when the caller comes back with its result. ``0s``: they are forgotten."""
