"""From one generation of the configuration to what a worker serves: providers, targets, standings, lines.

Below ``app``, which runs it in processes. What outlives a generation is kept here: connections to upstreams, and what
was learnt of them.
"""

import time
from collections.abc import Mapping
from typing import Any

import msgspec

from mainstay.api.gate import Gate, Served
from mainstay.assembly.caches import Caches
from mainstay.assembly.footprints import footprints_of, today_of
from mainstay.assembly.knowledge import Grounds
from mainstay.assembly.moderation import Moderation
from mainstay.assembly.policies import Admissions
from mainstay.assembly.prices import ledger_stages, prices_of, shown
from mainstay.assembly.routes import admission_of, probe_of, redacting_of, route_of, screens_of, wishes_of
from mainstay.assembly.targets import local_endpoint, reached, target_of, vendors_of
from mainstay.caching.stage import Recall
from mainstay.config.load import Loaded
from mainstay.config.schema import Config, ProviderConfig, RouteSection
from mainstay.core.clock import monotonic
from mainstay.core.ports import Transport
from mainstay.core.target import TALKS, Operation, Target
from mainstay.core.timeouts import Timeouts
from mainstay.cost.stage import Charge
from mainstay.cost.till import Priced, Till
from mainstay.energy import Footprints
from mainstay.energy.jobs import Today
from mainstay.energy.tally import Tally
from mainstay.engines.port import EngineAddress
from mainstay.grounding.stage import Ground
from mainstay.guardrails.port import Reviews, Scanner
from mainstay.guardrails.service import Screens
from mainstay.identity.keyring import KeyRing
from mainstay.identity.null import NullKeyRing
from mainstay.line.line import compile_line
from mainstay.providers.anthropic import AnthropicCodec
from mainstay.providers.bedrock.config import BedrockConfig
from mainstay.providers.config import (
    AnthropicConfig,
    EchoConfig,
    GuardsConfig,
    HttpProviderConfig,
    OpenAIConfig,
    VendorConfig,
)
from mainstay.providers.echo import Echo
from mainstay.providers.hearing import Hearing
from mainstay.providers.http import HttpProvider
from mainstay.providers.null import NullProvider
from mainstay.providers.offers import by_operation, endpoint_of, key_of, others_of, via
from mainstay.providers.openai import OpenAICodec
from mainstay.providers.port import Codec, Provider
from mainstay.providers.stage import CallProvider
from mainstay.providers.vendors import VendorRow, address, make_codec, make_vendor_codec, vendor_credentials
from mainstay.reading.service import Readers
from mainstay.reading.stage import Read
from mainstay.routing.admission import Lag
from mainstay.routing.first import First
from mainstay.routing.probe import Note, Probes
from mainstay.routing.stage import Route
from mainstay.routing.standing import Credential, Standing
from mainstay.runtime.transport import open_transport
from mainstay.shaping import Shape, Templates, compile_shape
from mainstay.store.kv import KeyValues, NullKeyValues
from mainstay.telemetry.stage import Observe
from mainstay.tools.service import Toolbox

__all__ = ["Blueprint", "Rooms"]

_DEFAULTS = Timeouts()


class Blueprint(msgspec.Struct, frozen=True):
    """What a worker is built from: the configuration, and how its local engines are reached."""

    loaded: Loaded
    engines: Mapping[str, EngineAddress]


class Rooms:
    """What one worker holds across generations of the configuration.

    Args:
        ring: who the keys belong to.
        till: where calls reserve what they may cost.
        tally: finds the energy of calls.
        note: told of each probe that ended.
        values: where turns are kept that callers must go on with.
        reviews: where calls wait for a person.
        caches: where answers are kept that may be given again.
    """

    def __init__(
        self,
        ring: KeyRing,
        till: Till,
        tally: Tally,
        note: Note = lambda *_: None,
        values: KeyValues | None = None,
        reviews: Reviews | None = None,
        caches: Caches | None = None,
    ) -> None:
        self._caches = caches
        self.grounds = Grounds(reviews)
        self._tally = tally
        self._today: Today | None = None
        self._local: frozenset[str] = frozenset()
        self._ring = ring
        self._till = till
        self._note = note
        self._probes: Probes | None = None
        self._open = NullKeyRing(ring)
        self._transports: dict[tuple[bool, str | None], Transport] = {}
        #: By model: what was learnt of it, and the rows it was learnt under.
        self._known: dict[str, tuple[tuple[Any, ...], Standing]] = {}
        self._credentials: dict[str, tuple[object, Credential]] = {}
        self._lag = Lag()
        self._readers = Readers()
        self._moderation = Moderation(self._readers)
        self._screens = Screens(reviews, self._moderation.words)
        self._tools = Toolbox(values or NullKeyValues(), self._transport)

    @property
    def standings(self) -> Mapping[str, Standing]:
        """What is known of each model now served."""
        return {name: standing for name, (_, standing) in self._known.items()}

    @property
    def local_calls(self) -> int:
        """How many calls of engines on this machine are under way."""
        known = self.standings
        return sum(known[name].in_flight for name in self._local if name in known)

    def describe(self) -> Mapping[str, str]:
        """Return how each model is, in a few words; see :meth:`Standing.describe`."""
        now = monotonic()
        return {name: standing.describe(now) for name, standing in self.standings.items()}

    def gate(self, blueprint: Blueprint) -> Gate:
        """Build every line of one configuration."""
        loaded, engines = blueprint.loaded, blueprint.engines
        config = loaded.config
        vendors = vendors_of(config)
        rows = config.providers.items()
        self._moderation.renew(config.reading)
        providers = {name: self._provider(name, row, engines.get(name), vendors.get(name)) for name, row in rows}
        judge = self._moderation.assessor
        others = by_operation(
            (name, others_of(row, vendors.get(name), reached(engines.get(name)), self._transport, judge))
            for name, row in rows
        )
        prices = prices_of(loaded, vendors)
        self._till.renew(prices)
        footprints = footprints_of(config)
        self._local = frozenset(name for name, row in config.models.items() if row.provider in engines)
        self._tally.renew(footprints, self._local)
        measured = self._tally if self._tally.measures else None
        self._today = today_of(config, self._transport(False, None), measured) if measured is not None else None
        targets = _targets(config, engines, vendors, others, prices, footprints)
        hold, charge = ledger_stages(config.cost, self._till)
        standings = self._standings(config, targets, vendors)
        call = CallProvider(providers, others)
        observe, admissions = Observe(), Admissions(loaded, targets)
        templates = Templates(config.prompts) if config.prompts else None
        self._tools.renew(config.mcp)
        served: dict[str, Served] = {}
        self.grounds.renew(config, loaded.home)
        for name, route in config.routes.items():
            line = compile_line(
                (
                    observe,
                    *admissions.steps(route),
                    hold,
                    *screens_of(self._screens, name, route, loaded.home),
                    *self._open_book(name, route, config, targets),
                    *self._reads(route, config, targets, standings, charge, call),
                    *self._tools.stages(route.tools),
                    compile_shape(route.form, route.attempts, templates, route.prompt or "", route.pin),
                    route_of(route, targets, standings, config.cost),
                    charge,
                    call,
                )
            )
            full = route.content != "none"
            talks = any(targets[entry.model].operations & TALKS for entry in route.targets)
            served[name] = Served(name, line, route.timeouts.limits(), full, "mainstay", route.store_responses, talks)
        for name, target in targets.items():
            if name not in served:
                # A budget's own choice of a smaller model is not for who asks for this very one.
                alone = (Shape(templates=templates), Route(First(), (target,), standings), charge, call)
                line = compile_line((observe, *admissions.alone(name), hold, *alone))
                talks = bool(target.operations & TALKS)
                served[name] = Served(name, line, _DEFAULTS, False, target.provider, talks=talks)
        self._renew_probes(config, targets, standings, call)
        keys = self._ring if config.identity.required else self._open
        now, origins = int(time.time()), frozenset(config.mcp.origins)
        return Gate(served, keys, loaded.hash, now, config.overload.classes, config.responses, origins)

    def redacting(self, loaded: Loaded) -> Mapping[str, tuple[Scanner, ...]]:
        """Return what looks for that which is not kept of a call, by route with ``content: redacted``."""
        return redacting_of(self._screens, loaded.config, loaded.home)

    def _open_book(
        self, name: str, route: RouteSection, config: Config, targets: Mapping[str, Target]
    ) -> tuple[Recall | Ground, ...]:
        """Return the steps that give kept answers again and that say what new ones rest on."""
        asking = self.grounds.asking(route)
        kept = self._caches.steps(name, route, config, targets, asking) if self._caches is not None else ()
        return *kept, *self.grounds.steps(route, asking)

    def _renew_probes(
        self,
        config: Config,
        targets: Mapping[str, Target],
        standings: Mapping[str, Standing],
        call: CallProvider,
    ) -> None:
        if self._probes is not None:
            self._probes.stop()
        probed = {
            name: probe_of(row, config, targets[name])
            for name, row in config.models.items()
            if row.probe and Operation.CHAT in targets[name].operations
        }
        self._probes = Probes(probed, standings, compile_line((call,)), self._note)

    def _reads(
        self,
        route: RouteSection,
        config: Config,
        targets: Mapping[str, Target],
        standings: Mapping[str, Standing],
        charge: Charge,
        call: CallProvider,
    ) -> tuple[Read, ...]:
        """Return the step that reads for the models of a route, if the route wants one."""
        ears = route.modalities.audio if route.modalities is not None else None
        hearing = ears and Hearing(ears, compile_line((Route(First(), (targets[ears],), standings), charge, call)))
        own = [
            targets[name] for name in (*(entry.model for entry in route.targets), *route.fallback, *wishes_of(route))
        ]
        return self._readers.steps(route.modalities, config.reading, own, hearing or None, self._transport(False, None))

    def probe(self, now: float) -> None:
        """Send the probes that are due at monotonic second ``now``; to be called several times a second."""
        if self._probes is not None:
            self._probes.tick(now)
        if self._today is not None:
            self._today.tick()

    def _standings(
        self, config: Config, targets: Mapping[str, Target], vendors: Mapping[str, VendorRow]
    ) -> Mapping[str, Standing]:
        """Return what is known of each target; a row that was edited is a new acquaintance."""
        credentials: dict[str, tuple[object, Credential]] = {}
        for name, provider in config.providers.items():
            bought = (provider, vendors.get(name))
            old = self._credentials.get(name)
            credentials[name] = old if old is not None and old[0] == bought else (bought, Credential())
        known: dict[str, tuple[tuple[Any, ...], Standing]] = {}
        for name, target in targets.items():
            rows = (credentials[target.provider][0], target, config.models[name].concurrency, config.overload)
            was = self._known.get(name)
            if was is None or was[0] != rows:
                door = admission_of(config, name, vendors.get(target.provider), self._lag)
                was = (rows, Standing(target, credentials[target.provider][1], door))
            known[name] = was
        self._credentials, self._known = credentials, known
        return self.standings

    def _provider(
        self, name: str, row: ProviderConfig, engine: EngineAddress | None, vendor: VendorRow | None
    ) -> Provider:
        if isinstance(row, EchoConfig):
            return Echo(row.delay, row.gap)
        if isinstance(row, GuardsConfig):
            return NullProvider()
        if engine is not None:
            return HttpProvider(OpenAICodec(), local_endpoint(engine), self._transport(False, None))
        if isinstance(row, VendorConfig):
            assert vendor is not None
            codec = make_codec(vendor.wire, name)
            base_url, path = address(vendor, row.parameters, row.base_url)
            credentials = vendor_credentials(vendor, codec, key_of(row))
            return self._bought(row, base_url, make_vendor_codec(vendor, codec, path), credentials)
        if isinstance(row, BedrockConfig):
            return self._bought(row, row.url, make_codec("bedrock"))
        assert isinstance(row, OpenAIConfig | AnthropicConfig)
        return self._bought(row, row.base_url, AnthropicCodec() if isinstance(row, AnthropicConfig) else OpenAICodec())

    def _bought(
        self,
        row: HttpProviderConfig,
        base_url: str,
        codec: Codec,
        credentials: tuple[tuple[bytes, bytes], ...] | None = None,
    ) -> Provider:
        endpoint = endpoint_of(row, base_url, codec.credentials(key_of(row)) if credentials is None else credentials)
        return HttpProvider(codec, endpoint, self._transport(*via(row, endpoint)))

    def _transport(self, http2: bool, ca_file: str | None) -> Transport:
        found = self._transports.get((http2, ca_file))
        if found is None:
            found = self._transports[http2, ca_file] = open_transport(http2=http2, ca_file=ca_file)
        return found

    async def aclose(self) -> None:
        """Stop probing and close every connection to an upstream."""
        if self._probes is not None:
            await self._probes.aclose()
        if self._today is not None:
            await self._today.aclose()
        await self._readers.aclose()
        self._moderation.close()
        await self._tools.aclose()
        await self.grounds.aclose()
        for transport in self._transports.values():
            await transport.aclose()


def _targets(
    config: Config,
    engines: Mapping[str, EngineAddress],
    vendors: Mapping[str, VendorRow],
    others: Mapping[Operation, Mapping[str, Provider]],
    prices: Mapping[str, Priced],
    footprints: Footprints | None,
) -> dict[str, Target]:
    """Return every model as routes see it."""
    return {
        name: target_of(
            name,
            row,
            config.providers[row.provider],
            engines.get(row.provider),
            vendors.get(row.provider),
            others,
            footprints.coefficients(name) if footprints is not None else None,
            shown(prices[name]),
        )
        for name, row in config.models.items()
    }
