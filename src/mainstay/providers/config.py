"""``providers:`` and ``models:`` in the configuration: the vendors behind HTTP, and the models they sell."""

import re
from datetime import date, time
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from mainstay.core.config import Duration, HeaderName, LocalPath, Name, Secret, Section, check_url
from mainstay.core.target import Feature, Operation
from mainstay.providers.terms import Region, TermsConfig

__all__ = [
    "AnthropicConfig",
    "Category",
    "EchoConfig",
    "GuardsConfig",
    "HttpProviderConfig",
    "ModelConfig",
    "OpenAIConfig",
    "PriceConfig",
    "PriceServiceConfig",
    "PriceTierConfig",
    "ProbeConfig",
    "RatesConfig",
    "VendorConfig",
]

#: What our own guards tell apart, by its name on the wire; ``profanity`` the wire has not.
Category = Literal[
    "harassment",
    "harassment/threatening",
    "hate",
    "illicit",
    "self-harm",
    "sexual",
    "violence",
    "profanity",
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

    terms: TermsConfig | None = None
    """What usage policies may know of the vendor: where it computes, what it keeps."""


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


#: From which probability on a category is flagged; ``null``: never.
_Thresholds = dict[Category, Annotated[float, Field(ge=0, le=1)] | None]


class GuardsConfig(Section):
    """Answers ``/v1/moderations`` with the guards that come with Mainstay, on this machine."""

    kind: Literal["guards"] = "guards"
    """Selects this kind of provider."""

    thresholds: _Thresholds = {}
    """The probability from which on a category is flagged, by its name on the wire (``hate``, ``self-harm``); ``null``:
    it is reported and never flagged. Absent, what the guards were tuned to."""

    teams: dict[Name, _Thresholds] = {}
    """Thresholds of calls of one team, in place of those above."""

    ocr: bool = True
    """Whether text in images is read and judged too, where the extra ``modalities`` is installed."""


_Price = Annotated[Decimal, Field(ge=0, le=1_000_000_000)]
_Rate = _Price | None


class RatesConfig(Section):
    """What each kind of usage costs, exact: US dollars per million tokens, unless it says otherwise."""

    input: _Rate = None
    """Price of what is sent."""

    output: _Rate = None
    """Price of what is written."""

    cache_read: _Rate = None
    """Price of input read from the provider's cache; absent, the price of input."""

    cache_write: _Rate = None
    """Price of input written to the provider's cache; absent, the price of input."""

    cache_write_1h: _Rate = None
    """Price of input written to the provider's cache for an hour; absent, that of ``cache_write``."""

    reasoning: _Rate = None
    """Price of tokens the model thinks in; absent, the price of output."""

    audio_input: _Rate = None
    """Price of sound sent; absent, the price of input."""

    audio_output: _Rate = None
    """Price of sound made; absent, the price of output."""

    image_input: _Rate = None
    """Price of images sent, in tokens; absent, the price of input."""

    image_output: _Rate = None
    """Price of images made, in tokens; absent, the price of output."""

    cache_read_audio: _Rate = None
    """Price of sound read from the provider's cache; absent, that of ``cache_read``."""

    cache_read_image: _Rate = None
    """Price of images read from the provider's cache; absent, that of ``cache_read``."""

    image: _Rate = None
    """US dollars for one image made, where images are not billed in tokens."""

    characters: _Rate = None
    """US dollars per million characters spoken."""

    audio_hour: _Rate = None
    """US dollars per hour of sound heard."""

    requests: _Rate = None
    """US dollars per thousand calls, beside all else."""

    searches: _Rate = None
    """US dollars per thousand searches that the provider makes for its answers."""

    tool_calls: _Rate = None
    """US dollars per thousand calls of the provider's other tools."""

    rerank: _Rate = None
    """US dollars per thousand units of ranking; one unit is a question with up to a hundred documents."""


class PriceTierConfig(RatesConfig):
    """Prices of long calls."""

    above: Annotated[int, Field(ge=1, le=1_000_000_000)]
    """Tokens of input, cached ones included, above which they hold."""

    part: bool = False
    """Whether they hold only for the tokens of input that are above, and not for the whole call. Then ``input`` is the
    one price that can be given."""

    @model_validator(mode="after")
    def _only_input(self) -> "PriceTierConfig":
        if self.part and self.model_fields_set - {"above", "part", "input"}:
            raise ValueError("can give no price but 'input' where 'part' is true")
        return self


class PriceServiceConfig(RatesConfig):
    """Prices of one tier of service."""

    times: Annotated[Decimal, Field(ge=0, le=1000)] | None = None
    """What the usual prices are multiplied by, such as ``0.5``; prices given here count before."""

    tiers: tuple[PriceTierConfig, ...] = ()
    """Prices of long calls; absent, the usual tiers as far as they say other prices than these."""


class PriceConfig(RatesConfig):
    """What a model costs, over a time. Prices given here count before the catalogue's."""

    tiers: tuple[PriceTierConfig, ...] = ()
    """Prices of long calls."""

    services: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")], PriceServiceConfig] = {}
    """Prices of tiers of service, by their names: ``batch``, ``flex``, ``priority``."""

    images: dict[Annotated[str, Field(max_length=80)], _Price] = {}
    """US dollars for one image made, by quality and size: ``hd/1024x1792``."""

    minimum_seconds: Annotated[Decimal, Field(ge=0, le=3600)] = Decimal(0)
    """Seconds of sound that a call is billed for at least."""

    since: date | None = None
    """The first day on which the prices hold, in UTC; absent, they always did."""

    until: date | None = None
    """The first day on which they no longer hold."""

    hours: tuple[time, time] | None = None
    """The part of the day, in UTC, to which the prices are limited; the second may be the earlier one."""

    days: tuple[Annotated[int, Field(ge=1, le=7)], ...] = ()
    """The days of the week to which the prices are limited; Monday is 1."""

    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "USD"
    """The currency of the prices."""

    usd: Annotated[Decimal, Field(gt=0, le=1_000_000)] | None = None
    """US dollars for one unit of ``currency``: a fixed rate, as old as the prices are."""

    @model_validator(mode="after")
    def _agree(self) -> "PriceConfig":
        if not self.model_fields_set & ({*RatesConfig.model_fields} | {"images"}):
            raise ValueError("gives no price; give 'input' and 'output', or what else the model is paid for")
        if (self.currency != "USD") != (self.usd is not None):
            raise ValueError("must give 'usd', US dollars for one unit, exactly where 'currency' is not USD")
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise ValueError("ends before it begins; 'until' must be after 'since'")
        return self


def _one_or_more(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


class _OrList:
    """Says in the JSON Schema that one mapping may stand for a list of them."""

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core_schema)
        return {"anyOf": [schema["items"], schema]}


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

    price: Annotated[tuple[PriceConfig, ...], BeforeValidator(_one_or_more), _OrList(), Field(max_length=100)] = ()
    """What the model costs: one mapping, or a list of them with dates, of which the one that began last holds. It
    counts before the catalogue that comes with Mainstay. Absent, the catalogue's."""

    lacks: frozenset[Feature] = frozenset()
    """Features the model lacks, beside those its provider lacks."""

    region: Region | None = None
    """Where this model computes, for usage policies; absent, where its provider does."""

    open_weights: bool | None = None
    """Whether its weights are open to all, for usage policies; absent, those of engines of this machine are."""

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
