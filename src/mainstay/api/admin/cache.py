"""``/api/cache``: kept answers and what is known of the semantic cache: counts and states, no words of anyone.

What is kept belongs to the installation: a role in one team does not reach it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, Request
from msgspec import structs
from pydantic import BaseModel, Field

from mainstay.api.admin.access import Access, needs, office_of
from mainstay.api.admin.office import Office
from mainstay.caching.service import Shelf, open_shelf
from mainstay.caching.standing import Tiers, TierStanding
from mainstay.core.audit import Details
from mainstay.core.errors import InvalidRequest
from mainstay.identity.roles import Permission
from mainstay.store.audit import record_event
from mainstay.store.sql import writing
from mainstay.telemetry.metrics import totals

__all__ = ["CacheShown", "Evicted", "Eviction", "Halted", "TierShown", "add_routes"]

_READ, _WRITE = Permission.PROCESSES_READ, Permission.PROCESSES_WRITE
_LOOKUPS, _SHADOWS = "mainstay_cache_lookups_total", "mainstay_cache_semantic_shadows_total"
_STATE = "mainstay_cache_semantic_state"
_OFF = 2.0


class TierShown(BaseModel):
    """The semantic cache of a route: ``state`` is ``proving``, ``on`` or ``off``, and ``reason`` says why it is off.
    ``served`` hits were given and ``shadowed`` ones answered anew, since the metrics began. Of the ``compared`` ones so
    many disagreed; between ``lower`` and ``upper`` lies the share of wrong ones. ``workers_off``: workers in which it
    is off, be it because something is broken there."""

    route: str
    state: str
    reason: str
    served: int
    shadowed: int
    compared: int
    disagreements: int
    lower: float
    upper: float
    error: float
    confidence: float
    shadow: float
    similarity: float
    certainty: float
    workers_off: list[str]


class CacheShown(BaseModel):
    """What is kept: answers and their bytes, how many there are by route, and how each semantic cache stands."""

    answers: int
    bytes: int
    routes: dict[str, int]
    semantic: list[TierShown]


class Eviction(BaseModel):
    """What is to go: the answer of one ``record``, those of a ``route``, or those that rest on ``passages`` of a
    ``base``."""

    record: Annotated[str, Field(max_length=100)] = ""
    route: Annotated[str, Field(max_length=1000)] = ""
    base: Annotated[str, Field(max_length=1000)] = ""
    passages: Annotated[list[str], Field(max_length=10_000)] = []


class Evicted(BaseModel):
    """How many answers went."""

    evicted: int


class Halted(BaseModel):
    """Why the semantic cache of a route is switched off."""

    why: Annotated[str, Field(min_length=1, max_length=1000)]


def add_routes(app: FastAPI) -> None:
    """Add this noun's routes."""
    _add_kept(app)
    _add_tiers(app)


def _add_kept(app: FastAPI) -> None:
    @app.get("/api/cache", tags=["cache"])
    def get_cache(request: Request, access: Annotated[Access, needs(_READ)]) -> CacheShown:
        """Return what is kept, and how each semantic cache stands."""
        office = office_of(request)
        with _shelf(office) as shelf:
            counts = shelf.counts()
        tiers = [_shown(one, office.home) for one in _tiers(office).standings()]
        return CacheShown(answers=counts.answers, bytes=counts.bytes, routes=dict(counts.routes), semantic=tiers)

    @app.post("/api/cache/evict", tags=["cache"])
    def evict_answers(request: Request, access: Annotated[Access, needs(_WRITE)], eviction: Eviction) -> Evicted:
        """Let go of some answers. When this has returned, no worker gives them again."""
        named = sum((bool(eviction.record), bool(eviction.route), bool(eviction.passages)))
        if named != 1 or bool(eviction.base) != bool(eviction.passages):
            raise InvalidRequest("Name one of these: 'record', 'route', or 'base' with 'passages'.")
        office = office_of(request)
        with _shelf(office) as shelf:
            if eviction.passages:
                gone = shelf.drop(eviction.base, eviction.passages)
            else:
                gone = shelf.evict(source=eviction.record, route=eviction.route)
        subject = eviction.record or eviction.route or eviction.base
        _note(office, access, "evict", subject, {"answers": gone, "passages": len(eviction.passages)})
        return Evicted(evicted=gone)

    @app.delete("/api/cache", tags=["cache"])
    def clear_cache(request: Request, access: Annotated[Access, needs(_WRITE)]) -> Evicted:
        """Let go of all answers. What is known of the semantic caches' errors stays."""
        office = office_of(request)
        with _shelf(office) as shelf:
            gone = shelf.clear()
        _note(office, access, "clear", "", {"answers": gone})
        return Evicted(evicted=gone)


def _add_tiers(app: FastAPI) -> None:
    @app.post("/api/cache/semantic/{route}/off", tags=["cache"])
    def halt_semantic_cache(
        request: Request, route: str, access: Annotated[Access, needs(_WRITE)], halted: Halted
    ) -> TierShown:
        """Switch the semantic cache of a route off, in every worker from its next call."""
        office = office_of(request)
        standing = _tiers(office).halt(route, halted.why)
        _note(office, access, "off", route, {})
        return _shown(standing, office.home)

    @app.post("/api/cache/semantic/{route}/on", tags=["cache"])
    def resume_semantic_cache(request: Request, route: str, access: Annotated[Access, needs(_WRITE)]) -> TierShown:
        """End what switched it off by hand; what was shown of its errors still counts."""
        office = office_of(request)
        standing = _tiers(office).resume(route)
        _note(office, access, "on", route, {})
        return _shown(standing, office.home)

    @app.post("/api/cache/semantic/{route}/reset", tags=["cache"])
    def reset_semantic_cache(request: Request, route: str, access: Annotated[Access, needs(_WRITE)]) -> TierShown:
        """Begin it anew: nothing that was shown of its errors counts any more."""
        office = office_of(request)
        standing = _tiers(office).reset(route)
        _note(office, access, "reset", route, {})
        return _shown(standing, office.home)


@contextmanager
def _shelf(office: Office) -> Iterator[Shelf]:
    shelf = open_shelf(office.loaded().config.cache, office.home)
    try:
        yield shelf
    finally:
        shelf.close()


def _tiers(office: Office) -> Tiers:
    return Tiers(office.home, {name: row.cache for name, row in office.loaded().config.routes.items()})


def _shown(standing: TierStanding, home: Path) -> TierShown:
    counted = totals(home / "run" / "metrics", (_LOOKUPS, _SHADOWS, _STATE))
    served = counted[_LOOKUPS].get((standing.route, "semantic"), [0.0])
    shadowed = counted[_SHADOWS].get((standing.route,), [0.0])
    off = [worker for (worker, route), (state,) in counted[_STATE].items() if route == standing.route and state == _OFF]
    fields = structs.asdict(standing)
    return TierShown(**fields, served=int(served[0]), shadowed=int(shadowed[0]), workers_off=sorted(off))


def _note(office: Office, access: Access, what: str, subject: str, details: Details) -> None:
    with writing(office.engine) as connection:
        record_event(office.engine, connection, access.actor, f"cache.{what}", f"cache:{subject}", details)
