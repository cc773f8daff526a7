"""A scenario answered: will it fit, how fast, what per million tokens, how many replicas, buy or build.

Puts the room's parts together. Pure: what stands in files is handed in.
"""

import math
from collections.abc import Mapping

import msgspec

from mainstay.core.errors import ConfigError
from mainstay.core.hardware import find_accelerator
from mainstay.core.sizes import ModelSize, find_size
from mainstay.planning.breakeven import Bought, BreakEven, Built, Draws, Payback, draw, find_break_even, payback
from mainstay.planning.calibration import Measurement, corrected
from mainstay.planning.capacity import Capacity, Goals, capacity
from mainstay.planning.config import ModelPart, Scenario
from mainstay.planning.deployment import Deployment, Precision, find_precision
from mainstay.planning.ledger import (
    Item,
    Situation,
    bought_items,
    built_items,
    device_hour,
    price_list,
    ranges_of,
    sides,
)
from mainstay.planning.memory import Fit, fit
from mainstay.planning.price import blended, per_million_by_use, useful_share
from mainstay.planning.quality import cost_per_success
from mainstay.planning.sensitivity import Swing, tornado
from mainstay.planning.throughput import SHIPPED, Coefficients, Interval
from mainstay.planning.traffic import MONTH_S, Traffic

__all__ = ["Answer", "Comparison", "answer", "choose_devices", "deployment_of", "traffic_of"]

_POINTS = 60


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Buy against build. ``curve`` has volume, cost of buying, and of building: low, middle, high."""

    buy_name: str
    volume: float
    bought_monthly: float
    built_monthly: float
    bought_items: list[Item]
    built_items: list[Item]
    break_even: BreakEven
    draws: Draws
    payback: Payback
    #: Dollars per million tokens in and out together; of buying the list price.
    bought_blended: float
    built_blended: float
    bought_success_usd: float
    built_success_usd: float
    swings: list[Swing]
    curve: list[tuple[float, float, float, float, float]]
    verdict: str


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """All that the planner says of a scenario."""

    question: str
    model: str
    model_source: str
    device: str
    devices: int
    precision: str
    traffic: Traffic
    fit: Fit
    capacity: Capacity
    usd_per_device_hour: float | None
    price_source: str
    useful: float
    usd_per_million: Interval | None
    by_use: list[tuple[float, Interval]]
    calibration: str
    comparison: Comparison | None
    warnings: tuple[str, ...] = ()


def traffic_of(scenario: Scenario) -> Traffic:
    """Return the traffic that a scenario describes.

    Raises:
        ConfigError: it says not how much.
    """
    part = scenario.traffic
    if part.requests_per_month is not None:
        month = part.requests_per_month
    elif part.requests_per_day is not None:
        month = part.requests_per_day * MONTH_S / 86400.0
    else:
        raise ConfigError("Give traffic.requests_per_day or traffic.requests_per_month, or take it --from-records.")
    return Traffic(
        requests_per_month=month,
        input_tokens=part.input_tokens,
        output_tokens=part.output_tokens,
        cached_share=part.cached_share,
        peak_to_mean=part.peak_to_mean,
        arrival_cv2=part.arrival_cv2,
        output_cv2=part.output_cv2,
    )


def deployment_of(
    part: ModelPart, context: float, size: ModelSize | None = None, file_bytes: int | None = None
) -> Deployment:
    """Return the replica that ``part`` describes; ``size`` and ``file_bytes`` are from its own files.

    Raises:
        ConfigError: a name is not known, or with ``auto`` it fits on no number of devices.
    """
    known = size or find_size(part.name)
    device = find_accelerator(part.gpu)

    precision = find_precision(part.precision)
    if file_bytes is not None:
        precision = Precision("its file", file_bytes / (known.total_b * 1e9), "bf16")

    def on(devices: int) -> Deployment:
        return Deployment(
            size=known,
            device=device,
            devices=devices,
            precision=precision,
            kv=part.kv,
            file_bytes=file_bytes,
            usable=part.usable,
        )

    if part.gpus_per_replica != "auto":
        return on(part.gpus_per_replica)
    return on(choose_devices(on(1), math.ceil(context)))


def choose_devices(plan: Deployment, context: int, batch: int = 8) -> int:
    """Return the fewest devices, a power of two, that hold ``batch`` sequences of ``context`` tokens with caution.

    Raises:
        ConfigError: not even 64 do.
    """
    for count in (1, 2, 4, 8, 16, 32, 64):
        tried = msgspec.structs.replace(plan, devices=count)
        if fit(tried, context=context, batch=batch).verdict == "fits":
            return count
    raise ConfigError(f"{plan.size.name} in {plan.precision.name} does not fit on 64 x {plan.device.name}.")


def answer(
    scenario: Scenario,
    *,
    traffic: Traffic | None = None,
    size: ModelSize | None = None,
    file_bytes: int | None = None,
) -> Answer:
    """Return the answer to ``scenario``; ``traffic`` stands in for what it says of traffic.

    Raises:
        ConfigError: a name is not known, the model does not fit, or no number of replicas keeps the goals.
    """
    load = traffic or traffic_of(scenario)
    length = math.ceil(load.input_tokens + load.output_tokens)
    plan = deployment_of(scenario.model, length, size, file_bytes)
    coefficients = _calibrated(plan, scenario)
    goals = Goals(
        ttft_ms=scenario.goals.ttft_ms,
        itl_ms=scenario.goals.itl_ms,
        busiest=scenario.goals.busiest,
        spares=scenario.goals.spares,
    )
    room = fit(plan, context=length, batch=max(1, scenario.model.slots))
    if room.verdict == "no":
        raise ConfigError(
            f"{plan.size.name} in {plan.precision.name} on {plan.devices} x {plan.device.name}: {room.why}"
        )
    need = capacity(plan, load, goals, slots=scenario.model.slots, coefficients=coefficients)
    busiest = min(goals.busiest, need.busy_at_peak) if need.decided_by == "waiting" else goals.busiest
    at = Situation(
        scenario=scenario, plan=plan, traffic=load, slots=need.slots, busiest=busiest, coefficients=coefficients
    )
    hour = _hour(at)
    build = scenario.build
    useful = useful_share(busiest, load.peak_to_mean, 0.0 if build.purchase else build.autoscale)
    by_use = per_million_by_use(plan.devices, hour, need.speed.tokens_per_s) if hour is not None else []
    return Answer(
        question=scenario.question,
        model=plan.size.name,
        model_source=plan.size.source,
        device=plan.device.name,
        devices=plan.devices,
        precision=plan.precision.name,
        traffic=load,
        fit=fit(plan, context=length, batch=need.slots),
        capacity=need,
        usd_per_device_hour=hour,
        price_source=_price_source(at),
        useful=useful,
        usd_per_million=need.speed.tokens_per_s.inverse(plan.devices * hour / 3600.0 / useful * 1e6) if hour else None,
        by_use=by_use,
        calibration=coefficients.source,
        comparison=_compare(at) if scenario.buy is not None else None,
        warnings=tuple(_warnings(at, room)),
    )


def _calibrated(plan: Deployment, scenario: Scenario) -> Coefficients:
    own = [
        Measurement(
            plan=plan,
            batch=each.batch,
            input_tokens=each.input_tokens,
            output_tokens=each.output_tokens,
            itl_ms=each.itl_ms,
            tokens_per_s=each.tokens_per_s,
        )
        for each in scenario.measurements
    ]
    return corrected(SHIPPED, own)


def _hour(at: Situation) -> float | None:
    build = at.scenario.build
    if build.purchase is None and build.usd_per_gpu_hour is None and at.plan.device.usd_per_hour is None:
        return None
    return device_hour(build, at.plan.device)


def _price_source(at: Situation) -> str:
    if at.scenario.build.purchase is not None:
        return "bought, spread over its years of use, with power"
    if at.scenario.build.usd_per_gpu_hour is not None:
        return "the scenario"
    return at.plan.device.priced


def _compare(at: Situation) -> Comparison:
    scenario, volume = at.scenario, at.traffic.requests_per_month
    bought, built = sides(at)
    found = find_break_even(bought, built)
    ranges = ranges_of(at)
    draws = draw(lambda factors: sides(at, factors), ranges, volume)
    course = _course(at)
    swings = tornado(lambda factors: _first(at, factors), ranges)
    buy = scenario.buy
    assert buy is not None
    pieces = {"verify": scenario.verify_usd, "failure": scenario.failure_usd}
    extra = (scenario.verify_usd + (1 - buy.success) * scenario.failure_usd) * volume
    own_volume = volume * buy.success / scenario.build.success
    own_extra = built.unit * volume
    return Comparison(
        buy_name=buy.name,
        volume=volume,
        bought_monthly=bought.at(volume),
        built_monthly=built.at(volume),
        bought_items=bought_items(at, volume),
        built_items=built_items(at, volume),
        break_even=found,
        draws=draws,
        payback=course,
        bought_blended=blended(
            price_list(buy), at.traffic.input_tokens / at.traffic.output_tokens, at.traffic.cached_share
        ),
        built_blended=built.at(volume) / volume / (at.traffic.input_tokens + at.traffic.output_tokens) * 1e6,
        bought_success_usd=cost_per_success((bought.at(volume) - extra) / volume, buy.success, **pieces),
        built_success_usd=cost_per_success(
            (built.at(volume) - own_extra) / own_volume, scenario.build.success, **pieces
        ),
        swings=swings,
        curve=_curve(at, bought, built, found, ranges["tokens per second"]),
        verdict=_verdict(bought, built, found, draws, course, volume, buy.name),
    )


def _first(at: Situation, factors: Mapping[str, float]) -> float | None:
    found = find_break_even(*sides(at, factors))
    return None if found.first is None else float(found.first)


def _course(at: Situation) -> Payback:
    scenario = at.scenario
    buy = scenario.buy
    assert buy is not None
    bought, built = sides(at, once=False)
    yearly = 1.0 - buy.price_decline_per_year

    def buying(month: int, volume: float) -> float:
        falling = bought.unit * math.pow(yearly, month / 12.0)
        return bought.fixed + max(bought.commitment, falling * volume)

    return payback(
        buying,
        lambda _, volume: built.at(volume),
        volume=at.traffic.requests_per_month,
        growth=scenario.traffic.growth_per_month,
        months=scenario.horizon_months,
        once_bought=buy.migration_usd,
        once_built=scenario.build.migration_usd + scenario.build.exit_usd,
    )


def _curve(
    at: Situation, bought: Bought, built: Built, found: BreakEven, pace: tuple[float, float]
) -> list[tuple[float, float, float, float, float]]:
    top = 2.0 * max(at.traffic.requests_per_month, float(found.first or 0), built.volume)
    _, slow = sides(at, {"tokens per second": pace[0]})
    _, fast = sides(at, {"tokens per second": pace[1]})
    points = {top * index / _POINTS for index in range(1, _POINTS + 1)}
    # Both ends of each step, so that steps are drawn as steps where there are not too many.
    for side in (built, slow, fast):
        edges = [side.volume * step for step in range(1, int(top / side.volume) + 1)]
        if len(edges) <= _POINTS:
            points.update(point for edge in edges for point in (edge, edge * 1.0001))
    return [
        (volume, bought.at(volume), fast.at(volume), built.at(volume), slow.at(volume)) for volume in sorted(points)
    ]


def _verdict(
    bought: Bought, built: Built, found: BreakEven, draws: Draws, course: Payback, volume: float, name: str
) -> str:
    one, other = bought.at(volume), built.at(volume)
    share = draws.cheaper if other <= one else 1.0 - draws.cheaper
    sure = "clearly" if share >= 0.9 else "probably" if share >= 0.7 else "perhaps"
    if other <= one:
        paid = f"paid back in month {course.month}" if course.month else "not paid back within the horizon"
        return (
            f"Building is {sure} cheaper at this volume: ${other:,.0f} a month instead of ${one:,.0f} "
            f"({share:.0%} of the draws), {paid}."
        )
    when = f"from {found.first:,} requests a month on" if found.first else "at no volume within reach"
    return (
        f"Buying from {name} is {sure} cheaper at this volume: ${one:,.0f} a month instead of ${other:,.0f} "
        f"({share:.0%} of the draws). Building gets cheaper {when}."
    )


def _warnings(at: Situation, room: Fit) -> list[str]:
    found = [*room.notes]
    if room.verdict == "tight":
        found.append(room.why)
    if at.scenario.buy is not None and at.scenario.buy.success != at.scenario.build.success:
        found.append("The two sides are not equally good: the costs per successful answer are what to compare.")
    if at.plan.device.kind != "gpu" or at.plan.device.name.startswith(("TPU", "Gaudi", "Trainium", "MI")):
        found.append(f"Speed was fitted on NVIDIA GPUs; for {at.plan.device.name} measure and give `measurements`.")
    if at.scenario.build.purchase is None and at.scenario.build.usd_per_gpu_hour is None:
        found.append(f"The price of the device is a reference figure ({at.plan.device.priced or 'none'}); give yours.")
    return found
