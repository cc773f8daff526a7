"""The whole configuration as one frozen model: each room's part under its name.

The rooms own their parts; this file only puts them together. What must hold between parts is in ``references``.
"""

from typing import Annotated

from pydantic import Field

from mainstay.core.config import Name, Section
from mainstay.engines.config import LlamaCppConfig
from mainstay.identity.config import IdentityConfig
from mainstay.providers.config import AnthropicConfig, EchoConfig, ModelConfig, OpenAIConfig
from mainstay.routing.config import OverloadConfig, RouteConfig
from mainstay.runtime.config import ServerConfig
from mainstay.store.config import StoreConfig
from mainstay.telemetry.config import TelemetryConfig

__all__ = ["Config", "ProviderConfig"]

#: One row of ``providers``; ``kind`` says which.
ProviderConfig = Annotated[
    OpenAIConfig | AnthropicConfig | LlamaCppConfig | EchoConfig,
    Field(discriminator="kind"),
]


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

    telemetry: TelemetryConfig = Field(default_factory=TelemetryConfig)
    """What is logged, and how."""

    providers: dict[Name, ProviderConfig] = {}
    """Who serves models: vendors behind HTTP and local engines, by a name of your choice."""

    models: dict[Name, ModelConfig] = {}
    """Models, by a name of your choice. Each is also a route of its own name, with itself as the one target."""

    routes: dict[Name, RouteConfig] = {}
    """Names that callers use as ``model``. A route hides a model of the same name."""
