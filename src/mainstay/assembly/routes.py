"""Routes: how each chooses among its targets, what it does when they fail, and the door to each model."""

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
from msgspec.structs import replace

from mainstay.config.schema import Config, ProviderConfig, RouteSection
from mainstay.core.target import Target
from mainstay.cost.config import CostConfig
from mainstay.engines.config import LlamaCppConfig
from mainstay.guardrails.config import RouteTo
from mainstay.guardrails.port import Scanner
from mainstay.guardrails.service import Screens
from mainstay.guardrails.stage import Screen
from mainstay.providers.bedrock.config import BedrockConfig
from mainstay.providers.config import EchoConfig, GuardsConfig, ModelConfig, OpenAIConfig, VendorConfig
from mainstay.providers.openai import read_ask
from mainstay.providers.vendors import VendorRow
from mainstay.routing.admission import Admission, Lag
from mainstay.routing.cheapest import Cheapest
from mainstay.routing.config import RouteConfig
from mainstay.routing.fastest import Fastest
from mainstay.routing.first import First
from mainstay.routing.greenest import Greenest
from mainstay.routing.hedge import Hedge
from mainstay.routing.least_loaded import LeastLoaded
from mainstay.routing.limit import Aimd, Auto, Fixed, Limit
from mainstay.routing.port import Chooser, Loads
from mainstay.routing.probe import Probe
from mainstay.routing.progress import Rules
from mainstay.routing.resort import Earlier, LastModel, LastWords, Resort
from mainstay.routing.single_flight import SingleFlight
from mainstay.routing.stage import Route
from mainstay.routing.standing import Standing
from mainstay.routing.sticky import Sticky
from mainstay.routing.weighted import Weighted

__all__ = ["admission_of", "probe_of", "redacting_of", "route_of", "screens_of", "wishes_of"]

_CHOOSERS: Mapping[str, Callable[[Loads], Chooser]] = {
    "first": lambda _: First(),
    "weighted": lambda _: Weighted(),
    "fastest": Fastest,
    "least-loaded": LeastLoaded,
    "cheapest": lambda _: Cheapest(),
    "greenest": lambda _: Greenest(),
    "sticky": Sticky,
}


def probe_of(model: ModelConfig, config: Config, target: Target) -> Probe:
    """Return how one model is probed: one word in, one token out."""
    assert model.probe is not None
    base_url = getattr(config.providers[model.provider], "base_url", "")
    # OpenAI's newer models refuse the name that all compatible servers know.
    limit = "max_completion_tokens" if base_url == OpenAIConfig.vendor_url else "max_tokens"
    body = {"model": target.model, "messages": [{"role": "user", "content": "Hi"}], limit: 1}
    rule = model.probe
    return Probe(target, read_ask(msgspec.json.encode(body)), rule.every, rule.idle, rule.timeout)


def _is_sold(row: ProviderConfig, vendor: VendorRow | None) -> bool:
    """Return whether a provider is somebody else's: reached with TLS."""
    if isinstance(row, VendorConfig) and vendor is not None:
        return (row.base_url or vendor.base_url).startswith("https://")
    return isinstance(row, BedrockConfig) or str(getattr(row, "base_url", "")).startswith("https://")


def admission_of(config: Config, name: str, vendor: VendorRow | None, lag: Lag) -> Admission | None:
    """Return the door to one model, or None where none is wanted."""
    model, overload = config.models[name], config.overload
    row = config.providers[model.provider]
    limit: Limit
    if model.concurrency == "off" or (model.concurrency == "auto" and isinstance(row, EchoConfig)):
        return None
    if model.concurrency != "auto":
        limit = Fixed(model.concurrency)
    elif isinstance(row, LlamaCppConfig):
        limit = Fixed(row.parallel)
    elif isinstance(row, GuardsConfig):
        # One thread judges; a second call reads its images meanwhile.
        limit = Fixed(2)
    else:
        # A vendor says when it is too much, and its latency has many other reasons; a server of one's own only slows.
        limit = Aimd() if _is_sold(row, vendor) else Auto()
    return Admission(limit, calls=overload.queue, wait=overload.wait, shares=overload.shares, lag=lag)


def route_of(
    route: RouteSection, targets: Mapping[str, Target], standings: Mapping[str, Standing], cost: CostConfig
) -> Route:
    """Return the loop over attempts of one route."""
    weighted = [replace(targets[entry.model], weight=entry.weight) for entry in route.targets]
    fallback = [targets[name] for name in route.fallback]
    alternatives = len(weighted) + len(fallback) > 1
    return Route(
        _CHOOSERS[route.choose](standings),
        weighted,
        standings,
        fallback,
        Rules(route.attempts, route.patience, route.filtered == "fallback"),
        interrupted=route.interrupted,
        resort=_resort(route, targets),
        paced=route.stream_upstream == "always" or (route.stream_upstream == "auto" and alternatives),
        hedge=Hedge(route.hedge) if route.hedge is not None else None,
        flights=SingleFlight() if route.single_flight else None,
        wished={name: targets[name] for name in _wishes(route, cost)},
    )


def wishes_of(route: RouteSection) -> list[str]:
    """Return the models that its language or a rail may have asked first, each once."""
    language = route.language.targets.values() if route.language is not None else ()
    rails = [rail.do.route for rail in route.rails.values() if isinstance(rail.do, RouteTo)]
    return list(dict.fromkeys((*language, *rails)))


def screens_of(screens: Screens, name: str, route: RouteSection, home: Path) -> tuple[Screen, ...]:
    """Return the step that looks at what enters and leaves a route, if it wants one."""
    form, reads, runs = route.form.output, route.modalities is not None, route.tools is not None
    schema = form is not None and form.kind == "json"
    return screens.steps(
        name, home, route.language, route.rails, reads=reads, runs=runs, schema=schema, sends=route.sends
    )


def redacting_of(screens: Screens, config: Config, home: Path) -> dict[str, tuple[Scanner, ...]]:
    """Return what looks for that which is not kept, by route with ``content: redacted``: what its rails find, and what
    is usual.

    Raises:
        StartError: the packages of a rail are missing.
    """
    wanted = {name: route for name, route in config.routes.items() if route.content == "redacted"}
    return {name: screens.redacting(home, route.rails) for name, route in wanted.items()}


def _wishes(route: RouteSection, cost: CostConfig) -> set[str]:
    """Return the models that a stage before the route's may want asked first."""
    return {*wishes_of(route)} | {
        row.soft.model for row in cost.budgets.values() if row.soft is not None and row.soft.model
    }


def _resort(route: RouteConfig, targets: Mapping[str, Target]) -> Resort | None:
    last = route.last_resort
    if last is None:
        return None
    resort: Resort | None = LastWords(last.text) if last.text is not None else None
    if last.model is not None:
        resort = LastModel(targets[last.model], resort)
    return Earlier(resort) if last.earlier else resort
