from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from mainstay.core.ids import uuid7
from mainstay.core.record import Attempt, CitedSpan, Content, Grounding, RailSpan, RailVerdict, Record
from mainstay.core.usage import Usage
from mainstay.store.sql import reading, writing
from mainstay.telemetry.store import (
    RecordFilter,
    advance,
    forget,
    from_picousd,
    insert_records,
    offsets,
    select_one,
    select_page,
    to_picousd,
)
from support.records import make_record

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
COUNTS = st.integers(0, 2**62)
DURATIONS = st.floats(0, 1e9)
ATTEMPTS = st.builds(
    Attempt,
    target=WORDS,
    provider=WORDS,
    cause=WORDS,
    outcome=WORDS,
    status=st.integers(0, 999),
    offset_ms=DURATIONS,
    headers_ms=st.none() | DURATIONS,
    first_ms=st.none() | DURATIONS,
    total_ms=DURATIONS,
    upstream_model=WORDS,
    upstream_id=WORDS,
    detail=WORDS,
)
SPANS = st.builds(RailSpan, WORDS, st.integers(0, 99), st.integers(0, 99), WORDS)
VERDICTS = st.builds(
    RailVerdict,
    WORDS,
    WORDS,
    WORDS,
    st.booleans(),
    st.dictionaries(WORDS, st.integers(1, 9), max_size=2),
    st.none() | st.floats(0, 1),
    st.lists(SPANS, max_size=2),
    DURATIONS,
)
CITED = st.builds(CitedSpan, COUNTS, COUNTS, COUNTS, WORDS, st.tuples(COUNTS, COUNTS), WORDS, score=st.floats(0, 1))
RECORDS = st.builds(
    Record,
    id=st.builds(uuid7),
    request_id=WORDS,
    at=COUNTS,
    stream=st.booleans(),
    key=WORDS,
    route=WORDS,
    outcome=WORDS,
    attempts=st.lists(ATTEMPTS, max_size=3),
    usage=st.none() | st.builds(Usage, *[COUNTS] * 8, st.booleans()),
    first_ms=st.none() | DURATIONS,
    total_ms=DURATIONS,
    cost_usd=st.none() | st.integers(0, 2**62).map(from_picousd),
    verdicts=st.lists(VERDICTS, max_size=2),
    cache=WORDS,
    grounding=st.none() | st.builds(Grounding, WORDS, WORDS, COUNTS, citations=st.lists(CITED, max_size=2)),
    content=st.none() | st.builds(Content, WORDS, WORDS),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(RECORDS)
def test_a_record_comes_back_as_it_was_stored(engine: Engine, record: Record) -> None:
    with writing(engine) as connection:
        insert_records(engine, connection, [record])
    with reading(engine) as connection:
        assert select_one(connection, record.id) == record


def test_every_field_of_a_record_is_a_column_of_some_table(engine: Engine) -> None:
    record = make_record(cost_usd="0.5", content=Content("q", "a"), first_ms=1.0)
    with writing(engine) as connection:
        insert_records(engine, connection, [record])
    with reading(engine) as connection:
        found = select_one(connection, record.id)
    assert found is not None
    for name in Record.__struct_fields__:
        assert getattr(found, name) == getattr(record, name), name


@given(st.decimals(0, 9_000_000, places=12))
def test_money_is_exact_to_the_picodollar_both_ways(amount: Decimal) -> None:
    assert Decimal(from_picousd(to_picousd(str(amount)))) == amount


@pytest.mark.parametrize(
    ("dollars", "picodollars"),
    [("0", 0), ("0.000000000001", 1), ("1.5e-7", 150_000), ("12", 12 * 10**12), ("-0.25", -250_000_000_000)],
)
def test_money_is_read_as_people_write_it(dollars: str, picodollars: int) -> None:
    assert to_picousd(dollars) == picodollars
    assert Decimal(from_picousd(picodollars)) == Decimal(dollars)


@pytest.mark.parametrize("words", ["", "free", "NaN", "Infinity", "1,5"])
def test_what_is_no_amount_is_refused(words: str) -> None:
    with pytest.raises(ValueError, match="not an amount"):
        to_picousd(words)


def test_a_record_stored_twice_is_there_once_with_its_attempts(engine: Engine) -> None:
    record = make_record(content=Content("q", "a"))
    for _ in range(2):
        with writing(engine) as connection:
            insert_records(engine, connection, [record, record])
    with reading(engine) as connection:
        found = select_one(connection, record.id)
        assert connection.execute(text("SELECT count(*) FROM records")).scalar() == 1
    assert found == record


def test_content_is_erased_alone_and_goes_with_its_record(engine: Engine) -> None:
    first, second = make_record(content=Content("q", "a")), make_record(content=Content("q", "a"))
    with writing(engine) as connection:
        insert_records(engine, connection, [first, second])
        connection.execute(text("DELETE FROM contents WHERE record_id = :id"), {"id": first.id})
        connection.execute(text("DELETE FROM records WHERE id = :id"), {"id": second.id})
    with reading(engine) as connection:
        found = select_one(connection, first.id)
        assert found is not None
        assert found.content is None
        for table in ("contents", "attempts"):
            query = text(f"SELECT count(*) FROM {table} WHERE record_id = :id")
            assert connection.execute(query, {"id": second.id}).scalar() == 0


def test_an_offset_moves_only_from_where_it_stands(engine: Engine) -> None:
    with writing(engine) as connection:
        assert advance(engine, connection, "f", 0, 10)
        assert not advance(engine, connection, "f", 0, 20)
        assert not advance(engine, connection, "f", 9, 20)
        assert advance(engine, connection, "f", 10, 20)
        assert not advance(engine, connection, "never begun", 10, 20)
        assert offsets(connection, ["f", "g"]) == {"f": 20}
        forget(connection, "f")
        assert offsets(connection, ["f"]) == {}


@pytest.mark.parametrize(
    "where",
    [
        RecordFilter(),
        RecordFilter(since=5),
        RecordFilter(since=5, until=9),
        RecordFilter(route="r"),
        RecordFilter(target="t", outcome="ok"),
        RecordFilter(keys=("k",)),
        RecordFilter(team="t"),
        RecordFilter(status=200),
        RecordFilter(error="e"),
    ],
    ids=repr,
)
def test_every_filtered_page_is_read_from_an_index(engine: Engine, where: RecordFilter) -> None:
    plans: list[str] = []

    def explain(connection: object, cursor: object, statement: str, values: object, *_: object) -> None:
        if statement.startswith("SELECT records.seq"):
            raw = engine.raw_connection()
            plans.extend(row[3] for row in raw.cursor().execute("EXPLAIN QUERY PLAN " + statement, values))  # type: ignore[arg-type]  # the driver's own
            raw.close()

    from sqlalchemy import event

    event.listen(engine, "before_cursor_execute", explain)
    with reading(engine) as connection:
        select_page(connection, where, 10, None)
    assert any("USING INDEX records_" in step for step in plans), plans
    assert not any("TEMP B-TREE FOR ORDER BY" in step for step in plans), plans
