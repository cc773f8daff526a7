"""Providers and targets: what each row of ``providers:`` and ``models:`` can do, and where it is reached."""

from collections.abc import Mapping

from mainstay.config.schema import Config, ProviderConfig
from mainstay.core.target import ASSUMED, Feature, Operation, Target
from mainstay.engines.port import EngineAddress
from mainstay.providers.bedrock.config import BedrockConfig
from mainstay.providers.config import EchoConfig, GuardsConfig, ModelConfig, VendorConfig
from mainstay.providers.echo import LACKS as ECHO_LACKS
from mainstay.providers.http import Endpoint
from mainstay.providers.offers import able
from mainstay.providers.openai import OpenAICodec
from mainstay.providers.port import Provider
from mainstay.providers.vendors import VendorRow, find_row

__all__ = ["local_endpoint", "reached", "target_of", "vendor_name", "vendors_of"]


def vendors_of(config: Config) -> Mapping[str, VendorRow]:
    """Return the vendor's row of every provider that has one."""
    kinds = {name: row.kind for name, row in config.providers.items() if isinstance(row, VendorConfig)}
    found = {name: find_row(kind, config.vendors) for name, kind in kinds.items()}
    return {name: row for name, row in found.items() if row is not None}


def local_endpoint(engine: EngineAddress) -> Endpoint:
    """Return where an engine of our own is reached."""
    headers = ((b"content-type", b"application/json"), *OpenAICodec().credentials(engine.api_key))
    # The engine stops at once when its caller leaves only while it streams.
    return Endpoint(engine.origin, b"/v1", headers, local=True)


def reached(engine: EngineAddress | None) -> tuple[Endpoint, frozenset[Operation]] | None:
    """Return where an engine of our own is reached and what it can be asked; None where there is none."""
    return (local_endpoint(engine), engine.operations) if engine is not None else None


def vendor_name(provider: ProviderConfig, vendor: VendorRow | None) -> str:
    """Return who sells what a provider has, by OpenTelemetry's name."""
    if vendor is not None and vendor.telemetry_name:
        return vendor.telemetry_name
    return provider.telemetry_name if isinstance(provider, BedrockConfig) else provider.kind


def target_of(
    name: str,
    model: ModelConfig,
    provider: ProviderConfig,
    engine: EngineAddress | None,
    vendor: VendorRow | None,
    others: Mapping[Operation, Mapping[str, Provider]],
    footprint: tuple[float, float] | None = None,
    prices: tuple[float, float] | None = None,
) -> Target:
    """Return one model as routes see it."""
    lacks = model.lacks
    if isinstance(provider, EchoConfig):
        lacks |= ECHO_LACKS
    elif not isinstance(provider, GuardsConfig):
        lacks |= provider.lacks
    if vendor is not None and isinstance(provider, VendorConfig):
        lacks |= frozenset(Feature) - ASSUMED - vendor.can - provider.can
    if engine is not None:
        lacks |= engine.lacks
    talks = (vendor is None or vendor.talks) and (engine is None or Operation.CHAT in engine.operations)
    talks = talks and not isinstance(provider, GuardsConfig)
    target = Target(
        name,
        model.provider,
        vendor_name(provider, vendor),
        model.name or name,
        lacks=lacks,
        max_output=model.max_output,
        window=model.context_window or (engine.context if engine is not None else 0),
        prices=prices,
        footprint=footprint,
    )
    return able(target, model, others, talks=talks)
