"""How the semantic tier of each route stands, for who runs it: seen, switched off and on, and begun anew. Blocks.

It lies in files that all workers of a machine read at their next use (``evidence``), so nobody has to be told. Knows of
no worker: a tier that cannot work in one of them shows in that one's metrics.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote

import msgspec

from mainstay.caching.config import RouteCacheConfig
from mainstay.caching.evidence import Evidence, State
from mainstay.caching.gates import EDITION
from mainstay.caching.semantic_config import SemanticConfig
from mainstay.caching.verifier import SHA256
from mainstay.core.errors import NotFound, Unavailable
from mainstay.encoders.minilm import MODEL

__all__ = ["FOLDER", "TierStanding", "Tiers", "evidence_of"]

#: Of the files, in the folder of the installation.
FOLDER: Final = "cache"


class TierStanding(msgspec.Struct, frozen=True):
    """The semantic tier of a route: ``compared`` hits were answered anew, of which so many disagreed; between ``lower``
    and ``upper`` lies the share of wrong ones. ``reason`` says why it is off."""

    route: str
    state: State
    reason: str
    compared: int
    disagreements: int
    lower: float
    upper: float
    error: float
    confidence: float
    shadow: float
    similarity: float
    certainty: float


def evidence_of(route: str, config: SemanticConfig, folder: Path | None) -> Evidence:
    """Return what is known of the errors of a route's tier; None: in memory alone."""
    rules = f"{MODEL} {SHA256[:12]} gates {EDITION} {config.similarity} {config.certainty}"
    path = folder / f"{quote(route, safe='')}.jsonl" if folder is not None else None
    return Evidence(path, rules, 1 - config.confidence, config.error)


class Tiers:
    """The tiers of an installation.

    Args:
        home: its folder.
        routes: the caches of its routes, by name.
    """

    def __init__(self, home: Path, routes: Mapping[str, RouteCacheConfig | None]) -> None:
        self._folder = home / FOLDER
        self._routes = {
            name: cache.semantic for name, cache in routes.items() if cache is not None and cache.semantic is not None
        }

    def standings(self) -> list[TierStanding]:
        """Return how each stands. Raises Unavailable where that cannot be read."""
        return [self.standing(route) for route in self._routes]

    def standing(self, route: str) -> TierStanding:
        """Return how one stands. Raises NotFound, Unavailable."""
        evidence, config = self._evidence(route), self._routes[route]
        return TierStanding(
            route,
            evidence.state,
            evidence.reason,
            evidence.count,
            evidence.disagreements,
            evidence.lower,
            evidence.upper,
            config.error,
            config.confidence,
            config.shadow,
            config.similarity,
            config.certainty,
        )

    def halt(self, route: str, why: str) -> TierStanding:
        """Switch a tier off, in every worker from its next use. Raises as :meth:`standing`."""
        return self._change(route, lambda evidence: evidence.halt(why))

    def resume(self, route: str) -> TierStanding:
        """End what :meth:`halt` began; what was shown of it still counts. Raises as :meth:`standing`."""
        return self._change(route, Evidence.resume)

    def reset(self, route: str) -> TierStanding:
        """Begin a tier anew: nothing that was shown counts any more. Raises as :meth:`standing`."""
        return self._change(route, Evidence.reset)

    def _change(self, route: str, change: Callable[[Evidence], None]) -> TierStanding:
        evidence = self._evidence(route)
        try:
            change(evidence)
        except OSError as error:
            raise _unavailable() from error
        return self.standing(route)

    def _evidence(self, route: str) -> Evidence:
        config = self._routes.get(route)
        if config is None:
            raise NotFound(f"The route '{route}' has no semantic cache.")
        evidence = evidence_of(route, config, self._folder)
        try:
            evidence.refresh()
        except OSError as error:
            raise _unavailable() from error
        return evidence


def _unavailable() -> Unavailable:
    return Unavailable("What is known of the semantic cache cannot be read; see to the permissions of its folder.")
