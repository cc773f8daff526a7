import random

import pytest

from mainstay.core.errors import ConfigError
from mainstay.core.record import Record
from mainstay.core.usage import Usage
from mainstay.planning.traffic import MONTH_S, Traffic, from_records

DAY = 86_400_000


def _record(at: float, usage: Usage | None) -> Record:
    return Record(id=f"r{at}", request_id="q", at=int(at), outcome="ok", usage=usage)


def _poisson(count: int, span_ms: float, seed: int = 1) -> list[Record]:
    source = random.Random(seed)
    return [
        _record(source.uniform(0, span_ms), Usage(input=1000, output=source.choice([100, 300]), cache_read=250))
        for _ in range(count)
    ]


def test_records_give_volume_lengths_and_cache() -> None:
    found = from_records(_poisson(5000, 2 * DAY))
    assert found.requests_per_month == pytest.approx(5000 * MONTH_S / 172_800, rel=0.01)
    assert found.input_tokens == 1000
    assert found.output_tokens == pytest.approx(200, rel=0.02)
    assert found.cached_share == 0.25
    assert found.output_cv2 == pytest.approx(0.25, rel=0.05)
    assert found.source == "5,000 records over 2.0 days"


def test_independent_arrivals_have_a_variation_of_one() -> None:
    assert from_records(_poisson(20_000, DAY)).arrival_cv2 == pytest.approx(1.0, abs=0.1)


def test_bursts_are_seen() -> None:
    source = random.Random(2)
    at, rows = 0.0, []
    for _ in range(800):
        at += source.expovariate(1 / 100_000)
        rows += [_record(at + 20 * k, Usage(input=10, output=10)) for k in range(20)]
    assert from_records(rows).arrival_cv2 > 5


def test_a_course_of_the_day_is_a_peak_and_no_burst() -> None:
    source = random.Random(3)
    busy = [_record(source.uniform(0, DAY / 24), Usage(input=10, output=10)) for _ in range(10_000)]
    quiet = [_record(source.uniform(0, DAY), Usage(input=10, output=10)) for _ in range(10_000)]
    found = from_records(busy + quiet)
    assert found.peak_to_mean == pytest.approx(12.5, rel=0.1)
    assert found.arrival_cv2 == pytest.approx(1.0, abs=0.2)


def test_the_order_of_records_does_not_matter() -> None:
    rows = _poisson(500, DAY)
    assert from_records(rows) == from_records(rows[::-1])


def test_calls_without_usage_do_not_count() -> None:
    rows = [*_poisson(200, DAY), *(_record(at, None) for at in range(1000))]
    assert from_records(rows).source.startswith("200 records")


def test_too_few_calls_tell_nothing() -> None:
    with pytest.raises(ConfigError, match="Only 20 answered calls"):
        from_records(_poisson(20, DAY))


def test_too_short_a_time_tells_nothing() -> None:
    with pytest.raises(ConfigError, match="within one hour"):
        from_records(_poisson(200, 600_000))


def test_the_peak_is_a_multiple_of_the_mean() -> None:
    found = Traffic(requests_per_month=MONTH_S, input_tokens=1, output_tokens=1, peak_to_mean=4)
    assert (found.mean_per_s, found.peak_per_s) == (1.0, 4.0)
