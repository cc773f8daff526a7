"""Energy: what stands behind each row of ``models:``, and the numbers that calls of it are counted by."""

import os
from collections.abc import Callable
from functools import partial

from mainstay.batches.port import Begin
from mainstay.config.schema import Config, ProviderConfig
from mainstay.core.ports import Transport
from mainstay.energy.footprint import Footprints
from mainstay.energy.grid import all_zones
from mainstay.energy.intensity import open_intensities
from mainstay.energy.jobs import Today, Windows
from mainstay.energy.profile import Served, profile
from mainstay.energy.tally import Tally
from mainstay.engines.config import LlamaCppConfig
from mainstay.providers.bedrock.config import BedrockConfig
from mainstay.providers.config import EchoConfig, GuardsConfig, VendorConfig

__all__ = ["Footprinting", "begin_of", "footprints_of", "served_of", "today_of"]


def footprints_of(config: Config) -> Footprints | None:
    """Return the numbers of every model; None where energy is off. ``echo`` computes nothing and has none.

    Nor have our own guards: what they take is part of the worker's own work, and not told apart from it.
    """
    if config.energy.method == "off":
        return None
    profiles = [
        profile(served_of(name, config), config.energy, model.energy)
        for name, model in config.models.items()
        if not isinstance(config.providers[model.provider], EchoConfig | GuardsConfig)
    ]
    return Footprints(profiles, published=config.energy.method == "ecologits")


def today_of(config: Config, transport: Transport, tally: Tally) -> Today | None:
    """Return what has ``tally`` count by today's grid; None where the configuration names no source of it."""
    energy = config.energy
    if energy.live is None or energy.zone is None or energy.method == "off":
        return None
    windows = Windows(open_intensities(energy.live, transport), energy.stale, energy.refresh)
    return Today(windows, partial(tally.shift, energy.zone))


class Footprinting:
    """Finds the energy of records as they are loaded, by the configuration in force and today's grid."""

    def __init__(self, config: Config) -> None:
        self._tally = Tally()
        self._config: Config | None = None
        self._today: Today | None = None
        self.settle = self._tally.settle
        self._tally.renew(footprints_of(config), frozenset())

    def tick(self, config: Config, transport: Transport) -> None:
        """To be called now and then, in a running event loop, with the configuration that is in force."""
        if config is not self._config:
            self._config = config
            self._tally.renew(footprints_of(config), frozenset())
            self._today = today_of(config, transport, self._tally)
        if self._today is not None:
            self._today.tick()


def served_of(name: str, config: Config) -> Served:
    """Return the model ``name`` as the room of energy sees it."""
    model = config.models[name]
    provider = config.providers[model.provider]
    if isinstance(provider, LlamaCppConfig):
        cores = provider.threads or os.cpu_count() or 1
        # Its file says more of its size than the name a user gave it.
        upstream = os.path.basename(provider.model).removesuffix(".gguf")
        return Served(name, upstream, model.provider, provider.kind, local=True, cores=cores)
    return Served(name, model.name or name, model.provider, provider.kind, _region(provider))


def _region(provider: ProviderConfig) -> str:
    """Return the zone that a provider's own settings name, or "" where they name none that is known."""
    if isinstance(provider, BedrockConfig):
        zone = f"aws:{provider.region}"
    elif isinstance(provider, VendorConfig) and provider.kind.startswith("vertex"):
        zone = f"gcp:{provider.parameters.get('location', '')}"
    else:
        return ""
    return zone if zone in all_zones() else ""


def begin_of(config: Config) -> Callable[[Transport], Begin] | None:
    """Return what makes, of a transport, what tells when a batch begins; None where all begin at once."""
    live = config.energy.live
    if live is None or config.batches.when != "greenest":
        return None
    stale, refresh = config.energy.stale, config.energy.refresh
    return lambda transport: Windows(open_intensities(live, transport), stale, refresh).begin
