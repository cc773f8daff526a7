"""``python -m bench.ledger_oracle``: vendors' usage, priced by the ledger and by an independent decimal oracle."""

import json
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.cost.make_usage import exact
from tests.cost.oracle import bill
from tests.cost.reading import streamed, whole

from mainstay.core.clock import wall_ms
from mainstay.cost.prices import read_prices
from mainstay.cost.rates import Tariff, to_usd

__all__ = ["main"]

_FIXTURES = Path(__file__).resolve().parents[1] / "tests" / "cost" / "usage"
_TARGET = Decimal("1e-9")


def main() -> int:
    """Print how far the ledger is from the oracle, and what pricing a call takes; exit 1 where it is too far."""
    prices = json.loads((_FIXTURES / "prices.json").read_text())
    now = wall_ms()
    worst, apart, streams, wrong, count = Decimal(0), 0, 0, 0, 0
    usages = []
    for file in sorted(_FIXTURES.glob("*.json")):
        cases: list[dict[str, Any]] = [] if file.name == "prices.json" else json.loads(file.read_text())
        for case in cases:
            row = prices[f"{case['kind']}:{case['model']}"]
            tariff, usage = Tariff(read_prices(row)), whole(case)
            charged = to_usd(tariff.price(usage, now, case["service"]).total)
            due = bill(case["shape"], exact(case["answer"]), row, case["service"], case.get("asked"))
            worst = max(worst, abs(charged - due))
            apart += abs(charged - due) > _TARGET
            if case["operation"] == "chat":
                streams += 1
                wrong += streamed(case) != usage
            usages.append((tariff, usage, case["service"]))
            count += 1
    best = min(_round(usages, now) for _ in range(20))
    print(f"{count} fixtures; furthest from the oracle {worst:.1E} USD (at most {_TARGET:.0E}); {apart} too far")
    print(f"{streams} of them streamed as well; {wrong} that cost otherwise")
    print(f"pricing a call: {best:.2f} µs (at most 3)")
    return int(bool(apart or wrong or count < 300))


def _round(usages: list[tuple[Tariff, Any, str]], now: int) -> float:
    """Return microseconds for one call, over one round of all."""
    start = time.perf_counter()
    for tariff, usage, service in usages:
        tariff.price(usage, now, service)
    return (time.perf_counter() - start) / len(usages) * 1e6


if __name__ == "__main__":
    raise SystemExit(main())
