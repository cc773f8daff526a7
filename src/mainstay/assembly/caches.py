"""The cache of each route: where answers are kept, and what of the configuration shapes them."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from pathlib import Path

import msgspec

from mainstay.caching.config import CacheConfig
from mainstay.caching.exact import Exact
from mainstay.caching.keeping import Keeping
from mainstay.caching.key import Rule
from mainstay.caching.port import Flights, Neighbours, Sources, Tier
from mainstay.caching.semantic_config import SemanticConfig
from mainstay.caching.stage import Recall
from mainstay.config.schema import Config, RouteSection
from mainstay.core.target import Target
from mainstay.routing.single_flight import SingleFlight
from mainstay.store.sealing import Seal
from mainstay.telemetry.metrics import Slab

__all__ = ["Caches", "open_tier", "shape_of"]

#: Settings of a route that change no word of an answer that is kept.
_ROUTE_IDLE = {
    "cache",
    "timeouts",
    "attempts",
    "patience",
    "interrupted",
    "stream_upstream",
    "hedge",
    "single_flight",
    "last_resort",
    "content",
    "store_responses",
    "retention",
}
_MODEL_IDLE = {"energy", "price", "probe", "concurrency", "context_window", "region", "open_weights"}
_PROVIDER_IDLE = {"api_key", "proxy", "ca_file", "terms", "base_url"}


def open_tier(config: CacheConfig, home: Path, seal: Seal) -> Tier:
    """Return where answers are kept. Nothing is connected to before the first use.

    Raises:
        StartError: the folder cannot be written, or a package is missing.
    """
    if config.url is not None:
        from mainstay.caching.redis import RedisTier

        return RedisTier(config.url.get_secret_value(), wait=config.wait, seal=seal)
    return Exact(home, memory=config.memory, disk=config.disk, wait=config.wait, seal=seal)


def shape_of(name: str, route: RouteSection, config: Config, targets: Mapping[str, Target]) -> bytes:
    """Return a hash of all in the configuration that shapes the answers of a route."""
    own = [entry.model for entry in route.targets] + list(route.fallback)
    wished = list(route.language.targets.values()) if route.language is not None else []
    said = [route.model_dump(mode="json", exclude=_ROUTE_IDLE)]
    for model in (*own, *wished):
        row = config.models[model]
        said.append(row.model_dump(mode="json", exclude=_MODEL_IDLE))
        said.append(config.providers[row.provider].model_dump(mode="json", exclude=_PROVIDER_IDLE))
        said.append({"upstream": targets[model].upstream, "vendor": targets[model].vendor})
    if route.prompt is not None or route.language is not None:
        said.append({label: row.model_dump(mode="json") for label, row in config.prompts.items()})
    return blake2b(msgspec.json.encode([name, said], order="sorted"), digest_size=16).digest()


class Caches:
    """What one worker keeps of answers, across generations of the configuration.

    Args:
        home: where the file lies.
        seal: seals what is written.
    """

    def __init__(self, home: Path, seal: Seal) -> None:
        self._home = home
        self._seal = seal
        self._tier: Tier | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._semantic: dict[str, tuple[SemanticConfig, Neighbours]] = {}
        #: From memory and disk, when they were last shown.
        self._evictions = (0, 0)
        #: Has answers kept once their records are settled.
        self.keeping = Keeping()

    def steps(
        self,
        name: str,
        route: RouteSection,
        config: Config,
        targets: Mapping[str, Target],
        sources: Sources | None = None,
    ) -> tuple[Recall, ...]:
        """Return the step that gives kept answers again, if the route wants one.

        Raises:
            StartError: what keeps them cannot be opened.
        """
        if route.cache is None:
            return ()
        if self._tier is None:
            self._tier = open_tier(config.cache, self._home, self._seal)
        own = tuple(targets[one] for one in dict.fromkeys((*[e.model for e in route.targets], *route.fallback)))
        rule = Rule(name, route.cache, shape_of(name, route, config, targets), own)
        flights: Flights = SingleFlight()
        return (Recall(rule, self._tier, self.keeping, flights, sources, self._neighbours(name, route.cache.semantic)),)

    def _neighbours(self, name: str, config: SemanticConfig | None) -> Neighbours | None:
        """Return what finds requests in other words for a route; what it knows outlives edits of other settings."""
        if config is None:
            return None
        known = self._semantic.get(name)
        if known is None or known[0] != config:
            # Its models cost a worker that wants none of it 100 ms and 60 MB.
            from mainstay.caching.semantic import open_semantic

            if self._thread is None:
                self._thread = ThreadPoolExecutor(1, "mainstay-cache-semantic")
            known = config, open_semantic(name, config, self._home / "cache", self._thread)
            self._semantic[name] = known
        return known[1]

    def show(self, slab: Slab, worker: str) -> None:
        """Set the numbers of what is kept."""
        tier = self._tier
        if not isinstance(tier, Exact):
            return
        slab.counter("mainstay_cache_memory_bytes", worker).set(tier.memory.bytes)
        slab.counter("mainstay_cache_disk_bytes", worker).set(tier.disk_bytes)
        now = tier.memory.evictions, tier.disk_evictions
        for name, count, before in zip(("memory", "disk"), now, self._evictions, strict=True):
            if count != before:
                slab.counter("mainstay_cache_evictions_total", name).add(count - before)
        self._evictions = now

    async def aclose(self) -> None:
        """Finish writing, and close."""
        if self._thread is not None:
            await asyncio.get_running_loop().run_in_executor(None, self._thread.shutdown)
        if self._tier is not None:
            await self._tier.aclose()
