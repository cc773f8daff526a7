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
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
import uvloop

from mainstay.api.asgi import Api
from mainstay.api.health import HealthEndpoints
from mainstay.assembly import Blueprint, Rooms, show_standings
from mainstay.batches.desk import Desk
from mainstay.config.load import Loaded
from mainstay.core.errors import SetupError
from mainstay.core.ports import Origin
from mainstay.engines.config import LlamaCppConfig
from mainstay.engines.llamacpp import LlamaCpp
from mainstay.engines.null import NoEngine
from mainstay.identity.keyring import open_keyring, snapshot_path
from mainstay.identity.keys import load_pepper
from mainstay.runtime.client import LeanTransport
from mainstay.runtime.leash import Leash
from mainstay.runtime.server import Limits, Server
from mainstay.runtime.state import has_begun, read_state
from mainstay.runtime.supervisor import Listen, Plan
from mainstay.store.journal import Journal
from mainstay.store.kv import open_key_values
from mainstay.telemetry.logs import configure_logs
from mainstay.telemetry.metrics import Slab, exposition
from mainstay.telemetry.stage import Observer

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from mainstay.api.grpc.listener import GrpcListener
    from mainstay.batches.jobs import Runner
    from mainstay.telemetry.jobs import Loader

__all__ = ["control_main", "plan", "worker_main"]

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
        self._values = open_key_values(loaded.config.store.url, home)
        batches = loaded.config.batches
        self._desk = Desk(loaded.config.store.url, home, batches) if batches.enabled else None
        self._rooms = Rooms(self._ring, self._note_probe, self._values)
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
        self._ticks = 0
        #: By model: how it was when that was last looked at, and how its last probe ended.
        self._states: dict[str, str] = {}
        self._probed: dict[str, str] = {}

    async def run(self, sockets: Sequence[socket.socket]) -> None:
        metrics = self._home / "run" / "metrics"
        health = HealthEndpoints(lambda: _parts(self._home), self._rooms.describe, lambda: exposition(metrics))
        api = Api(lambda: self._gate, self._observer, health, self._values, self._desk)
        server = Server(api, _limits(self._loaded), refuse=api.refusal, on_refused=api.refused)
        loop = asyncio.get_running_loop()
        self._leash.attach(loop, on_config=self._apply, on_drain=self._on_drain)
        self._due = loop.time()
        self._tick()
        self._count_config(1)
        while not snapshot_path(self._home).exists() and not self._stop.is_set():  # noqa: ASYNC110 - another process's file
            await asyncio.sleep(0.01)
        self._ring.refresh()
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
        await self._rooms.aclose()
        await self._values.aclose()
        if self._desk is not None:
            await self._desk.aclose()
        self._journal.close()

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
        self._memory.set(_resident())
        if not self._stop.is_set():
            self._rooms.probe(now)
        if self._ticks % _SHOW == 0:
            show_standings(self._rooms.standings, self._slab, self._slot, now)
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
        # A database that is missing after the start was moved: a new one would hold no key, and every call be refused.
        engine = open_engine(loaded.config.store.url, create=not has_begun(loaded.home / "run"))
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
    if loaded.config.batches.enabled:
        threads.append(threading.Thread(target=_batches(loaded, engine).run, args=(stop,), name="batches", daemon=True))
    for thread in threads:
        thread.start()
    alive = asyncio.run(_control(leash, loader, slab, threads))
    stop.set()
    for thread in threads:
        thread.join()
    loader.load_once()
    engine.dispose()
    return 0 if alive else 1


def _batches(loaded: Loaded, engine: "Engine") -> "Runner":
    """Return what works through batches: over the gateway's own port, with passes for their keys."""
    from mainstay.batches.jobs import Runner, origin_of

    def origin() -> Origin | None:
        state = read_state(loaded.home / "run")
        return origin_of(state.get("url", "")) if state is not None else None

    pepper = load_pepper(loaded.home)
    return Runner(engine, loaded.home, loaded.config.batches, pepper, origin, LeanTransport)


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
