"""What is known of each model, and what the till has counted, as gauges."""

from collections.abc import Mapping

from mainstay.cost.till import Till
from mainstay.routing.standing import Standing
from mainstay.telemetry.metrics import Slab

__all__ = ["show_standings", "show_till"]

_STATES = {"closed": 0.0, "half-open": 1.0, "open": 2.0}


def show_standings(standings: Mapping[str, Standing], slab: Slab, worker: str, now: float) -> None:
    """Set the gauges of every model: its breaker, the upstream's clock, and how many calls are there or wait."""
    for name, standing in standings.items():
        slab.counter("mainstay_breaker_state", worker, name).set(_STATES[standing.breaker.state])
        slab.counter("mainstay_breaker_opens_total", worker, name).set(standing.breaker.opens)
        slab.counter("mainstay_upstream_throttled_seconds", worker, name).set(standing.throttled(now))
        refused = max(0.0, standing.credential.until - now)
        slab.counter("mainstay_credential_refused_seconds", worker, name).set(refused)
        slab.counter("mainstay_upstream_in_flight", worker, name).set(standing.in_flight)
        if standing.admission is not None:
            slab.counter("mainstay_upstream_limit", worker, name).set(standing.admission.limit)
            slab.counter("mainstay_upstream_waiting", worker, name).set(standing.admission.waiting)


def show_till(till: Till, slab: Slab, worker: str, before: tuple[int, int]) -> tuple[int, int]:
    """Add to the counters what the till has counted since ``before``; return what it had counted by now.

    A worker in the slot of one that died goes on where that one's counters stand.
    """
    now = till.overdrafts, till.unpriced
    if now != before:
        slab.counter("mainstay_budget_overdrafts_total", worker).add(now[0] - before[0])
        slab.counter("mainstay_unpriced_attempts_total", worker).add(now[1] - before[1])
    return now
