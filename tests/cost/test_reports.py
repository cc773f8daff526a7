"""Sums of what was spent, against the same sums made one by one."""

from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine

from mainstay.core.record import Record
from mainstay.cost.amounts import dollars
from mainstay.cost.reports import (
    DIMENSIONS,
    TOKENS,
    Question,
    Row,
    attempts_table,
    costs,
    first_at,
    records_table,
    spend,
    vendors_of,
)
from mainstay.store.sql import migrate, open_engine, reading
from mainstay.telemetry.store import metadata
from support.spending import DAY, START, attempt, bought, keep, open_migrated, some_records

VENDORS = {"openai-main": "openai", "claude": "anthropic", "house": "llamacpp"}
FINE = ("", "ok", "caller_gone", "outrun")
RECORDS = some_records(400)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = open_engine(f"sqlite:///{tmp_path_factory.mktemp('spend')}/mainstay.db")
    migrate(engine)
    keep(engine, RECORDS)
    yield engine
    engine.dispose()


def name(span: str, at: int, zone: str) -> str:
    moment = datetime.fromtimestamp(at / 1000, UTC if zone == "UTC" else ZoneInfo(zone))
    if span == "hour":
        return moment.replace(minute=0, second=0, microsecond=0).isoformat(timespec="minutes")
    if span == "week":
        return "{}-W{:02}".format(*moment.isocalendar()[:2])
    return moment.strftime("%Y-%m-%d" if span == "day" else "%Y-%m")


def of_record(record: Record, dimension: str, zone: str) -> list[str]:
    if dimension in ("hour", "day", "week", "month"):
        return [name(dimension, record.at, zone)]
    if dimension == "tag":
        return record.tags or [""]
    return [getattr(record, dimension)]


def brute(records: list[Record], by: tuple[str, ...], zone: str = "UTC") -> dict[tuple[str, ...], Row]:
    """Count one call after the other."""
    single = bool({"model", "provider", "vendor", "priced"} & set(by))
    rows: dict[tuple[str, ...], Row] = {}
    for record in records:
        tried = set()
        for one in record.attempts:
            parts: list[tuple[str, ...]] = [()]
            own = {"model": one.target, "provider": one.provider, "priced": one.priced}
            own["vendor"] = VENDORS[one.provider]
            for dimension in by:
                values = [own[dimension]] if dimension in own else of_record(record, dimension, zone)
                parts = [(*part, value) for part in parts for value in values]
            for part in parts:
                row = rows.setdefault(part, Row(part))
                row.attempts += 1
                row.picousd += one.cost or 0
                row.unpriced += one.priced == "ceiling"
                if one.usage is not None:
                    row.estimated += one.usage.estimated
                    for kind in TOKENS:
                        row.tokens[kind] += getattr(one.usage, kind)
                if single:
                    row.calls += part not in tried
                    row.errors += one.outcome not in FINE
                    tried.add(part)
        if not single:
            parts = [()]
            for dimension in by:
                parts = [(*part, value) for part in parts for value in of_record(record, dimension, zone)]
            for part in parts:
                row = rows.setdefault(part, Row(part))
                row.calls += 1
                row.errors += record.outcome == "failed"
                row.refused += record.outcome == "refused"
    return rows


def plain(row: Row) -> tuple[object, ...]:
    counts = (row.calls, row.errors, row.refused, row.attempts, row.picousd, row.unpriced, row.estimated)
    return (row.keys, *counts, *sorted(row.tokens.items()))


@pytest.mark.parametrize(
    "by", [(), *((one,) for one in DIMENSIONS), ("team", "model"), ("month", "tag", "key")], ids=str
)
def test_every_dimension_adds_up_to_the_same_as_counting_by_hand(filled: Engine, by: tuple[str, ...]) -> None:
    with reading(filled) as connection:
        report = spend(connection, Question(by, vendors=VENDORS))
        money = costs(connection, Question(by, vendors=VENDORS))
    expected = brute(RECORDS, by)
    assert {row.keys: plain(row) for row in report.rows} == {key: plain(row) for key, row in expected.items()}
    assert {key: amount for key, amount in money.items() if amount} == {
        key: row.picousd for key, row in expected.items() if row.picousd
    }
    assert plain(report.total) == plain(brute(RECORDS, ())[()])


@pytest.mark.parametrize("span", ["hour", "day", "week", "month"])
@pytest.mark.parametrize("zone", ["UTC", "Europe/Zurich", "Asia/Kathmandu", "America/Los_Angeles"])
def test_days_begin_where_the_zone_says(filled: Engine, span: str, zone: str) -> None:
    bounds = (START, START + 40 * DAY)
    for since, until in ((None, None), bounds):
        with reading(filled) as connection:
            report = spend(connection, Question((span,), since, until, zone=zone))
        expected = brute(RECORDS, (span,), zone)
        assert {row.keys: row.picousd for row in report.rows} == {key: row.picousd for key, row in expected.items()}
        assert [row.keys[0] for row in report.rows] == sorted(key[0] for key in expected)


@pytest.mark.parametrize(
    ("where", "fits"),
    [
        ((("team", ("web", "app")),), lambda r, a: r.team in ("web", "app")),
        ((("tag", ("x",)),), lambda r, a: "x" in r.tags),
        ((("tag", ("x", "X")),), lambda r, a: {"x", "X"} & set(r.tags)),
        ((("model", ("gpt",)),), lambda r, a: a.target == "gpt"),
        ((("vendor", ("anthropic",)),), lambda r, a: a.provider == "claude"),
        ((("priced", ("ceiling",)),), lambda r, a: a.priced == "ceiling"),
        ((("team", ("",)), ("model", ("haiku", "small"))), lambda r, a: not r.team and a.target in ("haiku", "small")),
        ((("team", ("nobody",)),), lambda r, a: False),
    ],
    ids=lambda value: str(value) if isinstance(value, tuple) else "",
)
def test_only_what_fits_is_counted(
    filled: Engine, where: tuple[tuple[str, tuple[str, ...]], ...], fits: object
) -> None:
    assert callable(fits)
    expected = sum(one.cost or 0 for record in RECORDS for one in record.attempts if fits(record, one))
    with reading(filled) as connection:
        report = spend(connection, Question(("key",), where=where, vendors=VENDORS))
    assert report.total.picousd == expected == sum(row.picousd for row in report.rows)


def test_only_teams_that_may_be_seen_are_counted(filled: Engine) -> None:
    with reading(filled) as connection:
        assert {row.keys[0] for row in spend(connection, Question(("team",), teams=("web",))).rows} == {"web"}
        assert spend(connection, Question(("team",), teams=())).rows == ()


def test_energy_is_of_the_calls_that_it_is_known_for(filled: Engine) -> None:
    known = [record for record in RECORDS if record.energy_wh is not None]
    with reading(filled) as connection:
        total = spend(connection, Question()).total
        by_model = spend(connection, Question(("model",)))
    assert (total.energy_calls, total.energy_wh) == (len(known), len(known) * 0.25)
    assert (total.energy_low_wh, total.energy_high_wh) == (len(known) * 0.125, len(known) * 0.5)
    assert (total.carbon_calls, total.carbon_g) == (len(known), len(known) * 0.125)
    own = {model: sum(record.target == model for record in known) for model in ("gpt", "haiku", "small")}
    assert {row.keys[0]: row.energy_calls for row in by_model.rows} == own


def test_a_sum_beyond_64_bits_loses_nothing(engine: Engine) -> None:
    dear = 9_000_000 * 10**12 + 1
    keep(engine, [bought(START + n, attempt("gpt", dear)) for n in range(5)])
    with reading(engine) as connection:
        report = spend(connection, Question(("model",)))
        assert report.rows[0].picousd == report.total.picousd == 5 * dear > 2**63
        assert costs(connection, Question()) == {(): 5 * dear}
    assert dollars(5 * dear) == "45000000.000000000005"


def test_a_fall_back_costs_the_model_that_made_it(engine: Engine) -> None:
    failed = attempt("gpt", 7, outcome="upstream_interrupted")
    keep(engine, [bought(START, failed, attempt("haiku", 5))])
    with reading(engine) as connection:
        rows = {row.keys[0]: row for row in spend(connection, Question(("model",))).rows}
        total = spend(connection, Question(("model",))).total
    assert [(rows[m].calls, rows[m].errors, rows[m].picousd) for m in ("gpt", "haiku")] == [(1, 1, 7), (1, 0, 5)]
    assert (total.calls, total.errors, total.picousd) == (1, 0, 12)


def test_nothing_was_spent_where_nothing_was_asked(engine: Engine) -> None:
    with reading(engine) as connection:
        assert first_at(connection) is None
        report = spend(connection, Question(("day", "model")))
    assert (report.rows, report.total) == ((), Row(()))


def test_what_there_is_not_cannot_be_asked_for(engine: Engine) -> None:
    with reading(engine) as connection:
        for wrong in (
            Question(("colour",)),
            Question(where=(("colour", ("red",)),)),
            Question(where=(("day", ("x",)),)),
        ):
            with pytest.raises(ValueError, match="nothing is spent by"):
                spend(connection, wrong)
        with pytest.raises(ValueError, match="no time zone"):
            spend(connection, Question(zone="Middle/Earth"))


def test_the_vendor_of_a_provider_that_is_gone_is_read_from_its_records(filled: Engine) -> None:
    with reading(filled) as connection:
        assert vendors_of(connection, {"claude": "bedrock"}) == VENDORS | {"claude": "bedrock"}


def test_the_tables_are_those_of_the_records(filled: Engine) -> None:
    for known in (records_table, attempts_table):
        real = metadata.tables[known.name]
        assert {column.name for column in known.c} <= {column.name for column in real.c}


def test_postgresql_adds_up_the_same(postgres_url: str) -> None:
    engine = open_migrated(postgres_url)
    try:
        dear = [bought(START + n, attempt("gpt", 9_000_000 * 10**12)) for n in range(5)]
        keep(engine, [*RECORDS, *dear])
        for by in ((), *((one,) for one in DIMENSIONS), ("team", "model"), ("month", "tag", "key")):
            with reading(engine) as connection:
                report = spend(connection, Question(by, vendors=VENDORS))
            expected = brute([*RECORDS, *dear], by)
            assert {row.keys: plain(row) for row in report.rows} == {key: plain(row) for key, row in expected.items()}
    finally:
        engine.dispose()
