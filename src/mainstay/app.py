"""The only place that knows everyone: configuration → rooms → line → ASGI application, and the processes around it.

``plan`` says what the supervisor runs, ``worker_main`` is a gateway worker, ``control_main`` the process that owns the
database. Workers hold the configuration, the keys and the line in memory and never touch the database.
"""

import asyncio
import contextlib
import gc
import os
import pickle
import resource
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec
import structlog
import uvloop
from msgspec.structs import replace

from mainstay import __version__
from mainstay.api.asgi import Api
from mainstay.api.gate import Gate, Served
from mainstay.api.health import HealthEndpoints
from mainstay.api.openai import OpenAIEndpoints
from mainstay.config.load import Loaded
from mainstay.config.schema import ProviderConfig
from mainstay.core.errors import SetupError
from mainstay.core.ports import Origin, Transport
from mainstay.core.target import Target
from mainstay.core.timeouts import Timeouts
from mainstay.engines.config import LlamaCppConfig
from mainstay.engines.llamacpp import LlamaCpp
from mainstay.engines.null import NoEngine
from mainstay.engines.port import EngineAddress
from mainstay.identity.keyring import KeyRing, open_keyring, snapshot_path
from mainstay.identity.null import NullKeyRing
from mainstay.line.line import compile_line
from mainstay.providers.anthropic import AnthropicCodec
from mainstay.providers.config import AnthropicConfig, EchoConfig, ModelConfig, OpenAIConfig
from mainstay.providers.echo import LACKS as ECHO_LACKS
from mainstay.providers.echo import Echo
from mainstay.providers.http import Endpoint, HttpProvider
from mainstay.providers.openai import OpenAICodec, render_error
from mainstay.providers.port import Codec, Provider
from mainstay.providers.stage import CallProvider
from mainstay.routing.config import RouteConfig
from mainstay.routing.first import First
from mainstay.routing.stage import Route
from mainstay.routing.weighted import Weighted
from mainstay.runtime.leash import Leash
from mainstay.runtime.server import Limits, Server
from mainstay.runtime.state import read_state
from mainstay.runtime.supervisor import Listen, Plan
from mainstay.runtime.transport import open_transport
from mainstay.store.journal import Journal
from mainstay.telemetry.logs import configure_logs
from mainstay.telemetry.metrics import Slab, exposition
from mainstay.telemetry.stage import Observe, Observer

if TYPE_CHECKING:
    from mainstay.telemetry.jobs import Loader

__all__ = ["Blueprint", "control_main", "plan", "worker_main"]

_log = structlog.get_logger("mainstay.app")
#: Seconds between two looks at the keys' snapshot; a revocation is in force on every worker within this.
_TICK = 0.2
_CHOOSERS = {"first": First, "weighted": Weighted}


class Blueprint(msgspec.Struct, frozen=True):
    """What a worker is built from: the configuration, and how its local engines are reached."""

    loaded: Loaded
    engines: Mapping[str, EngineAddress]


def plan(loaded: Loaded, secret: bytes) -> Plan:
    """Return what the supervisor must run for a configuration.

    ``secret`` is what the engines' keys are made from; the same one gives unchanged engines unchanged programs.

    Raises:
        StartError: a local model's file is missing or damaged, or its engine is not installed.
    """
    config = loaded.config
    rows = {name: row for name, row in config.providers.items() if isinstance(row, LlamaCppConfig)}
    engine = LlamaCpp(rows, loaded.home, loaded.base, secret) if rows else NoEngine()
    listen = Listen(config.server.host, config.server.port, config.server.workers)
    payload = pickle.dumps((loaded, dict(engine.addresses())))
    return Plan(payload, engine.programs(), listen, config.server.drain)


def _unpack(payload: bytes) -> Blueprint:
    # The bytes come from our own parent over a private socket pair, so that secrets touch no disk.
    return Blueprint(*pickle.loads(payload))  # noqa: S301  # never from outside this process tree


class _Rooms:
    """What one worker holds across generations of the configuration: connections, engines, keys."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring
        self._open = NullKeyRing(ring)
        self._transports: dict[tuple[bool, str | None], Transport] = {}

    def gate(self, blueprint: Blueprint) -> Gate:
        """Build every line of one configuration."""
        loaded, engines = blueprint.loaded, blueprint.engines
        config = loaded.config
        providers = {name: self._provider(row, engines.get(name)) for name, row in config.providers.items()}
        targets = {
            name: _target(name, row, config.providers[row.provider], engines.get(row.provider))
            for name, row in config.models.items()
        }
        call = CallProvider(providers)
        observe = Observe()
        served: dict[str, Served] = {}
        for name, route in config.routes.items():
            line = compile_line((observe, _route(route, targets), call))
            served[name] = Served(name, line, route.timeouts.limits(), route.content == "full", "mainstay")
        for name, target in targets.items():
            if name not in served:
                line = compile_line((observe, Route(First(), (target,)), call))
                served[name] = Served(name, line, Timeouts(), False, target.provider)
        keys = self._ring if config.identity.required else self._open
        return Gate(served, keys, loaded.hash, int(time.time()))

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
        codec = AnthropicCodec() if isinstance(row, AnthropicConfig) else OpenAICodec()
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
    return Target(name, model.provider, provider.kind, model.name or name, lacks=lacks, max_output=model.max_output)


def _route(route: RouteConfig, targets: Mapping[str, Target]) -> Route:
    weighted = [replace(targets[entry.model], weight=entry.weight) for entry in route.targets]
    fallback = [targets[name] for name in route.fallback]
    return Route(_CHOOSERS[route.choose](), weighted, fallback, route.attempts, route.last_resort)


def _parts(home: Path) -> dict[str, str]:
    state = read_state(home / "run")
    if state is None:
        return {"supervisor": "starting"}
    parts = {}
    for name, part in state.get("parts", {}).items():
        reason = f": {part['reason']}" if part.get("reason") and part["state"] != "up" else ""
        parts[name] = f"{part['state']}{reason}"
    return parts


class _Worker:
    """A gateway worker: one event loop, one journal, one share of the port."""

    def __init__(self, blueprint: Blueprint, slot: int, leash: Leash) -> None:
        self._leash = leash
        self._loaded = loaded = blueprint.loaded
        self._home = home = loaded.home
        self._ring = open_keyring(home)
        self._rooms = _Rooms(self._ring)
        self._gate = self._rooms.gate(blueprint)
        self._journal = Journal(home / "journal", slot)
        self._slab = Slab(home / "run" / "metrics", str(slot))
        self._observer = Observer(self._journal, self._slab, slot, access=loaded.config.telemetry.log.access)
        self._lag = self._slab.counter("mainstay_event_loop_lag_seconds", str(slot))
        self._memory = self._slab.counter("mainstay_worker_resident_memory_bytes", str(slot))
        self._slot = str(slot)
        self._stop = asyncio.Event()
        self._limit: float | None = None
        self._due = 0.0

    async def run(self, sockets: Sequence[socket.socket]) -> None:
        metrics = self._home / "run" / "metrics"
        health = HealthEndpoints(lambda: _parts(self._home), lambda: exposition(metrics))
        api = Api(OpenAIEndpoints(lambda: self._gate, self._observer), health, self._observer)
        server = Server(api, _limits(self._loaded), refuse=render_error, on_refused=api.refused)
        loop = asyncio.get_running_loop()
        self._leash.attach(loop, on_config=self._apply, on_drain=self._on_drain)
        self._due = loop.time()
        self._tick()
        self._count_config(1)
        while not snapshot_path(self._home).exists() and not self._stop.is_set():  # noqa: ASYNC110 - another process's file
            await asyncio.sleep(0.01)
        self._ring.refresh()
        await server.start(sockets)
        # Objects that live as long as the worker need not be looked at by every collection.
        gc.collect()
        gc.freeze()
        self._leash.ready()
        await self._stop.wait()
        await server.drain(self._loaded.config.server.drain if self._limit is None else self._limit)
        await self._rooms.aclose()
        self._journal.close()

    def _on_drain(self, limit: float | None) -> None:
        self._limit = limit
        self._stop.set()

    def _apply(self, generation: int, payload: bytes) -> None:
        blueprint = _unpack(payload)
        loaded = blueprint.loaded
        self._gate = self._rooms.gate(blueprint)
        self._count_config(0)
        self._note_restart(self._loaded, loaded)
        self._loaded = loaded
        self._count_config(1)
        self._leash.applied(generation)
        _log.info("config_applied", generation=generation, hash=loaded.hash)

    def _note_restart(self, old: Loaded, new: Loaded) -> None:
        """Say which settings of an edit wait for a restart: those that only a new process reads."""
        drained = {"drain": new.config.server.drain}
        waiting = [
            name
            for name, before, after in (
                ("server", old.config.server.model_copy(update=drained), new.config.server),
                ("telemetry", old.config.telemetry, new.config.telemetry),
                ("store", old.config.store, new.config.store),
            )
            if before != after
        ]
        if waiting and self._slot == "0":
            _log.warning("restart_needed", sections=waiting, advice="the edit of these takes effect at the next start")

    def _count_config(self, value: int) -> None:
        self._slab.counter("mainstay_config_info", self._slot, self._loaded.hash).set(value)

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._lag.set(max(0.0, now - self._due))
        self._due = now + _TICK
        self._ring.refresh()
        self._memory.set(_resident())
        loop.call_later(_TICK, self._tick)


def _limits(loaded: Loaded) -> Limits:
    server = loaded.config.server
    return Limits(
        max_body=server.max_body,
        head_timeout=server.head_timeout,
        body_timeout=server.body_timeout,
        keep_alive=server.keep_alive,
    )


def _resident() -> float:
    """Resident bytes of this process; where the kernel does not say, the most it ever had."""
    try:
        with open("/proc/self/statm", "rb") as statm:
            return int(statm.read().split()[1]) * float(os.sysconf("SC_PAGE_SIZE"))
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0


def worker_main(payload: bytes, slot: int, sockets: Sequence[socket.socket], leash: Leash) -> int:
    """Be a gateway worker until told to stop; called in a forked child. Return the exit code."""
    blueprint = _unpack(payload)
    log = blueprint.loaded.config.telemetry.log
    configure_logs(log.format, log.level, worker=slot)
    try:

        async def serve() -> None:
            await _Worker(blueprint, slot, leash).run(sockets)

        uvloop.run(serve())
    except SetupError as error:
        leash.failed(error.message, error.exit_code)
        return error.exit_code
    return 0


def control_main(payload: bytes, leash: Leash) -> int:
    """Own the database: migrate it, publish the keys, load the journals. Return the exit code.

    On a drain it goes on until every journal is loaded.
    """
    # Only this process pays for the database library's import.
    from mainstay.identity.service import Keys
    from mainstay.store.sql import migrate, open_engine
    from mainstay.telemetry.jobs import Loader

    loaded = _unpack(payload).loaded
    log = loaded.config.telemetry.log
    configure_logs(log.format, log.level, worker="control")
    _step_back()
    try:
        engine = open_engine(loaded.config.store.url)
        migrate(engine)
        keys = Keys(engine, loaded.home)
        keys.publish()
    except SetupError as error:
        leash.failed(error.message, error.exit_code)
        return error.exit_code
    loader = Loader(engine, loaded.home / "journal")
    slab = Slab(loaded.home / "run" / "metrics", "control")
    stop = threading.Event()
    threads = [
        threading.Thread(target=keys.run, args=(stop,), name="keys", daemon=True),
        threading.Thread(target=loader.run, args=(stop,), name="loader", daemon=True),
    ]
    for thread in threads:
        thread.start()
    alive = asyncio.run(_control(leash, loader, slab, threads))
    stop.set()
    for thread in threads:
        thread.join()
    loader.load_once()
    engine.dispose()
    return 0 if alive else 1


def _step_back() -> None:
    """Let the workers go first: loading records may wait, answering may not. Where there is no idle class, be nice."""
    with contextlib.suppress(AttributeError, OSError):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        return
    os.nice(15)


async def _control(leash: Leash, loader: "Loader", slab: Slab, threads: Sequence[threading.Thread]) -> bool:
    """Answer the supervisor and publish the loader's counts until told to stop; False if a thread died."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    leash.attach(loop, on_config=lambda generation, _: leash.applied(generation), on_drain=lambda _: stop.set())
    loaded = slab.counter("mainstay_records_loaded_total")
    rejected = slab.counter("mainstay_records_rejected_total")
    lag = slab.counter("mainstay_journal_lag_bytes")
    leash.ready()
    while not stop.is_set():
        loaded.set(loader.loaded)
        rejected.set(loader.rejected)
        lag.set(loader.backlog)
        if not all(thread.is_alive() for thread in threads):
            # A fault nobody foresaw: end here, and the supervisor starts afresh.
            return False
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), 0.5)
    return True
