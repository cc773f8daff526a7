"""Who sells what a configuration names: for exports, which tell finance people and not programs."""

from mainstay.assembly.prices import prices_of
from mainstay.config.load import Loaded
from mainstay.cost.catalogue import OWN
from mainstay.cost.focus import Seller, Sku
from mainstay.providers.bedrock.config import BedrockConfig
from mainstay.providers.config import VendorConfig
from mainstay.providers.vendors import VendorRow, find_row

__all__ = ["sellers_of", "skus_of", "vendors_of"]

#: Names of kinds that have no row.
_TITLES = {
    "openai": "OpenAI",
    "anthropic": "Anthropic",
    "bedrock": "Amazon Bedrock",
    "gemini": "Google",
    "cohere": "Cohere",
}


def vendors_of(loaded: Loaded) -> dict[str, VendorRow]:
    """Return the vendor's row of each provider that has one."""
    return {
        name: row
        for name, provider in loaded.config.providers.items()
        if isinstance(provider, VendorConfig) and (row := find_row(provider.kind, loaded.config.vendors)) is not None
    }


def sellers_of(loaded: Loaded) -> dict[str, Seller]:
    """Return who is behind each provider."""
    rows = vendors_of(loaded)
    found = {}
    for name, provider in loaded.config.providers.items():
        row = rows.get(name)
        title = row.title if row is not None and row.title else _TITLES.get(provider.kind, provider.kind)
        region = provider.region if isinstance(provider, BedrockConfig) else ""
        found[name] = Seller(provider.kind, "Own" if provider.kind in OWN else title, region)
    return found


def skus_of(loaded: Loaded) -> dict[str, Sku]:
    """Return what each model is called by its seller, and what it costs there now."""
    prices = prices_of(loaded, vendors_of(loaded))
    return {
        name: Sku(model.name or name, prices[name].tariff, prices[name].service)
        for name, model in loaded.config.models.items()
    }
