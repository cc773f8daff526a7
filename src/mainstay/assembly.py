"""From one generation of the configuration to what a worker serves: providers, targets, standings, lines.

Below ``app``, which runs it in processes. What outlives a generation is kept here: connections to upstreams, and what
was learnt of them.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec.structs import replace

from mainstay import __version__
from mainstay.api.gate import Gate, Served
from mainstay.config.load import Loaded
from mainstay.config.schema import Config, ProviderConfig
from mainstay.core.clock import monotonic
from mainstay.core.ports import Origin, Transport
from mainstay.core.target import Target
from mainstay.core.timeouts import Timeouts
from mainstay.engines.config import LlamaCppConfig
from mainstay.engines.port import EngineAddress
from mainstay.identity.keyring import KeyRing
from mainstay.identity.null import NullKeyRing
from mainstay.line.line import compile_line
from mainstay.providers.anthropic import AnthropicCodec, CountCodec
from mainstay.providers.config import AnthropicConfig, EchoConfig, ModelConfig, OpenAIConfig
from mainstay.providers.echo import LACKS as ECHO_LACKS
from mainstay.providers.echo import Echo
from mainstay.providers.http import Endpoint, HttpProvider
from mainstay.providers.openai import OpenAICodec
from mainstay.providers.port import Codec, Provider
from mainstay.providers.stage import CallProvider
from mainstay.routing.admission import Admission
from mainstay.routing.cheapest import Cheapest
from mainstay.routing.config import RouteConfig
from mainstay.routing.fastest import Fastest
from mainstay.routing.first import First
from mainstay.routing.hedge import Hedge
from mainstay.routing.least_loaded import LeastLoaded
from mainstay.routing.limit import Auto, Fixed, Limit
from mainstay.routing.port import Chooser, Loads
from mainstay.routing.progress import Rules
from mainstay.routing.resort import Earlier, LastModel, LastWords, Resort
from mainstay.routing.single_flight import SingleFlight
from mainstay.routing.stage import Route
from mainstay.routing.standing import Credential, Standing
from mainstay.routing.sticky import Sticky
from mainstay.routing.weighted import Weighted
from mainstay.runtime.transport import open_transport
from mainstay.telemetry.metrics import Slab
from mainstay.telemetry.stage import Observe

__all__ = ["Blueprint", "Rooms", "show_standings"]

_CHOOSERS: Mapping[str, Callable[[Loads], Chooser]] = {
    "first": lambda _: First(),
    "weighted": lambda _: Weighted(),
    "fastest": Fastest,
    "least-loaded": LeastLoaded,
    "cheapest": lambda _: Cheapest(),
    "sticky": Sticky,
}
_DEFAULTS = Timeouts()


class Blueprint(msgspec.Struct, frozen=True):
    """What a worker is built from: the configuration, and how its local engines are reached."""

    loaded: Loaded
    engines: Mapping[str, EngineAddress]


class Rooms:
    """What one worker holds across generations of the configuration."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring
        self._open = NullKeyRing(ring)
        self._transports: dict[tuple[bool, str | None], Transport] = {}
        #: By model: what was learnt of it, and the rows it was learnt under.
        self._known: dict[str, tuple[tuple[Any, ...], Standing]] = {}
        self._credentials: dict[str, tuple[object, Credential]] = {}

    @property
    def standings(self) -> Mapping[str, Standing]:
        """What is known of each model now served."""
        return {name: standing for name, (_, standing) in self._known.items()}

    def describe(self) -> Mapping[str, str]:
        """Return how each model is, in a few words; see :meth:`Standing.describe`."""
        now = monotonic()
        return {name: standing.describe(now) for name, standing in self.standings.items()}

    def gate(self, blueprint: Blueprint) -> Gate:
        """Build every line of one configuration."""
        loaded, engines = blueprint.loaded, blueprint.engines
        config = loaded.config
        providers = {name: self._provider(row, engines.get(name)) for name, row in config.providers.items()}
        targets = {
            name: _target(name, row, config.providers[row.provider], engines.get(row.provider))
            for name, row in config.models.items()
        }
        standings = self._standings(config, targets)
        counters = {
            name: self._bought(row, CountCodec())
            for name, row in config.providers.items()
            if isinstance(row, AnthropicConfig)
        }
        call = CallProvider(providers, counters)
        observe = Observe()
        served: dict[str, Served] = {}
        for name, route in config.routes.items():
            line = compile_line((observe, _route(route, targets, standings), call))
            served[name] = Served(name, line, route.timeouts.limits(), route.content == "full", "mainstay")
        for name, target in targets.items():
            if name not in served:
                line = compile_line((observe, Route(First(), (target,), standings), call))
                served[name] = Served(name, line, _DEFAULTS, False, target.provider)
        keys = self._ring if config.identity.required else self._open
        return Gate(served, keys, loaded.hash, int(time.time()), config.overload.classes)

    def _standings(self, config: Config, targets: Mapping[str, Target]) -> Mapping[str, Standing]:
        """Return what is known of each target; a row that was edited is a new acquaintance."""
        credentials: dict[str, tuple[object, Credential]] = {}
        for name, row in config.providers.items():
            old = self._credentials.get(name)
            credentials[name] = old if old is not None and old[0] == row else (row, Credential())
        known: dict[str, tuple[tuple[Any, ...], Standing]] = {}
        for name, target in targets.items():
            rows = (config.providers[target.provider], target, config.models[name].concurrency, config.overload)
            was = self._known.get(name)
            known[name] = (
                was
                if was is not None and was[0] == rows
                else (
                    rows,
                    Standing(target, credentials[target.provider][1]),
                )
            )
        self._credentials, self._known = credentials, known
        return self.standings

    def _provider(self, row: object, engine: EngineAddress | None) -> Provider:
        if isinstance(row, EchoConfig):
            return Echo(row.delay, row.gap)
        if engine is not None:
            codec: Codec = OpenAICodec()
            headers = ((b"content-type", b"application/json"), *codec.credentials(engine.api_key))
            # The engine stops at once when its caller leaves only while it streams.
            endpoint = Endpoint(engine.origin, b"/v1", headers, local=True)
            return HttpProvider(codec, endpoint, self._transport(False, None))
        assert isinstance(row, OpenAIConfig | AnthropicConfig)
        return self._bought(row, AnthropicCodec() if isinstance(row, AnthropicConfig) else OpenAICodec())

    def _bought(self, row: OpenAIConfig | AnthropicConfig, codec: Codec) -> Provider:
        endpoint = _endpoint(row, codec)
        # HTTP/2 is offered in a TLS handshake; without TLS there is nothing to negotiate.
        return HttpProvider(codec, endpoint, self._transport(row.http2 and endpoint.origin.tls, row.ca_file))

    def _transport(self, http2: bool, ca_file: str | None) -> Transport:
        found = self._transports.get((http2, ca_file))
        if found is None:
            found = self._transports[http2, ca_file] = open_transport(http2=http2, ca_file=ca_file)
        return found

    async def aclose(self) -> None:
        """Close every connection to an upstream."""
        for transport in self._transports.values():
            await transport.aclose()


_STATES = {"closed": 0.0, "half-open": 1.0, "open": 2.0}


def show_standings(standings: Mapping[str, Standing], slab: Slab, worker: str, now: float) -> None:
    """Set the gauges of every model: its breaker, the upstream's clock, and how many calls are there or wait."""
    for name, standing in standings.items():
        slab.counter("mainstay_breaker_state", worker, name).set(_STATES[standing.breaker.state])
        slab.counter("mainstay_breaker_opens_total", worker, name).set(standing.breaker.opens)
        slab.counter("mainstay_upstream_throttled_seconds", worker, name).set(standing.throttled(now))
        slab.counter("mainstay_upstream_in_flight", worker, name).set(standing.in_flight)
        if standing.admission is not None:
            slab.counter("mainstay_upstream_limit", worker, name).set(standing.admission.limit)
            slab.counter("mainstay_upstream_waiting", worker, name).set(standing.admission.waiting)


def _endpoint(row: OpenAIConfig | AnthropicConfig, codec: Codec) -> Endpoint:
    url = urlsplit(row.base_url)
    tls = url.scheme == "https"
    origin = Origin(url.hostname or "", url.port or (443 if tls else 80), tls, proxy=row.proxy or "")
    key = row.api_key.get_secret_value() if row.api_key is not None else ""
    credentials = codec.credentials(key)
    # The version of the wire is the caller's to choose when it speaks that wire.
    defaults = tuple(pair for pair in credentials if pair[0].endswith(b"-version"))
    headers = dict(pair for pair in credentials if pair not in defaults)
    headers[b"content-type"] = b"application/json"
    # Vendors' front doors refuse requests that do not say who asks.
    headers[b"user-agent"] = b"mainstay/" + __version__.encode()
    headers |= {name.encode(): value.get_secret_value().encode() for name, value in row.headers.items()}
    return Endpoint(origin, url.path.rstrip("/").encode(), tuple(headers.items()), defaults)


def _target(name: str, model: ModelConfig, provider: ProviderConfig, engine: EngineAddress | None) -> Target:
    lacks = model.lacks
    if isinstance(provider, EchoConfig):
        lacks |= ECHO_LACKS
    else:
        lacks |= provider.lacks
    if engine is not None:
        lacks |= engine.lacks
    price = model.price
    return Target(
        name,
        model.provider,
        provider.kind,
        model.name or name,
        lacks=lacks,
        max_output=model.max_output,
        window=model.context_window or (engine.context if engine is not None else 0),
        prices=(float(price.input), float(price.output)) if price is not None else None,
    )


def _admission(config: Config, name: str) -> Admission | None:
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
    else:
        limit = Auto()
    return Admission(limit, calls=overload.queue, wait=overload.wait, shares=overload.shares)


def _route(route: RouteConfig, targets: Mapping[str, Target], standings: Mapping[str, Standing]) -> Route:
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
    )


def _resort(route: RouteConfig, targets: Mapping[str, Target]) -> Resort | None:
    last = route.last_resort
    if last is None:
        return None
    resort: Resort | None = LastWords(last.text) if last.text is not None else None
    if last.model is not None:
        resort = LastModel(targets[last.model], resort)
    return Earlier(resort) if last.earlier else resort
