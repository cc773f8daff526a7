"""``providers:`` and ``models:`` in the configuration: the vendors behind HTTP, and the models they sell."""

import re
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from mainstay.core.config import Duration, HeaderName, LocalPath, Name, Secret, Section, check_url
from mainstay.core.target import Feature, Operation

__all__ = [
    "AnthropicConfig",
    "EchoConfig",
    "HttpProviderConfig",
    "ModelConfig",
    "OpenAIConfig",
    "PriceConfig",
    "ProbeConfig",
    "VendorConfig",
]

#: What may become part of a host name or a path.
_PARAMETER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,198}[A-Za-z0-9])?")


def _proxy(value: str) -> str:
    value = check_url(value)
    if not value.startswith("http://") or urlsplit(value).path:
        raise ValueError("must be http://HOST:PORT")
    return value


class HttpProviderConfig(Section):
    """What all providers behind HTTP have in common."""

    api_key: Secret | None = None
    """The key, by reference: ``${NAME}`` from the environment or ``file:PATH`` from a mounted secret. Written out it is
    accepted only where ``base_url`` is a loopback address. May be left out for servers that ask for none."""

    headers: dict[HeaderName, Secret] = {}
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

    #: The vendor's own address: it always wants a key.
    vendor_url: ClassVar[str] = "https://api.openai.com/v1"

    kind: Literal["openai"] = "openai"
    """Selects this kind of provider."""

    base_url: Annotated[str, AfterValidator(check_url)] = vendor_url
    """Address that ``/chat/completions`` is added to."""


class AnthropicConfig(HttpProviderConfig):
    """Anthropic, or any server that speaks its wire."""

    #: The vendor's own address: it always wants a key.
    vendor_url: ClassVar[str] = "https://api.anthropic.com"

    kind: Literal["anthropic"] = "anthropic"
    """Selects this kind of provider."""

    base_url: Annotated[str, AfterValidator(check_url)] = vendor_url
    """Address that ``/v1/messages`` is added to."""


def _parameter(value: str) -> str:
    if not _PARAMETER.fullmatch(value):
        raise ValueError("must be 1 to 200 letters, digits and . _ - and begin and end with a letter or digit")
    return value


class VendorConfig(HttpProviderConfig):
    """A vendor by the name of its row: one that comes with Mainstay, or one of your own under ``vendors``."""

    kind: str = Field(max_length=128)
    """The name of the vendor's row."""

    base_url: Annotated[str, AfterValidator(check_url)] | None = None
    """Address in place of the row's."""

    parameters: dict[str, Annotated[str, AfterValidator(_parameter)]] = {}
    """Values of the row's parameters, such as Azure's ``resource``. The list of vendors names them."""

    can: frozenset[Feature] = frozenset()
    """Features that its models have though the row does not say so."""


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


class ProbeConfig(Section):
    """When an upstream is asked something tiny, one token, by each worker, only to see whether it is well."""

    every: Annotated[Duration, Field(ge=1, le=15)] = 5.0
    """Time between two probes while the circuit breaker is open. Callers' calls are kept from the model meanwhile."""

    idle: Annotated[Duration, Field(ge=10)] | None = None
    """While the breaker is closed: probe when the model was asked nothing for so long. Absent, never."""

    timeout: Annotated[Duration, Field(gt=0, le=60)] = 10.0
    """What a probe may take; one that takes longer has failed."""


def _from_every(value: Any) -> Any:
    return {"every": value} if isinstance(value, str) else value


class _OrEvery:
    """Says in the JSON Schema that a duration may stand for the mapping."""

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [{"type": "string"}, handler(core_schema)]}


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

    operations: frozenset[Operation] | None = None
    """What the model is for: ``chat``, ``embeddings`` and so on. A call for anything else is refused before it is sent,
    and a route asks its other models. Absent, all that its provider has."""

    max_output: int = Field(default=4096, ge=1, le=10_000_000)
    """Tokens the model may write when the caller sets no limit and the wire demands one."""

    concurrency: Literal["auto", "off"] | Annotated[int, Field(ge=1, le=100_000)] = "auto"
    """Calls that one worker may have at the model at the same time; more wait (see ``overload``). ``auto`` finds it by
    the upstream's refusals, and by its latency too where it is not behind ``https``; a local model takes as many as its
    engine answers ``parallel``."""

    context_window: int | None = Field(default=None, ge=1, le=1_000_000_000)
    """Tokens that prompt and answer may fill together. Where it is given, a prompt that surely does not fit goes to a
    model that can take it, and so does one that an upstream found too long."""

    probe: Annotated[ProbeConfig, BeforeValidator(_from_every), _OrEvery()] | None = None
    """Find out by tiny calls whether a failing model is well again, instead of by a caller's: a mapping, or just the
    time between two, such as ``5s``. Absent, none are made."""
