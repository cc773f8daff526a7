"""What each model costs: by its own row, by the catalogue, or, if nobody knows, at the dearest price of its vendor."""

from collections.abc import Mapping
from pathlib import Path

import structlog

from mainstay.config.load import Loaded
from mainstay.config.schema import Config, ProviderConfig
from mainstay.core.clock import wall_ms
from mainstay.cost.catalogue import Catalogue
from mainstay.cost.config import CostConfig
from mainstay.cost.prices import FREE
from mainstay.cost.rates import Tariff
from mainstay.cost.rules import Rules
from mainstay.cost.stage import Charge, Hold
from mainstay.cost.till import Priced, Till
from mainstay.engines.config import LlamaCppConfig
from mainstay.providers.bedrock.config import BedrockConfig
from mainstay.providers.config import EchoConfig, GuardsConfig, VendorConfig
from mainstay.providers.vendors import VendorRow

__all__ = ["catalogue_path", "ledger_stages", "prices_of", "shown", "warn_of_unknown"]

_log = structlog.get_logger("mainstay.ledger")


def catalogue_path(home: Path) -> Path:
    """Return where a newer catalogue than the packaged one would lie."""
    return home / "prices" / "catalogue.json.gz"


def prices_of(loaded: Loaded, vendors: Mapping[str, VendorRow]) -> dict[str, Priced]:
    """Return the price of every model of a configuration."""
    config = loaded.config
    catalogue = Catalogue.open(catalogue_path(loaded.home))
    return {name: _priced(name, config, vendors, catalogue, loaded.hash) for name in config.models}


def ledger_stages(config: CostConfig, till: Till) -> tuple[Hold, Charge]:
    """Return the stages that count calls against the budgets and limits of one configuration."""
    rules, lenient = Rules(config), config.on_outage == "allow"
    charge = Charge(till, rules, lenient=lenient, refuse_unknown=config.unknown_price == "refuse")
    return Hold(till, rules, lenient=lenient), charge


def shown(price: Priced) -> tuple[float, float] | None:
    """Return US dollars per million tokens in and out as they are now, to choose by; None where nobody knows them."""
    row = price.tariff.row(wall_ms())
    if not price.known or row.input is None or row.output is None or row.currency != "USD":
        return None
    return float(row.input), float(row.output)


def warn_of_unknown(prices: Mapping[str, Priced]) -> None:
    """Say once for a configuration which models have a price that nobody knows."""
    unknown = sorted(name for name, price in prices.items() if not price.known)
    if unknown:
        _log.warning(
            "price_unknown",
            models=unknown,
            advice="set models.NAME.price; until then they are charged at the dearest price known of their vendor",
        )


def _priced(name: str, config: Config, vendors: Mapping[str, VendorRow], catalogue: Catalogue, version: str) -> Priced:
    model = config.models[name]
    provider = config.providers[model.provider]
    own = [row.model_dump(exclude_unset=True) for row in model.price]
    if not own and _is_ours(provider, vendors.get(model.provider)):
        return Priced(Tariff((FREE,)), "own")
    kind = provider.kind
    tariff = catalogue.tariff(kind, model.name or name, own, region=_region(provider), version=version[:12])
    if tariff is None:
        return Priced(catalogue.ceiling(kind), "ceiling")
    return Priced(tariff, "config" if own else "catalogue")


def _is_ours(provider: ProviderConfig, vendor: VendorRow | None) -> bool:
    """Whether nobody sends a bill: an engine of our own, or a server that one runs oneself."""
    if isinstance(provider, EchoConfig | GuardsConfig | LlamaCppConfig):
        return True
    return vendor is not None and isinstance(provider, VendorConfig) and vendor.base_url.startswith("http://")


def _region(provider: ProviderConfig) -> str:
    return provider.region if isinstance(provider, BedrockConfig) else ""
