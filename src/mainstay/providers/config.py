"""``providers:`` and ``models:`` in the configuration: the vendors behind HTTP, and the models they sell."""

import re
from decimal import Decimal
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from mainstay.core.config import Duration, LocalPath, Name, Secret, Section
from mainstay.core.target import Feature

__all__ = [
    "AnthropicConfig",
    "EchoConfig",
    "HttpProviderConfig",
    "ModelConfig",
    "OpenAIConfig",
    "PriceConfig",
]

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
#: Headers that belong to the connection or the body, which the client writes itself.
_OURS = frozenset(
    {"host", "content-length", "content-type", "connection", "transfer-encoding", "te", "trailer", "upgrade"}
    | {"keep-alive", "proxy-connection", "expect", "accept-encoding"}
)


def _url(value: str) -> str:
    if any(c.isspace() or not c.isprintable() for c in value):
        raise ValueError("must be a URL without spaces: https://HOST/PATH")
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("must be a URL: https://HOST/PATH") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError("must begin with http:// or https:// and name a host")
    if "@" in parts.netloc:
        raise ValueError("must hold no user name or password; give the key as api_key, by reference")
    if parts.query or parts.fragment:
        raise ValueError("must end with the path: no '?' and no '#'")
    return value.rstrip("/")


def _proxy(value: str) -> str:
    value = _url(value)
    if not value.startswith("http://") or urlsplit(value).path:
        raise ValueError("must be http://HOST:PORT")
    return value


def _header(name: str) -> str:
    if not _HEADER.fullmatch(name):
        raise ValueError("is no header name")
    if name.lower() in _OURS:
        raise ValueError("is a header that Mainstay writes itself; leave it out")
    return name.lower()


class HttpProviderConfig(Section):
    """What all providers behind HTTP have in common."""

    #: The vendor's own address: it always wants a key.
    vendor_url: ClassVar[str]

    api_key: Secret | None = None
    """The key, by reference: ``${NAME}`` from the environment or ``file:PATH`` from a mounted secret. Written out it is
    accepted only where ``base_url`` is a loopback address. May be left out for servers that ask for none."""

    headers: dict[Annotated[str, AfterValidator(_header)], Secret] = {}
    """Headers sent with every request; values may be references. One that carries a credential must be."""

    proxy: Annotated[str, AfterValidator(_proxy)] | None = None
    """Forward proxy, ``http://HOST:PORT``. Proxy variables of the environment are not read."""

    http2: bool = True
    """Whether HTTP/2 may be used where the server offers it."""

    ca_file: LocalPath | None = None
    """PEM file of certificate authorities to trust beside the system's; relative to the folder of the
    configuration."""

    lacks: frozenset[Feature] = frozenset()
    """Features that every model of this provider lacks; a call that needs one is refused before it is sent."""


class OpenAIConfig(HttpProviderConfig):
    """OpenAI, or any server that speaks its wire."""

    vendor_url: ClassVar[str] = "https://api.openai.com/v1"

    kind: Literal["openai"] = "openai"
    """Selects this kind of provider."""

    base_url: Annotated[str, AfterValidator(_url)] = vendor_url
    """Address that ``/chat/completions`` is added to."""


class AnthropicConfig(HttpProviderConfig):
    """Anthropic, or any server that speaks its wire."""

    vendor_url: ClassVar[str] = "https://api.anthropic.com"

    kind: Literal["anthropic"] = "anthropic"
    """Selects this kind of provider."""

    base_url: Annotated[str, AfterValidator(_url)] = vendor_url
    """Address that ``/v1/messages`` is added to."""


class EchoConfig(Section):
    """Says back what the last user message said, word by word; for tests and first steps."""

    kind: Literal["echo"] = "echo"
    """Selects this kind of provider."""

    delay: Duration = 0.0
    """Time before the first word."""

    gap: Duration = 0.0
    """Time before each further word."""


_Price = Annotated[Decimal, Field(ge=0, le=1_000_000)]


class PriceConfig(Section):
    """US dollars per million tokens, exact."""

    input: _Price
    """Price of what is sent."""

    output: _Price
    """Price of what is written."""

    cache_read: _Price | None = None
    """Price of input read from the provider's cache; absent, the price of input."""

    cache_write: _Price | None = None
    """Price of input written to the provider's cache; absent, the price of input."""


class ModelConfig(Section):
    """One model of one provider."""

    provider: Name
    """Name of a row of ``providers``."""

    name: str = Field(default="", max_length=300)
    """The provider's own name for the model; absent, the name of this row."""

    price: PriceConfig | None = None
    """What the model costs. Kept for the ledger, which is yet to come: nothing is priced in this version."""

    lacks: frozenset[Feature] = frozenset()
    """Features the model lacks, beside those its provider lacks."""

    max_output: int = Field(default=4096, ge=1, le=10_000_000)
    """Tokens the model may write when the caller sets no limit and the wire demands one."""

    concurrency: Literal["auto", "off"] | Annotated[int, Field(ge=1, le=100_000)] = "auto"
    """Calls that one worker may have at the model at the same time; more wait (see ``overload``). ``auto`` finds it by
    the upstream's refusals and latency; a local model takes as many as its engine answers ``parallel``."""

    context_window: int | None = Field(default=None, ge=1, le=1_000_000_000)
    """Tokens that prompt and answer may fill together. Where it is given, a prompt that surely does not fit goes to a
    model that can take it, and so does one that an upstream found too long."""
