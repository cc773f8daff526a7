"""The cache of each route: where answers are kept, and what of the configuration shapes them."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from mainstay.caching.config import CacheConfig
from mainstay.caching.exact import Exact
from mainstay.caching.keeping import Keeping
from mainstay.caching.key import Rule
from mainstay.caching.port import Flights, Sources, Tier
from mainstay.caching.questions import SharedQuestions
from mainstay.caching.semantic_config import SemanticConfig
from mainstay.caching.stage import Recall
from mainstay.caching.standing import FOLDER
from mainstay.config.schema import Config, RouteSection
from mainstay.core.target import Target
from mainstay.routing.single_flight import SingleFlight
from mainstay.store.sealing import Seal
from mainstay.telemetry.metrics import Slab

if TYPE_CHECKING:  # its models cost a worker that wants none of it 100 ms and 60 MB
    from mainstay.caching.semantic import Semantic, Standing

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
_STATES = {"proving": 0.0, "on": 1.0, "off": 2.0}
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
        self._config: CacheConfig | None = None
        #: Where answers were kept before an edit: calls that began before it may still use them.
        self._former: list[Tier] = []
        self._thread: ThreadPoolExecutor | None = None
        self._semantic: dict[str, tuple[SemanticConfig, Tier, Semantic]] = {}
        self._questions: list[SharedQuestions] = []
        #: From memory and disk, when they were last shown.
        self._evictions = (0, 0)
        #: By route: neighbours that were compared with a fresh answer or kept out, when they were last shown.
        self._shown: dict[str, Counter[str]] = {}
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
        tier = self._open(config.cache)
        own = tuple(targets[one] for one in dict.fromkeys((*[e.model for e in route.targets], *route.fallback)))
        rule = Rule(name, route.cache, shape_of(name, route, config, targets), own)
        flights: Flights = SingleFlight()
        semantic = self._neighbours(name, route.cache.semantic, tier)
        return (Recall(rule, tier, self.keeping, flights, sources, semantic),)

    def _open(self, config: CacheConfig) -> Tier:
        """Return where answers are kept; an edit of ``cache`` holds for the calls after it."""
        tier = self._tier
        if tier is not None and config != self._config:
            own = tier if isinstance(tier, Exact) and config.url is None else None
            if own is None or not own.resize(memory=config.memory, disk=config.disk, wait=config.wait):
                self._former.append(tier)
                tier = None
        if tier is None:
            tier = open_tier(config, self._home, self._seal)
        self._tier, self._config = tier, config
        return tier

    def _neighbours(self, name: str, config: SemanticConfig | None, tier: Tier) -> "Semantic | None":
        """Return what finds requests in other words for a route; what it knows outlives edits of other settings."""
        if config is None:
            self._semantic.pop(name, None)
            return None
        known = self._semantic.get(name)
        if known is None or known[0] != config or known[1] is not tier:
            from mainstay.caching.semantic import open_semantic

            if self._thread is None:
                self._thread = ThreadPoolExecutor(1, "mainstay-cache-semantic")
            questions = None
            if isinstance(tier, Exact) and tier.has_disk:
                questions = SharedQuestions(name, self._home, tier.tell, self._seal, config.entries)
                self._questions.append(questions)
            known = config, tier, open_semantic(name, config, self._home / FOLDER, self._thread, questions)
            self._semantic[name] = known
        return known[2]

    def show(self, slab: Slab, worker: str) -> None:
        """Set the numbers of what is kept."""
        for name, (_, _, semantic) in self._semantic.items():
            _show_tier(slab, worker, name, semantic.standing, self._shown.setdefault(name, Counter()))
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
        for questions in self._questions:
            questions.close()
        for tier in (*self._former, self._tier):
            if tier is not None:
                await tier.aclose()


def _show_tier(slab: Slab, worker: str, route: str, standing: "Standing", shown: Counter[str]) -> None:
    """Set the numbers of a semantic tier; ``shown`` has what was added to its counters before."""
    for name, value in (
        ("state", _STATES[standing.state]),
        ("entries", standing.entries),
        ("compared", standing.compared),
        ("disagreements", standing.disagreements),
        ("error_upper_bound", standing.upper),
    ):
        slab.counter(f"mainstay_cache_semantic_{name}", worker, route).set(value)
    # A tier that was opened anew counts from nought.
    now = Counter({"": standing.shadows, **standing.stopped})
    for gate, count in now.items():
        more = count - shown[gate] if count >= shown[gate] else count
        if more and gate:
            slab.counter("mainstay_cache_semantic_stopped_total", route, gate).add(more)
        elif more:
            slab.counter("mainstay_cache_semantic_shadows_total", route).add(more)
    shown.clear()
    shown.update(now)
