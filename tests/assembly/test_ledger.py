"""The ledger as callers meet it: real workers, a real ledger process, scripted upstreams."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support.gateway import Gateway
from support.ledger import COST, answer, books, config_of, many
from support.upstream import Upstream


@pytest.fixture(scope="module")
def vendor() -> Iterator[Upstream]:
    with Upstream(answer) as upstream:
        yield upstream


MIXED = ("chat", "chat stream", "completions", "responses", "messages", "messages stream")


def spend(tmp_path: Path, vendor: Upstream, count: int, workers: int, limit: float) -> None:
    told: list[float] = []

    def then(response: httpx.Response) -> None:
        assert response.status_code in (200, 402), response.text
        if response.status_code == 200 and response.headers["x-mainstay-cost-usd"] != "unknown":
            told.append(float(response.headers["x-mainstay-cost-usd"]))

    config = config_of(vendor.url, {"budgets": {"small": f"{limit}/day"}})
    with Gateway(tmp_path, config, workers=workers) as gateway:
        before = len(vendor.requests)
        statuses = many(gateway, count, MIXED, then=then)
        found = books(gateway)
        answered = statuses.count(200)
        assert answered + statuses.count(402) == count
        # A call that is refused asks no upstream.
        assert len(vendor.requests) - before == answered
        spent = found.balances / 1e12
        assert spent <= limit
        assert spent == pytest.approx(answered * COST)
        assert found.cost == found.balances
        # What is left is less than a handful of calls could cost.
        assert spent > limit * 0.9
        assert all(cost == pytest.approx(COST) for cost in told)
        assert len(told) > answered // 3


def test_many_calls_at_once_end_at_a_budget_and_not_beyond(tmp_path: Path, vendor: Upstream) -> None:
    spend(tmp_path, vendor, 300, 2, 1.0)


@pytest.mark.slow
def test_a_thousand_calls_at_once_end_at_a_budget_and_not_beyond(tmp_path: Path, vendor: Upstream) -> None:
    spend(tmp_path, vendor, 1000, 3, 3.0)
