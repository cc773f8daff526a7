"""A gateway worker: configuration → rooms → line → ASGI application, on one event loop."""

import asyncio
import gc
import os
import resource
import socket
from collections.abc import Sequence
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING

import structlog
import uvloop

from mainstay.api.asgi import Api
from mainstay.api.health import HealthEndpoints
from mainstay.api.passing import Passing
from mainstay.app.payload import unpack
from mainstay.assembly import Blueprint, Rooms, show_standings
from mainstay.assembly.caches import Caches
from mainstay.assembly.gauges import show_till
from mainstay.assembly.kept import redacted_routes
from mainstay.batches.desk import Desk
from mainstay.config.load import Loaded
from mainstay.core.clock import wall_ms
from mainstay.core.errors import SetupError
from mainstay.cost.teller import Teller
from mainstay.cost.till import Till
from mainstay.energy.service import open_meters
from mainstay.energy.tally import Tally
from mainstay.governance.content import ContentRedactor, ContentSealer
from mainstay.governance.reviews import ReviewQueue
from mainstay.governance.ring import SealRing
from mainstay.guardrails.redacting import Redaction
from mainstay.identity.keyring import open_keyring, snapshot_path
from mainstay.runtime.client import LeanTransport
from mainstay.runtime.leash import Leash
from mainstay.runtime.server import Limits, Server
from mainstay.runtime.state import read_state
from mainstay.store.journal import Journal
from mainstay.store.kv import open_key_values
from mainstay.store.kv_sealed import SealedKeyValues
from mainstay.telemetry.logs import configure_logs
from mainstay.telemetry.metrics import Slab, exposition
from mainstay.telemetry.stage import Observer

if TYPE_CHECKING:
    from mainstay.api.grpc.listener import GrpcListener

__all__ = ["worker_main"]

_log = structlog.get_logger("mainstay.app")
#: Seconds between two looks at the keys' snapshot; a revocation is in force on every worker within this.
_TICK = 0.2
#: Ticks between two updates of the models' gauges.
_SHOW = 5
#: What the log calls a change in how a model is.
_STATES = {
    "up": "upstream_well_again",
    "failing": "upstream_failing",
    "limited": "upstream_limits_rate",
    "refused": "upstream_refuses_credential",
}


def _parts(home: Path) -> tuple[bool, dict[str, str]]:
    state = read_state(home / "run")
    if state is None:
        return False, {"supervisor": "starting"}
    parts = {}
    for name, part in state.get("parts", {}).items():
        reason = f": {part['reason']}" if part.get("reason") and part["state"] != "up" else ""
        parts[name] = f"{part['state']}{reason}"
    return bool(state.get("ready")), parts


class _Worker:
    """A gateway worker: one event loop, one journal, one share of the port."""

    def __init__(self, blueprint: Blueprint, slot: int, leash: Leash) -> None:
        self._leash = leash
        self._loaded = loaded = blueprint.loaded
        self._home = home = loaded.home
        self._ring = open_keyring(home)
        self._seals = SealRing(home, loaded.config.governance.sealing)
        self._seals.refresh()
        self._reviews = ReviewQueue(home, self._seals.seal, loaded.config.governance.reviews)
        self._redaction = Redaction()
        self._redactor = ContentRedactor(self._redaction.redact)
        self._redactor.routes = redacted_routes(loaded.config)
        self._values = SealedKeyValues(open_key_values(loaded.config.store.url, home), self._seals.seal)
        batches = loaded.config.batches
        self._desk = self._open_desk(loaded) if batches.enabled else None
        self._passing = Passing(home, LeanTransport)
        process = f"{slot}-{token_hex(6)}"
        self._teller = Teller(home, process)
        self._till = Till(self._teller.purses)
        # A meter counts the machine: only one worker that has all calls of the engines here can say whose it was.
        single = loaded.config.server.workers == 1 and bool(blueprint.engines)
        self._tally = Tally(open_meters() if single else ())
        self._caches = Caches(home, self._seals.seal)
        self._rooms = Rooms(
            self._ring, self._till, self._tally, self._note_probe, self._values, self._reviews, self._caches
        )
        self._gate = self._rooms.gate(blueprint)
        self._redaction.scanners = self._rooms.redacting(loaded)
        self._journal = Journal(home / "journal", slot)
        self._slab = Slab(home / "run" / "metrics", str(slot))
        access = loaded.config.telemetry.log.access
        # Energy that no meter measures is found when the record is loaded: nobody waits for it.
        measured = (self._tally,) if self._tally.measures else ()
        settlers = (self._till, *measured, self._redactor, ContentSealer(self._seals.seal), self._caches.keeping)
        self._observer = Observer(
            self._journal,
            self._slab,
            slot,
            settlers,
            process=process,
            access=access,
        )
        self._lag = self._slab.counter("mainstay_event_loop_lag_seconds", str(slot))
        self._memory = self._slab.counter("mainstay_worker_resident_memory_bytes", str(slot))
        self._keys_version = self._slab.counter("mainstay_keys_version", str(slot))
        self._slot = str(slot)
        self._stop = asyncio.Event()
        self._limit: float | None = None
        self._due = 0.0
        self._ticks = 0
        #: What the till had counted when it was last shown.
        self._counted = (0, 0)
        #: By model: how it was when that was last looked at, and how its last probe ended.
        self._states: dict[str, str] = {}
        self._probed: dict[str, str] = {}

    async def run(self, sockets: Sequence[socket.socket]) -> None:
        metrics = self._home / "run" / "metrics"
        health = HealthEndpoints(lambda: _parts(self._home), self._rooms.describe, lambda: exposition(metrics))
        parts = (self._values, self._desk, self._passing, self._reviews, self._rooms.grounds)
        api = Api(lambda: self._gate, self._observer, health, *parts)
        server = Server(api, _limits(self._loaded), refuse=api.refusal, on_refused=api.refused)
        loop = asyncio.get_running_loop()
        self._leash.attach(loop, on_config=self._apply, on_drain=self._on_drain)
        self._due = loop.time()
        self._tick()
        self._count_config(1)
        while not snapshot_path(self._home).exists() and not self._stop.is_set():  # noqa: ASYNC110 - another process's file
            await asyncio.sleep(0.01)
        self._ring.refresh()
        self._teller.start()
        grpc = await self._open_grpc()
        await server.start(sockets)
        # Objects that live as long as the worker need not be looked at by every collection.
        gc.collect()
        gc.freeze()
        self._leash.ready()
        await self._stop.wait()
        limit = self._loaded.config.server.drain if self._limit is None else self._limit
        if grpc is None:
            await server.drain(limit)
        else:
            await asyncio.gather(server.drain(limit), grpc.drain(limit))
        await self._passing.aclose()
        await self._teller.aclose()
        await self._rooms.aclose()
        await self._values.aclose()
        await self._caches.aclose()
        if self._desk is not None:
            await self._desk.aclose()
        self._journal.close()

    def _open_desk(self, loaded: Loaded) -> Desk:
        return Desk(loaded.config.store.url, self._home, loaded.config.batches, self._seals.seal)

    async def _open_grpc(self) -> "GrpcListener | None":
        """Listen for gRPC, where that is wanted; its library costs a worker that does not want it nothing."""
        config = self._loaded.config
        if config.grpc.port is None:
            return None
        from mainstay.api.grpc.listener import GrpcListener
        from mainstay.api.grpc.messages import load_messages
        from mainstay.api.grpc.service import InferenceService

        service = InferenceService(load_messages(), lambda: self._gate, self._observer, lambda: _parts(self._home)[0])
        listener = GrpcListener(service, config.grpc.max_message)
        await listener.start(config.server.host, config.grpc.port)
        return listener

    def _on_drain(self, limit: float | None) -> None:
        self._limit = limit
        self._stop.set()

    def _apply(self, generation: int, payload: bytes) -> None:
        blueprint = unpack(payload)
        loaded = blueprint.loaded
        self._gate = self._rooms.gate(blueprint)
        self._count_config(0)
        self._note_restart(self._loaded, loaded)
        self._loaded = loaded
        self._seals.apply(loaded.config.governance.sealing)
        self._reviews.rules = loaded.config.governance.reviews
        self._redactor.routes = redacted_routes(loaded.config)
        self._redaction.scanners = self._rooms.redacting(loaded)
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
                ("grpc", old.config.grpc, new.config.grpc),
                ("telemetry", old.config.telemetry, new.config.telemetry),
                ("store", old.config.store, new.config.store),
                ("batches", old.config.batches, new.config.batches),
            )
            if before != after
        ]
        if waiting and self._slot == "0":
            _log.warning("restart_needed", sections=waiting, advice="'mainstay restart' takes the edit in")

    def _count_config(self, value: int) -> None:
        self._slab.counter("mainstay_config_info", self._slot, self._loaded.hash).set(value)

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._lag.set(max(0.0, now - self._due))
        self._due = now + _TICK
        self._ring.refresh()
        self._keys_version.set(self._ring.version)
        self._seals.refresh()
        self._reviews.refresh()
        self._memory.set(_resident())
        self._teller.tick()
        self._tally.sample(wall_ms(), self._rooms.local_calls)
        if not self._stop.is_set():
            self._rooms.probe(now)
        if self._ticks % _SHOW == 0:
            show_standings(self._rooms.standings, self._slab, self._slot, now)
            self._counted = show_till(self._till, self._slab, self._slot, self._counted)
            self._caches.show(self._slab, self._slot)
            self._note_states(now)
        self._ticks += 1
        loop.call_later(_TICK, self._tick)

    def _note_states(self, now: float) -> None:
        """Say which models are left alone from now on, and which are well again."""
        for name, standing in self._rooms.standings.items():
            state, before = standing.state(now), self._states.get(name, "up")
            if state != before:
                self._states[name] = state
                say = _log.info if state == "up" else _log.warning
                say(_STATES[state], model=name, provider=standing.target.provider)

    def _note_probe(self, model: str, outcome: str, ms: float) -> None:
        self._slab.counter("mainstay_probes_total", model, outcome).add()
        # An upstream that is away for days need not fill the log.
        say = _log.debug if self._probed.get(model) == outcome else _log.info
        say("probe", model=model, outcome=outcome, ms=ms)
        self._probed[model] = outcome


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
    blueprint = unpack(payload)
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
