"""The processes beside the workers: control, which owns the database, and the ledger, which grants what is spent."""

import asyncio
import contextlib
import os
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

import structlog

from mainstay.app.payload import unpack
from mainstay.config.load import Loaded
from mainstay.core.errors import SetupError
from mainstay.core.ports import Origin
from mainstay.identity.keys import load_pepper
from mainstay.runtime.client import LeanTransport
from mainstay.runtime.leash import Leash
from mainstay.runtime.state import has_begun, read_state
from mainstay.telemetry.logs import configure_logs
from mainstay.telemetry.metrics import Slab

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from mainstay.api.admin.listener import AdminListener
    from mainstay.assembly.footprints import Footprinting
    from mainstay.assembly.tending import Tending
    from mainstay.batches.jobs import Runner
    from mainstay.store.sealing import KeyedSeal
    from mainstay.telemetry.jobs import Loader

__all__ = ["control_main", "ledger_main"]

_log = structlog.get_logger("mainstay.app")
#: Who does what nobody asked for, as the audit log has it.
_SYSTEM = "mainstay"


def ledger_main(payload: bytes, leash: Leash) -> int:
    """Say who may spend how much until told to stop; called in a forked child. Return the exit code."""
    from mainstay.assembly.ledger import count

    loaded = unpack(payload).loaded
    log = loaded.config.telemetry.log
    configure_logs(log.format, log.level, worker="ledger")
    asyncio.run(count(loaded, leash, lambda changed: unpack(changed).loaded))
    return 0


def control_main(payload: bytes, leash: Leash) -> int:
    """Own the database: migrate it, publish the keys, load the journals, serve the admin API. Return the exit code.

    On a drain it goes on until every journal is loaded.
    """
    # Only this process pays for the import of the database library and the web framework.
    from mainstay.api.admin.listener import AdminListener
    from mainstay.app.upkeep import Upkeep
    from mainstay.assembly.bases import auditor, open_knowledge
    from mainstay.assembly.footprints import Footprinting
    from mainstay.assembly.tending import Tending
    from mainstay.cost.store import post
    from mainstay.governance import denials
    from mainstay.identity.directory import Directory
    from mainstay.identity.service import Keys
    from mainstay.store.sql import migrate, open_engine
    from mainstay.telemetry.jobs import Loader, together

    loaded = unpack(payload).loaded
    log = loaded.config.telemetry.log
    configure_logs(log.format, log.level, worker="control")
    try:
        # A database that is missing after the start was moved: a new one would hold no key, and every call be refused.
        engine = open_engine(loaded.config.store.url, create=not has_begun(loaded.home / "run"))
        migrate(engine)
        keys = Keys(engine, loaded.home)
        keys.publish()
        admin = AdminListener(engine, keys, loaded, lambda now, who: open_knowledge(now, who, auditor(engine, who)))
        tending = Tending(lambda: admin.loaded, lambda now: open_knowledge(now, _SYSTEM, auditor(engine, _SYSTEM)))
        upkeep = Upkeep(engine, lambda: admin.loaded, Directory(engine).homes)
        upkeep.tend_keys()
    except SetupError as error:
        leash.failed(error.message, error.exit_code)
        return error.exit_code
    # Before its threads begin, which take after it.
    _step_back()
    footprinting = Footprinting(loaded.config)
    posts = together(post, denials.post)
    loader = Loader(engine, loaded.home / "journal", post=posts, enrich=footprinting.settle)
    slab = Slab(loaded.home / "run" / "metrics", "control")
    stop = threading.Event()
    threads = [
        threading.Thread(target=keys.run, args=(stop,), name="keys", daemon=True),
        threading.Thread(target=loader.run, args=(stop,), name="loader", daemon=True),
        threading.Thread(target=upkeep.run, args=(stop,), name="upkeep", daemon=True),
        threading.Thread(target=tending.run, args=(stop,), name="knowledge", daemon=True),
    ]
    if loaded.config.batches.enabled:
        runner = _batches(loaded, engine, slab, upkeep.seal)
        threads.append(threading.Thread(target=runner.run, args=(stop,), name="batches", daemon=True))
    for thread in threads:
        thread.start()
    alive = asyncio.run(_control(leash, loader, slab, threads, admin, footprinting, tending))
    stop.set()
    for thread in threads:
        thread.join()
    loader.load_once()
    engine.dispose()
    return 0 if alive else 1


def _batches(loaded: Loaded, engine: "Engine", slab: Slab, seal: "KeyedSeal") -> "Runner":
    """Return what works through batches: over the gateway's own port, with passes for their keys."""
    from mainstay.assembly.footprints import begin_of
    from mainstay.batches.jobs import Runner, meters_of, origin_of

    def origin() -> Origin | None:
        state = read_state(loaded.home / "run")
        return origin_of(state.get("url", "")) if state is not None else None

    pepper = load_pepper(loaded.home)
    begin, meters = begin_of(loaded.config), meters_of(slab.counter)
    return Runner(engine, loaded.home, loaded.config.batches, pepper, origin, LeanTransport, meters, begin, seal)


def _step_back() -> None:
    """Let the workers go first: loading records may wait, answering may not.

    On one core it takes only what nobody wants: a slice of its own is time that a call waits. On more there is a core
    beside the worker's, and what fills them all, such as a local model, must not keep keys and records from their turn.
    """
    with contextlib.suppress(AttributeError, OSError):
        if len(os.sched_getaffinity(0)) == 1:
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
            return
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    os.nice(10)


async def _control(
    leash: Leash,
    loader: "Loader",
    slab: Slab,
    threads: Sequence[threading.Thread],
    admin: "AdminListener",
    footprinting: "Footprinting",
    tending: "Tending",
) -> bool:
    """Answer the supervisor and workers and publish the loader's counts until told to stop; False if a thread died."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def apply(generation: int, payload: bytes) -> None:
        admin.loaded = unpack(payload).loaded
        leash.applied(generation)

    leash.attach(loop, on_config=apply, on_drain=lambda _: stop.set())
    await admin.start()
    loaded = slab.counter("mainstay_records_loaded_total")
    rejected = slab.counter("mainstay_records_rejected_total")
    lag = slab.counter("mainstay_journal_lag_bytes")
    transport = LeanTransport()
    leash.ready()
    while not stop.is_set():
        footprinting.tick(admin.loaded.config, transport)
        loaded.set(loader.loaded)
        rejected.set(loader.rejected)
        lag.set(loader.backlog)
        tending.show(slab)
        if not all(thread.is_alive() for thread in threads):
            # A fault nobody foresaw: end here, and the supervisor starts afresh.
            return False
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), 0.5)
    await admin.drain(5.0)
    await transport.aclose()
    return True
