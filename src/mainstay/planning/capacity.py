"""How many replicas a traffic needs: by waiting times at the peak, and by how busy a replica may be.

Stands on ``throughput`` (what one replica does) and ``queues`` (what waiting that makes). Does not know prices.
"""

import math

import msgspec

from mainstay.core.errors import ConfigError
from mainstay.planning.deployment import Deployment
from mainstay.planning.queues import Wait, wait
from mainstay.planning.throughput import SHIPPED, Coefficients, Speed, best_batch, speed
from mainstay.planning.traffic import Traffic

__all__ = ["Capacity", "Goals", "capacity"]

_MOST = 100_000


class Goals(msgspec.Struct, frozen=True, kw_only=True):
    """What callers are promised: p95 of the first token and milliseconds between tokens, None for no promise.

    ``busiest`` is how busy a replica may be at the peak, ``spares`` are replicas beyond need for failures and
    roll-outs.
    """

    ttft_ms: float | None = None
    itl_ms: float | None = None
    busiest: float = 0.7
    spares: int = 1


class Capacity(msgspec.Struct, frozen=True, kw_only=True):
    """How many replicas: ``serving`` at the peak, ``spares`` beyond; ``interval`` when one is faster or slower.

    ``slots`` are sequences at once on one replica, ``per_replica_per_s`` the requests it may be given while it is as
    busy as allowed, ``busy`` how busy the serving ones are at the peak and on average.
    """

    serving: int
    spares: int
    interval: tuple[int, int]
    slots: int
    speed: Speed
    per_replica_per_s: float
    busy_at_peak: float
    busy_on_average: float
    waiting: Wait
    decided_by: str

    @property
    def replicas(self) -> int:
        """Return all replicas, spares included."""
        return self.serving + self.spares


def capacity(
    plan: Deployment, traffic: Traffic, goals: Goals, *, slots: int = 0, coefficients: Coefficients = SHIPPED
) -> Capacity:
    """Return how many replicas of ``plan`` serve ``traffic`` within ``goals``.

    ``slots`` fixes the sequences at once on a replica; 0 takes as many as fit and keep the time between tokens.

    Raises:
        ConfigError: the model does not fit, or no batch keeps the goals.
    """
    into, out, cached = traffic.input_tokens, traffic.output_tokens, traffic.cached_share
    most = best_batch(plan, input_tokens=into, output_tokens=out, itl_ms=goals.itl_ms, most=slots or 512,
                      coefficients=coefficients)  # fmt: skip
    if most < 1:
        raise ConfigError(
            f"{plan.size.name} on {plan.devices} x {plan.device.name} does not fit, or no batch keeps "
            f"{goals.itl_ms or 0:g} ms between tokens; see 'mainstay plan fit' and 'mainstay plan speed'."
        )
    at = speed(plan, most, input_tokens=into, output_tokens=out, cached_share=cached, coefficients=coefficients)
    serving, waiting, why = _needed(at, traffic, goals)
    few = _needed(at, traffic, goals, faster=at.tokens_per_s.high / at.tokens_per_s.mid)[0]
    many = _needed(at, traffic, goals, faster=at.tokens_per_s.low / at.tokens_per_s.mid)[0]
    own = at.requests_per_s.mid
    return Capacity(
        serving=serving,
        spares=goals.spares,
        interval=(few, many),
        slots=most,
        speed=at,
        per_replica_per_s=own * goals.busiest,
        busy_at_peak=traffic.peak_per_s / (serving * own),
        busy_on_average=traffic.mean_per_s / (serving * own),
        waiting=waiting,
        decided_by=why,
    )


def _needed(at: Speed, traffic: Traffic, goals: Goals, faster: float = 1.0) -> tuple[int, Wait, str]:
    """Return the fewest replicas, the waiting with them, and whether load or waiting decided."""
    service = at.batch / (at.requests_per_s.mid * faster)
    peak = traffic.peak_per_s
    floor = max(1, math.ceil(peak / (at.requests_per_s.mid * faster * goals.busiest) - 1e-9))
    if floor > _MOST:
        raise ConfigError(f"This traffic would need over {_MOST:,} replicas; check its numbers.")
    allowed = math.inf
    if goals.ttft_ms is not None:
        allowed = (goals.ttft_ms - at.ttft_ms.mid / faster) / 1000.0
        if allowed < 0:
            raise ConfigError(
                f"A first token takes {at.ttft_ms.mid / faster:.0f} ms before any waiting, more than the "
                f"{goals.ttft_ms:g} ms promised; use more or faster devices per replica, or shorter prompts."
            )

    def waits(replicas: int) -> Wait:
        return wait(replicas * at.batch, peak, service, arrival_cv2=traffic.arrival_cv2, service_cv2=traffic.output_cv2)

    count, seen = floor, waits(floor)
    while seen.p95_s > allowed:
        count += 1
        seen = waits(count)
    return count, seen, "waiting" if count > floor else "load"
