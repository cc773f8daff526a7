import math
import random
from typing import Any

import msgspec
import pytest

from mainstay.planning.calibration import (
    Measurement,
    corrected,
    estimate,
    fit_coefficients,
    leave_one_out,
    spread_of,
)
from mainstay.planning.throughput import SHIPPED, TERMS, Coefficients

TRUE = Coefficients(terms=(1.3, 0.4, 1.6, 1.5, 1.8, 7.0, 4.0, 3.0, 2.0, 5.0, 2.5))


@pytest.fixture(scope="module")
def rows(replica: Any) -> list[Measurement]:
    """Return made-up measurements that follow ``TRUE`` within two per cent."""
    source = random.Random(3)
    found = []
    for model, devices, precision in (
        ("llama-3.1-8b", 1, "bf16"),
        ("llama-3.3-70b", 4, "bf16"),
        ("llama-3.3-70b", 2, "fp8"),
        ("qwen3-30b-a3b", 1, "bf16"),
        ("gpt-oss-120b", 2, "mxfp4"),
        ("nemotron-nano-9b-v2", 1, "bf16"),
        ("qwen3-32b", 2, "bf16"),
    ):
        for gpu in ("H100", "A100"):
            for batch in (1, 8, 64, 256):
                row = Measurement(
                    plan=replica(model, gpu, devices, precision),
                    batch=batch,
                    input_tokens=500,
                    output_tokens=400,
                    group=model,
                )
                itl, rate = estimate(row, TRUE)
                noise = math.exp(source.gauss(0, 0.02))
                found.append(msgspec.structs.replace(row, itl_ms=itl * noise, tokens_per_s=rate / noise))
    return found


def test_a_fit_finds_what_the_measurements_follow(rows: list[Measurement]) -> None:
    found = fit_coefficients(rows)
    for row in rows:
        assert row.itl_ms is not None
        assert estimate(row, found)[0] == pytest.approx(row.itl_ms, rel=0.12)


def test_no_coefficient_falls_below_what_physics_allows(rows: list[Measurement]) -> None:
    fast = [msgspec.structs.replace(row, itl_ms=(row.itl_ms or 0) / 100) for row in rows]
    terms = dict(zip(TERMS, fit_coefficients(fast).terms, strict=True))
    assert terms["weights"] >= 1.1
    assert terms["compute"] >= 1.2


def test_a_model_left_out_is_predicted_by_the_others(rows: list[Measurement]) -> None:
    residuals = leave_one_out(rows)
    assert [residual.group for residual in residuals] == [row.group for row in rows]
    errors = sorted(abs(residual.itl or 0) for residual in residuals)
    assert errors[len(errors) // 2] < 0.05


def test_too_few_measurements_are_no_fit(rows: list[Measurement]) -> None:
    with pytest.raises(ValueError, match="at least 11 measurements"):
        fit_coefficients(rows[:5])


def test_a_spread_is_the_tenth_and_ninetieth_percentile() -> None:
    assert spread_of([float(each) for each in range(11)]) == (1.0, 9.0)
    assert spread_of([]) == SHIPPED.itl_spread


def _own(plan: Any, factor: float, count: int, kind: str = "itl") -> list[Measurement]:
    row = Measurement(plan=plan, batch=16, input_tokens=500, output_tokens=250)
    itl, rate = estimate(row, SHIPPED)
    if kind == "itl":
        return [msgspec.structs.replace(row, itl_ms=itl * factor)] * count
    return [msgspec.structs.replace(row, tokens_per_s=rate / factor)] * count


@pytest.mark.parametrize("kind", ["itl", "rate"])
def test_own_measurements_move_the_estimate_towards_them(replica: Any, kind: str) -> None:
    plan = replica("llama-3.1-8b", "L40S")
    before = estimate(_own(plan, 1, 1)[0], SHIPPED)[0]
    moved = [
        estimate(_own(plan, 1, 1)[0], corrected(SHIPPED, _own(plan, 1.5, count, kind)))[0] / before
        for count in (1, 4, 100)
    ]
    assert 1.2 < moved[0] < moved[1] < moved[2] <= 1.5
    assert moved[2] == pytest.approx(1.5, rel=0.01)


def test_own_measurements_narrow_the_interval(replica: Any) -> None:
    plan = replica("llama-3.1-8b", "L40S")
    one, many = (corrected(SHIPPED, _own(plan, 1.0, count)).itl_spread for count in (1, 20))
    assert SHIPPED.itl_spread[1] > one[1] > many[1] > 0.1


def test_without_own_measurements_nothing_changes() -> None:
    assert corrected(SHIPPED, []) is SHIPPED
