"""A database with calls of known cost in it, and the books posted as the loader posts them."""

import random
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine

from mainstay.core.record import Attempt, Record
from mainstay.core.usage import Usage
from mainstay.cost.amounts import dollars
from mainstay.cost.store import post
from mainstay.store.sql import migrate, open_engine, writing
from mainstay.telemetry.store import insert_records
from support.records import make_record

__all__ = ["DAY", "START", "attempt", "bought", "keep", "open_migrated", "some_records"]

DAY = 86_400_000
#: A Monday, 2026-11-02T00:00Z.
START = 1_793_577_600_000
_VENDORS = {"openai-main": "openai", "claude": "anthropic", "house": "llamacpp"}
_MODELS = {"gpt": "openai-main", "haiku": "claude", "small": "house"}


def attempt(target: str, cost: int | None, **fields: Any) -> Attempt:
    """Return one attempt at a model."""
    plain: dict[str, Any] = {"provider": _MODELS[target], "outcome": "ok", "status": 200, "priced": "catalogue"}
    plain["usage"] = Usage(input=100, output=10)
    return Attempt(target=target, cost=cost, **{**plain, **fields})


def bought(at: int, *attempts: Attempt, **fields: Any) -> Record:
    """Return the record of a call with these attempts, costing what they cost."""
    last = attempts[-1]
    total = sum(one.cost or 0 for one in attempts)
    plain: dict[str, Any] = {
        "target": last.target,
        "provider": last.provider,
        "vendor": _VENDORS[last.provider],
        "cost_usd": dollars(total),
        "organisation": "default",
        "process": "w1",
    }
    return make_record(at=at, attempts=list(attempts), **{**plain, **fields})


def keep(engine: Engine, records: Sequence[Record]) -> None:
    """Insert records and enter them into the books."""
    with writing(engine) as connection:
        insert_records(engine, connection, records)
        post(engine, connection, records)


def open_migrated(url: str) -> Engine:
    """Return the database at ``url``, at head."""
    engine = open_engine(url)
    migrate(engine)
    return engine


def some_records(count: int, seed: int = 1, days: int = 40) -> list[Record]:
    """Return calls of all kinds over some days: fall-backs, failures, refusals, tags, users, energy."""
    pick = random.Random(seed)
    made = []
    for _ in range(count):
        tries = [
            attempt(
                pick.choice([*_MODELS]),
                pick.choice([0, 1, 999_999, 1_000_000, 123_456_789_012, 7 * 10**12, None]),
                priced=pick.choice(["catalogue", "config", "ceiling", "reported"]),
                outcome=pick.choice(["ok", "ok", "upstream_failed", "outrun"]),
                usage=pick.choice(
                    [None, Usage(5, 7), Usage(900, 30, cache_read=800, reasoning=9), Usage(1, 1, estimated=True)]
                ),
            )
            for _ in range(pick.choice([1, 1, 1, 2, 3]))
        ]
        energy = pick.choice([None, 0.25])
        fields: dict[str, Any] = {
            "key": pick.choice(["key_a", "key_b"]),
            "team": pick.choice(["web", "app", ""]),
            "organisation": pick.choice(["default", "other"]),
            "user": pick.choice(["", "u1", "u2"]),
            "route": pick.choice(["assistant", "batch"]),
            "operation": pick.choice(["chat", "embeddings"]),
            "tags": pick.choice([[], ["x"], ["x", "y"], ["X"]]),
            "outcome": pick.choice(["ok", "ok", "failed", "gone"]),
            "energy_wh": energy,
            "energy_low_wh": energy and energy / 2,
            "energy_high_wh": energy and energy * 2,
            "carbon_g": energy and 0.125,
        }
        made.append(bought(START + pick.randrange(days * DAY), *tries, **fields))
    for _ in range(count // 10):
        at = START + pick.randrange(days * DAY)
        made.append(make_record(at=at, attempts=[], target="", provider="", vendor="", outcome="refused", status=402))
    return made
