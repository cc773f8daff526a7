"""Both sides of buy or build, item by item: what is owed each month, for each request, and once.

From a scenario and the speed of one replica to the two cost functions that ``breakeven`` compares. Volumes are requests
per month that are bought; where an own answer is good less often, more of them are needed for the same good answers.
"""

import math
from collections.abc import Mapping
from typing import Final

import msgspec

from mainstay.core.errors import ConfigError
from mainstay.core.hardware import Accelerator
from mainstay.planning.breakeven import Bought, Built
from mainstay.planning.config import BuildPart, BuyPart, PurchasePart, Scenario
from mainstay.planning.deployment import Deployment
from mainstay.planning.price import PriceList, per_request
from mainstay.planning.throughput import Coefficients, speed
from mainstay.planning.traffic import MONTH_S, Traffic

__all__ = [
    "FACTORS",
    "Item",
    "Situation",
    "bought_items",
    "built_items",
    "device_hour",
    "price_list",
    "ranges_of",
    "sides",
]

_HOURS = MONTH_S / 3600.0
#: Inputs that are uncertain, by the name they have in a report, and between which factors they usually lie.
FACTORS: Final[dict[str, tuple[float, float]]] = {
    "tokens per second": (0.67, 1.4),
    "device price": (0.8, 1.25),
    "API price": (0.7, 1.1),
    "peak to mean": (0.7, 1.5),
    "people": (0.5, 2.0),
    "answer length": (0.75, 1.33),
    "prompt length": (0.75, 1.33),
    "busy at the peak": (0.85, 1.15),
    "own success": (0.95, 1.03),
}


class Item(msgspec.Struct, frozen=True):
    """One line of a side: US dollars each month at the volume in question, and once."""

    name: str
    monthly: float
    once: float = 0.0


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """What the sides are worked out from; ``busiest`` is how busy waiting lets a replica be at the peak."""

    scenario: Scenario
    plan: Deployment
    traffic: Traffic
    slots: int
    busiest: float
    coefficients: Coefficients


def device_hour(build: BuildPart, device: Accelerator, factor: float = 1.0) -> float:
    """Return US dollars for one device and hour: hired, spot or not, or bought and powered.

    ``factor`` scales the price of the device, not that of power. A purchase is an annuity less what the device fetches.

    Raises:
        ConfigError: there is no price to go by.
    """
    if build.purchase is not None:
        return _owned(build.purchase, device, factor) / _HOURS
    hire = build.usd_per_gpu_hour if build.usd_per_gpu_hour is not None else device.usd_per_hour
    if hire is None:
        raise ConfigError(f"There is no reference price for {device.name}; give build.usd_per_gpu_hour.")
    spot = build.spot_share * (1.0 - build.spot_discount) / max(1e-6, 1.0 - build.preemption_loss)
    return hire * factor * (spot + 1.0 - build.spot_share)


def _owned(bought: PurchasePart, device: Accelerator, factor: float) -> float:
    """Return US dollars per device and month."""
    months, rate = bought.years * 12.0, bought.interest / 12.0
    price = bought.usd_per_gpu * factor
    residual = price * bought.residual_share
    if rate > 0:
        grown = math.pow(1.0 + rate, months)
        capital = (price + bought.host_usd_per_gpu - residual / grown) * rate / (1.0 - 1.0 / grown)
    else:
        capital = (price + bought.host_usd_per_gpu - residual) / months
    watts = (bought.watts_per_gpu or _watts(device)) + bought.host_watts_per_gpu
    power = watts / 1000.0 * bought.pue * _HOURS * bought.usd_per_kwh
    return capital + power + watts / 1000.0 * bought.colocation_usd_per_kw_month


def _watts(device: Accelerator) -> float:
    if device.typical_w is not None:
        return device.typical_w[1]
    if device.tdp_w is None:
        raise ConfigError(f"What {device.name} draws is not known; give build.purchase.watts_per_gpu.")
    return device.tdp_w * 0.7


def ranges_of(at: Situation) -> dict[str, tuple[float, float]]:
    """Return between which factors each uncertain input lies: the scenario's own, else what is usual.

    Raises:
        ConfigError: the scenario names an input that there is not, or gives a range upside down.
    """
    own = at.scenario.ranges
    for name, (low, high) in own.items():
        if name not in FACTORS or low > high:
            raise ConfigError(
                f"ranges: '{name[:64]}' must be one of {', '.join(FACTORS)}, each with a low and a high factor."
            )
    spread = at.coefficients.rate_spread
    found = {**FACTORS, "tokens per second": (math.exp(spread[0]), math.exp(spread[1])), **own}
    if at.scenario.verify_usd == at.scenario.failure_usd == 0 and "own success" not in own:
        del found["own success"]
    return found


def _success(at: Situation, factors: Mapping[str, float]) -> tuple[float, float]:
    buy = at.scenario.buy
    return (buy.success if buy else 1.0), min(1.0, at.scenario.build.success * factors.get("own success", 1.0))


def sides(at: Situation, factors: Mapping[str, float] | None = None, *, once: bool = True) -> tuple[Bought, Built]:
    """Return what buying and building cost; ``factors`` move uncertain inputs.

    With ``once``, what is paid once is spread over the horizon.

    Raises:
        ConfigError: the scenario has no ``buy``, or no price for the device.
    """
    given = factors or {}
    buy = at.scenario.buy
    if buy is None:
        raise ConfigError("Buy or build needs the price of buying: give buy.price with input and output.")
    good, own = _success(at, given)
    months = at.scenario.horizon_months
    fixed = buy.people * _post(at) * given.get("people", 1.0)
    fixed += buy.evaluation_usd_per_month + buy.headroom_usd_per_month + (buy.migration_usd / months if once else 0.0)
    unit = _unit(buy, at.traffic, given) + at.scenario.verify_usd + (1.0 - good) * at.scenario.failure_usd
    bought = Bought(fixed=fixed, unit=unit, commitment=buy.commitment_usd_per_month)
    build, more = at.scenario.build, good / own
    peak = max(1.0, at.traffic.peak_to_mean * given.get("peak to mean", 1.0))
    each = _requests_per_s(at, given) * min(1.0, at.busiest * given.get("busy at the peak", 1.0))
    return bought, Built(
        fixed=sum(item.monthly for item in _fixed_items(at, given)) + (_once(build) / months if once else 0.0),
        replica=at.plan.devices * device_hour(build, at.plan.device, given.get("device price", 1.0)) * _HOURS,
        volume=each * MONTH_S / peak / more,
        unit=more * (at.scenario.verify_usd + (1.0 - own) * at.scenario.failure_usd),
        spares=at.scenario.goals.spares,
        autoscale=0.0 if build.purchase else build.autoscale,
        peak_to_mean=peak,
    )


def _post(at: Situation) -> float:
    return at.scenario.build.usd_per_person_year / 12.0


def _unit(buy: BuyPart, traffic: Traffic, given: Mapping[str, float]) -> float:
    """Return US dollars for one request, with discounts and what is paid twice."""
    into = traffic.input_tokens * given.get("prompt length", 1.0)
    call = per_request(
        price_list(buy),
        into,
        traffic.output_tokens * given.get("answer length", 1.0),
        cached=into * traffic.cached_share,
    )
    factor = (1.0 - buy.batch_share * buy.batch_discount) * (1.0 + buy.failover_share)
    return call * factor * (1.0 + buy.residency_premium) * (1.0 - buy.discount) * given.get("API price", 1.0)


def price_list(buy: BuyPart) -> PriceList:
    """Return the prices of ``buy``, before discounts."""
    price = buy.price
    return PriceList(input=price.input, output=price.output, cache_read=price.cache_read, per_request=price.per_request)


def _requests_per_s(at: Situation, given: Mapping[str, float]) -> float:
    found = speed(
        at.plan,
        at.slots,
        input_tokens=at.traffic.input_tokens * given.get("prompt length", 1.0),
        output_tokens=at.traffic.output_tokens * given.get("answer length", 1.0),
        cached_share=at.traffic.cached_share,
        coefficients=at.coefficients,
    )
    return found.requests_per_s.mid * given.get("tokens per second", 1.0)


def _once(build: BuildPart) -> float:
    return build.migration_usd + build.exit_usd


def _fixed_items(at: Situation, given: Mapping[str, float]) -> list[Item]:
    build = at.scenario.build
    return [
        Item("people", build.people * _post(at) * given.get("people", 1.0)),
        Item("on call", build.on_call_usd_per_month),
        Item("hosts", build.host_usd_per_month),
        Item("storage", build.storage_usd_per_month),
        Item("egress", build.egress_usd_per_month),
        Item("licences", build.licences_usd_per_month),
        Item("security", build.security_usd_per_month),
        Item("evaluation", build.evaluation_usd_per_month),
        Item("ageing of the model", build.renewal_usd / build.renewal_months),
    ]


def built_items(at: Situation, volume: float) -> list[Item]:
    """Return the lines of building at ``volume`` requests per month: what works, idles, stands by, and the rest."""
    _, built = sides(at, once=False)
    serving = built.serving(volume)
    # Working time is what the mean load needs of replicas as busy as they may be, all else is idle.
    working = min(float(serving), volume / (built.volume * built.peak_to_mean) * at.busiest)
    paid = built.at(volume) - built.fixed - built.unit * volume - built.spares * built.replica
    items = [
        Item("devices at work", working * built.replica),
        Item("idle devices", max(0.0, paid - working * built.replica)),
        Item("spare replicas", built.spares * built.replica),
        *_fixed_items(at, {}),
        Item("checks and failures", built.unit * volume),
        Item("migration", 0.0, at.scenario.build.migration_usd),
        Item("exit", 0.0, at.scenario.build.exit_usd),
    ]
    return [item for item in items if item.monthly or item.once]


def bought_items(at: Situation, volume: float) -> list[Item]:
    """Return the lines of buying at ``volume`` requests per month."""
    buy = at.scenario.buy
    if buy is None:
        return []
    good, _ = _success(at, {})
    use = _unit(buy, at.traffic, {}) * volume
    extra = (at.scenario.verify_usd + (1.0 - good) * at.scenario.failure_usd) * volume
    items = [
        Item("tokens", use),
        Item("commitment not used", max(0.0, buy.commitment_usd_per_month - use - extra)),
        Item("headroom", buy.headroom_usd_per_month),
        Item("people", buy.people * _post(at)),
        Item("evaluation", buy.evaluation_usd_per_month),
        Item("checks and failures", extra),
        Item("migration", 0.0, buy.migration_usd),
    ]
    return [item for item in items if item.monthly or item.once]
