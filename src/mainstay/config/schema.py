"""The whole configuration as one frozen model: each room's part under its name.

The rooms own their parts; this file only puts them together. What must hold between parts is in ``references``.
"""

from typing import Annotated, Any

from pydantic import BeforeValidator, Discriminator, Field, Tag

from mainstay.batches.config import BatchesConfig
from mainstay.caching.config import CacheConfig, RouteCacheSection
from mainstay.core.config import Name, OrText, Section
from mainstay.cost.config import CostConfig
from mainstay.energy.config import EnergyConfig, EnergySection, ModelEnergyConfig
from mainstay.engines.config import LlamaCppConfig
from mainstay.governance.config import (
    DisclosureConfig,
    GovernanceConfig,
    PoliciesConfig,
    Purpose,
    RouteRetentionConfig,
)
from mainstay.grounding.config import BaseName, KnowledgeConfig
from mainstay.grounding.route_config import RouteKnowledgeConfig
from mainstay.guardrails.config import LanguageConfig, RailConfig
from mainstay.guardrails.sends_config import SendsConfig
from mainstay.identity.config import IdentityConfig
from mainstay.providers.bedrock.config import BedrockConfig
from mainstay.providers.config import (
    AnthropicConfig,
    EchoConfig,
    GuardsConfig,
    ModelConfig,
    OpenAIConfig,
    VendorConfig,
)
from mainstay.providers.responses.config import ResponsesConfig
from mainstay.providers.vendors import VendorRow
from mainstay.reading.config import ModalitiesConfig, ReadingConfig
from mainstay.routing.config import OverloadConfig, RouteConfig
from mainstay.runtime.config import GrpcConfig, ServerConfig
from mainstay.shaping.config import FormConfig, PinConfig, PromptConfig
from mainstay.store.config import StoreConfig
from mainstay.telemetry.config import TelemetryConfig
from mainstay.tools.config import McpConfig, ToolsConfig

__all__ = ["KINDS", "Config", "ModelSection", "ProviderConfig", "RouteSection"]

#: Kinds of provider with settings of their own; any other kind is the name of a vendor's row.
KINDS = ("openai", "anthropic", "bedrock", "llamacpp", "guards", "echo")


def _kind(value: Any) -> str | None:
    """Return the tag of a provider's model, or None when it says no kind; what is no mapping, any of them refuses."""
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", "")
    return "vendor" if kind is not None and kind not in KINDS else kind


#: One row of ``providers``; ``kind`` says which.
ProviderConfig = Annotated[
    Annotated[OpenAIConfig, Tag("openai")]
    | Annotated[AnthropicConfig, Tag("anthropic")]
    | Annotated[BedrockConfig, Tag("bedrock")]
    | Annotated[LlamaCppConfig, Tag("llamacpp")]
    | Annotated[GuardsConfig, Tag("guards")]
    | Annotated[EchoConfig, Tag("echo")]
    | Annotated[VendorConfig, Tag("vendor")],
    Discriminator(_kind),
]


def _from_text(value: Any) -> Any:
    return {"system": value} if isinstance(value, str) else value


def _from_notice(value: Any) -> Any:
    return {"text": value} if isinstance(value, str) else value


def _from_base(value: Any) -> Any:
    return {"base": value} if isinstance(value, str) else value


def _from_path(value: Any) -> Any:
    return {"files": [value]} if isinstance(value, str) else value


class ModelSection(ModelConfig):
    """One model of one provider."""

    energy: ModelEnergyConfig | None = None
    """What it runs on, for its energy and carbon; absent, what the tables know, and assumptions."""


class RouteSection(RouteConfig):
    """A name that callers use as ``model``, what stands behind it, and what is done with its calls."""

    form: FormConfig = Field(default_factory=FormConfig)
    """What form its answers have."""

    pin: PinConfig | None = None
    """Settings of every call that make its answer repeatable; absent, the caller's own."""

    prompt: Name | None = None
    """The prompt of every call of the route, a row of ``prompts``; without a version, always the newest."""

    language: LanguageConfig | None = None
    """What is done with the language that the user writes in; absent, nobody looks."""

    rails: dict[Name, RailConfig] = {}
    """What is looked for in its requests and answers, and what is done about it, by a name of your choice; in the order
    in which they count."""

    sends: SendsConfig | None = None
    """Which tools send data out, and when a model that has read untrusted content may call them; absent, always."""

    modalities: ModalitiesConfig | None = None
    """What is read for models of the route that cannot see, hear or open it; absent, such requests are refused."""

    purpose: Purpose | None = None
    """What the route is for, to the usage policies; absent, callers may say it in ``x-mainstay-purpose``."""

    disclosure: Annotated[DisclosureConfig, BeforeValidator(_from_notice), OrText()] | None = None
    """How people are told that an AI system answers them; absent, they are not, which the AI Act (Art. 50) allows only
    where it is obvious."""

    retention: RouteRetentionConfig | None = None
    """How long its calls are kept; absent, as ``governance.retention`` says."""

    knowledge: Annotated[RouteKnowledgeConfig, BeforeValidator(_from_base), OrText()] | None = None
    """What it answers from and cites, or just the name of a knowledge base; absent, what its models know."""

    cache: RouteCacheSection | None = None
    """Which of its answers are kept and given again to equal requests; absent, none."""

    tools: ToolsConfig | None = None
    """Tools of MCP servers that its models may use, run by the gateway; absent, callers' own only."""


class Config(Section):
    """The configuration of Mainstay."""

    server: ServerConfig = Field(default_factory=ServerConfig)
    """Where the gateway listens, with how many workers, and its limits."""

    store: StoreConfig = Field(default_factory=StoreConfig)
    """Which database keeps keys and records."""

    identity: IdentityConfig = Field(default_factory=IdentityConfig)
    """Whether callers need a key."""

    overload: OverloadConfig = Field(default_factory=OverloadConfig)
    """Who waits and who is refused when more calls come than a model has room for."""

    cost: CostConfig = Field(default_factory=CostConfig)
    """Budgets, limits, and what is done about prices that nobody knows."""

    cache: CacheConfig = Field(default_factory=CacheConfig)
    """Where answers are kept for routes that give them again."""

    telemetry: TelemetryConfig = Field(default_factory=TelemetryConfig)
    """What is logged, and how."""

    governance: GovernanceConfig = Field(default_factory=GovernanceConfig)
    """What is kept, sealed with which key and for how long, and how the audit log is signed."""

    policies: Annotated[PoliciesConfig, BeforeValidator(_from_path), OrText()] = Field(default_factory=PoliciesConfig)
    """Who may send what data to which model for which purpose; absent, everyone may."""

    energy: EnergySection = Field(default_factory=EnergyConfig)
    """How the energy and carbon of calls are found, and where computing is done; or just the name of a method."""

    responses: ResponsesConfig = Field(default_factory=ResponsesConfig)
    """The Responses API: what is kept of it, and how it is spoken."""

    batches: BatchesConfig = Field(default_factory=BatchesConfig)
    """Files that callers leave here, and batches: jobs that work through a file of requests."""

    mcp: McpConfig = Field(default_factory=McpConfig)
    """Servers of the Model Context Protocol whose tools routes may use, and who may call ``/mcp``."""

    grpc: GrpcConfig = Field(default_factory=GrpcConfig)
    """The Open Inference Protocol over gRPC."""

    reading: ReadingConfig = Field(default_factory=ReadingConfig)
    """The processes that read images and documents for models that cannot."""

    knowledge: dict[BaseName, KnowledgeConfig] = {}
    """Knowledge bases that routes answer from, by a name of your choice."""

    providers: dict[Name, ProviderConfig] = {}
    """Who serves models: vendors behind HTTP and local engines, by a name of your choice."""

    vendors: dict[Name, VendorRow] = {}
    """Vendors that Mainstay does not know, or knows wrongly, by the name that ``kind`` of a provider uses."""

    models: dict[Name, ModelSection] = {}
    """Models, by a name of your choice. Each is also a route of its own name, with itself as the one target."""

    prompts: dict[Name, Annotated[PromptConfig, BeforeValidator(_from_text), OrText()]] = {}
    """Prompts that routes and requests may name, by ``name@version``."""

    routes: dict[Name, RouteSection] = {}
    """Names that callers use as ``model``. A route hides a model of the same name."""
