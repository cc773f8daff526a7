"""How fast a deployment is: a decode step, a prefill, tokens per second; with 80 % intervals.

A decode step is a sum of physical terms (bytes over bandwidth, arithmetic over peak, what each layer and each
sequence costs on top), each with a coefficient that was fitted to public measurements and is never below its physical
bound. So it may be asked about devices that were not measured. ``calibration`` fits and corrects the coefficients.
"""

import math
from typing import Final

import msgspec

from mainstay.core.errors import ConfigError
from mainstay.planning.deployment import Deployment
from mainstay.planning.memory import fit, kv_bytes

__all__ = ["SHIPPED", "TERMS", "Coefficients", "Interval", "Speed", "best_batch", "prefill_ms", "speed", "step_terms"]

#: Terms of a decode step, in order; ``step_terms`` gives their sizes in milliseconds.
TERMS: Final = (
    "weights", "narrow", "compute", "cache", "exchange", "layers", "expert_layers", "state_layers", "sequences",
    "states", "routing",
)  # fmt: skip


class Interval(msgspec.Struct, frozen=True):
    """An estimate between what it is in one of ten cases and what in nine of ten."""

    low: float
    mid: float
    high: float

    def scaled(self, factor: float) -> "Interval":
        """Return the interval times ``factor``, which is not negative."""
        return Interval(self.low * factor, self.mid * factor, self.high * factor)

    def inverse(self, over: float = 1.0) -> "Interval":
        """Return ``over`` divided by it."""
        return Interval(over / self.high, over / self.mid, over / self.low)


class Coefficients(msgspec.Struct, frozen=True, kw_only=True):
    """One factor per term, how much slower than its peak a prefill is, and how far the truth may lie from the model.

    ``itl_spread`` and ``rate_spread`` are logarithms of truth over estimate at the tenth and the ninetieth percentile.
    """

    terms: tuple[float, ...]
    prefill: float = 2.0
    itl_spread: tuple[float, float] = (-0.35, 0.35)
    rate_spread: tuple[float, float] = (-0.35, 0.35)
    #: Where they come from.
    source: str = ""


#: Fitted to 565 configurations of ML.ENERGY's leaderboard v3 (27 models on H100 and B200): ``bench/planning.py``.
SHIPPED: Final = Coefficients(
    terms=(1.131, 0.304, 1.293, 2.21, 1.554, 9.335, 3.995, 2.534, 2.654, 6.71, 3.085),
    itl_spread=(-0.393, 0.340),
    rate_spread=(-0.400, 0.335),
    source="public measurements on H100 and B200",
)


class Speed(msgspec.Struct, frozen=True, kw_only=True):
    """How fast one replica is with ``batch`` sequences at once.

    ``itl_ms`` between two tokens of one answer, ``ttft_ms`` from a prompt's turn to its first token, ``tokens_per_s``
    written by the replica, ``requests_per_s`` answered at that rate, ``bound`` the largest term of a step.
    """

    batch: int
    context: int
    itl_ms: Interval
    ttft_ms: Interval
    tokens_per_s: Interval
    requests_per_s: Interval
    prefill_tokens_per_s: float
    bound: str
    terms_ms: dict[str, float]


def step_terms(plan: Deployment, batch: float, context: float) -> tuple[float, ...]:
    """Return the sizes of the ``TERMS`` of a decode step of ``batch`` sequences of ``context`` tokens, in ms.

    Weights that are touched: with mixed experts ``total * (1 - (1 - active / total) ** batch)``. An all-reduce per half
    layer moves ``2 (n - 1) / n`` of the activations over the link.
    """
    size, device, n = plan.size, plan.device, plan.devices
    touched = 1.0 - (1.0 - size.active_b / size.total_b) ** batch if size.moe else 1.0
    weights = plan.weight_bytes * touched / (device.bandwidth_gbs * 1e6 * n)
    compute = 2.0 * size.active_b * batch / (device.peak(plan.precision.compute) * n)
    cache = batch * kv_bytes(plan, int(context)) / (device.bandwidth_gbs * 1e6)
    link = device.link_gbs or device.bandwidth_gbs / 20
    exchange = 4.0 * size.layers * (n - 1) / n * batch * size.d_model * 2.0 / (link * 1e6)
    layers = size.layers * 0.01
    return (
        weights,
        weights if plan.precision.bytes < 1.9 else 0.0,
        compute,
        cache,
        exchange,
        layers,
        layers if size.moe else 0.0,
        layers if size.hybrid else 0.0,
        batch * 0.01,
        batch * 0.01 / n if size.hybrid else 0.0,
        size.layers * batch * 1e-4 if size.moe else 0.0,
    )


def prefill_ms(plan: Deployment, tokens: float, factor: float = SHIPPED.prefill) -> float:
    """Return what computing a prompt of ``tokens`` uncached tokens takes, alone, in ms.

    ``2 P_act T + 2 L d T^2`` operations, at ``1 / factor`` of the peak, or reading all weights once if that takes
    longer.
    """
    size, device, n = plan.size, plan.device, plan.devices
    width = size.heads * size.head_dim
    operations = 2.0 * size.active_b * 1e9 * tokens + 2.0 * size.layers * width * tokens * tokens
    arithmetic = operations / (device.peak(plan.precision.compute) * 1e9 * n) * factor
    reading = plan.weight_bytes / (device.bandwidth_gbs * 1e6 * n) if tokens > 0 else 0.0
    return max(arithmetic, reading)


def speed(
    plan: Deployment,
    batch: int,
    *,
    input_tokens: float = 1000,
    output_tokens: float = 250,
    cached_share: float = 0.0,
    coefficients: Coefficients = SHIPPED,
) -> Speed:
    """Return how fast ``plan`` is with ``batch`` sequences at once.

    Prompts are computed between the steps of others, which stretches them: a sequence spends one prefill and
    ``output_tokens`` steps, and all ``batch`` prefills pass before it is done.

    Raises:
        ConfigError: a number is not above zero.
    """
    if batch < 1 or output_tokens <= 0 or input_tokens < 0 or not 0 <= cached_share <= 1:
        raise ConfigError("A batch is at least 1, an answer has tokens, and a cached share lies between 0 and 1.")
    context = input_tokens + output_tokens / 2.0
    sizes = step_terms(plan, batch, context)
    parts = {name: size * factor for name, size, factor in zip(TERMS, sizes, coefficients.terms, strict=True)}
    itl = sum(parts.values())
    alone = prefill_ms(plan, input_tokens * (1.0 - cached_share), coefficients.prefill)
    rate = batch / (itl + batch * alone / output_tokens) * 1000.0
    rates = _spread(rate, coefficients.rate_spread)
    parts = {name: part for name, part in parts.items() if part > 0}
    return Speed(
        batch=batch,
        context=round(context),
        itl_ms=_spread(itl, coefficients.itl_spread),
        ttft_ms=_spread(alone + itl, coefficients.itl_spread),
        tokens_per_s=rates,
        requests_per_s=rates.scaled(1.0 / output_tokens),
        prefill_tokens_per_s=input_tokens * (1.0 - cached_share) / alone * 1000.0 if alone > 0 else 0.0,
        bound=max(parts, key=lambda name: parts[name]),
        terms_ms=parts,
    )


def _spread(mid: float, spread: tuple[float, float]) -> Interval:
    return Interval(mid * math.exp(spread[0]), mid, mid * math.exp(spread[1]))


def best_batch(
    plan: Deployment,
    *,
    input_tokens: float,
    output_tokens: float,
    cached_share: float = 0.0,
    itl_ms: float | None = None,
    most: int = 4096,
    coefficients: Coefficients = SHIPPED,
) -> int:
    """Return the largest batch whose sequences fit, cautiously, and whose step keeps within ``itl_ms``; 0 for none.

    A limit is kept by the estimate's upper end: nine times in ten.
    """
    length = max(1, math.ceil(input_tokens + output_tokens))

    def good(batch: int) -> bool:
        if fit(plan, context=length, batch=batch).verdict == "no":
            return False
        if itl_ms is None:
            return True
        at = speed(plan, batch, input_tokens=input_tokens, output_tokens=output_tokens, coefficients=coefficients)
        return at.itl_ms.high <= itl_ms

    if not good(1):
        return 0
    low, high = 1, most + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if good(middle) else (low, middle)
    return low
