"""The ledger's process: the bank's counter over the database and the journals of one home.

It reads the database and never writes it; while that cannot be opened, nothing is granted of a budget that is not known
yet, and limits of requests and tokens go on.
"""

import asyncio
from collections.abc import Callable

import structlog

from mainstay.config.load import Loaded
from mainstay.core.errors import StartError
from mainstay.cost.account import Balances
from mainstay.cost.alerts import Alerts
from mainstay.cost.bank import Gauge
from mainstay.cost.counter import Counter
from mainstay.cost.rules import Unit
from mainstay.runtime.client import LeanTransport
from mainstay.runtime.leash import Leash
from mainstay.store.journal import has_final
from mainstay.telemetry.metrics import Slab

__all__ = ["count"]

_log = structlog.get_logger("mainstay.ledger")


class _Books:
    """What was spent before, from the database; opened when first asked for."""

    def __init__(self, loaded: Loaded) -> None:
        self._url = loaded.config.store.url
        self._journal = loaded.home / "journal"

    def spent(self, series: str, buckets: tuple[str, ...]) -> Balances:
        # Only a ledger that has budgets pays for the import of the database library.
        from mainstay.cost.store import spent
        from mainstay.store.sql import open_engine, reading

        engine = open_engine(self._url, create=False)
        try:
            with reading(engine) as connection:
                return spent(connection, series, buckets)
        finally:
            engine.dispose()

    def complete(self) -> bool:
        return not has_final(self._journal)


async def count(loaded: Loaded, leash: Leash, read: Callable[[bytes], Loaded]) -> None:
    """Serve the workers until told to stop. ``read`` gives the configuration that the leash brings."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    books = _Books(loaded)
    transport = LeanTransport()
    alerts = Alerts(loaded.config.cost.alerts, loaded.home / "alerts.json", books.spent, transport)

    def apply(generation: int, payload: bytes) -> None:
        alerts.config = read(payload).config.cost.alerts
        leash.applied(generation)

    leash.attach(loop, on_config=apply, on_drain=lambda _: stop.set())
    slab = Slab(loaded.home / "run" / "metrics", "ledger")
    # Whom it replaces still serves: it is this one's turn once that one has gone.
    leash.ready()

    def show(gauges: list[Gauge]) -> None:
        alerts.see(gauges)
        for gauge in gauges:
            if gauge.unit != Unit.USD:
                continue
            used = gauge.used / gauge.limit if gauge.limit else 1.0
            name, member, *_ = gauge.series.split("|")
            slab.counter("mainstay_budget_used_ratio", name, member).set(used)
            slab.counter("mainstay_budget_limit_usd", name, member).set(gauge.limit / 1e12)
            if gauge.alert:
                _log.warning("budget_nearly_used", budget=name, of=member, period=gauge.bucket, used=round(used, 4))

    telling = asyncio.create_task(alerts.run())
    try:
        await Counter(loaded.home, books, show).run(stop)
    except StartError as error:
        leash.failed(error.message, error.exit_code)
    finally:
        telling.cancel()
        await transport.aclose()
