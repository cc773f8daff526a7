"""What the supervisor runs for a configuration, and the bytes in which its children are handed it."""

import pickle

from mainstay.assembly import Blueprint
from mainstay.assembly.prices import prices_of, warn_of_unknown
from mainstay.assembly.targets import vendors_of
from mainstay.config.load import Loaded
from mainstay.engines.config import LlamaCppConfig
from mainstay.engines.llamacpp import LlamaCpp
from mainstay.engines.null import NoEngine
from mainstay.runtime.supervisor import Listen, Plan

__all__ = ["plan", "unpack"]


def plan(loaded: Loaded, secret: bytes) -> Plan:
    """Return what the supervisor must run for a configuration.

    ``secret`` is what the engines' keys are made from; the same one gives unchanged engines unchanged programs.

    Raises:
        StartError: a local model's file is missing or damaged, or its engine is not installed.
    """
    config = loaded.config
    warn_of_unknown(prices_of(loaded, vendors_of(config)))
    rows = {name: row for name, row in config.providers.items() if isinstance(row, LlamaCppConfig)}
    engine = LlamaCpp(rows, loaded.home, loaded.base, secret) if rows else NoEngine()
    listen = Listen(config.server.host, config.server.port, config.server.workers)
    payload = pickle.dumps((loaded, dict(engine.addresses())))
    return Plan(payload, engine.programs(), listen, config.server.drain)


def unpack(payload: bytes) -> Blueprint:
    """Return what :func:`plan` packed."""
    # The bytes come from our own parent over a private socket pair, so that secrets touch no disk.
    return Blueprint(*pickle.loads(payload))  # noqa: S301  # never from outside this process tree
