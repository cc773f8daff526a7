import random
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from mainstay.core.record import Content, Record
from mainstay.store.sql import writing
from mainstay.telemetry.service import get_record, list_records, tail_records
from mainstay.telemetry.store import RecordFilter, insert_records
from support.records import make_record


def store(engine: Engine, *records: Record) -> None:
    with writing(engine) as connection:
        insert_records(engine, connection, records)


def test_records_are_listed_newest_first(engine: Engine) -> None:
    records = [make_record(at=at) for at in (1, 2, 3)]
    store(engine, records[1], records[2], records[0])
    assert list_records(engine, RecordFilter()) == records[::-1]


def test_a_list_carries_no_content(engine: Engine) -> None:
    store(engine, make_record(content=Content("q", "a")))
    assert [record.content for record in list_records(engine, RecordFilter())] == [None]


@pytest.mark.parametrize("limit", [1, 3, 7, 100])
def test_pages_cover_all_records_once_in_order_also_within_a_millisecond(engine: Engine, limit: int) -> None:
    chance = random.Random(limit)
    records = [make_record(at=chance.randrange(5)) for _ in range(40)]
    store(engine, *records)
    seen: list[Record] = []
    while page := list_records(engine, RecordFilter(), limit=limit, before=seen[-1].id if seen else None):
        assert len(page) <= limit
        seen += page
    assert [record.id for record in seen] == [
        record.id for record in sorted(records, key=lambda r: (r.at, r.id), reverse=True)
    ]


def test_a_page_after_an_unknown_record_is_empty(engine: Engine) -> None:
    store(engine, make_record())
    assert list_records(engine, RecordFilter(), before="no such id") == []


@pytest.mark.parametrize(
    ("where", "fields"),
    [
        (RecordFilter(since=2), {"at": 2}),
        (RecordFilter(until=1), {"at": 0}),
        (RecordFilter(route="r2"), {"route": "r2"}),
        (RecordFilter(target="m2"), {"target": "m2"}),
        (RecordFilter(keys=("k2", "k3")), {"key": "k3"}),
        (RecordFilter(team="t2"), {"team": "t2"}),
        (RecordFilter(outcome="failed"), {"outcome": "failed"}),
        (RecordFilter(status=502), {"status": 502}),
        (RecordFilter(error="upstream_failed"), {"error": "upstream_failed"}),
        (RecordFilter(route="r2", status=502), {"route": "r2", "status": 502}),
    ],
    ids=repr,
)
def test_a_filter_keeps_what_fits_and_nothing_else(
    engine: Engine, where: RecordFilter, fields: dict[str, object]
) -> None:
    fitting = make_record(**{"at": 1, **fields})
    store(engine, make_record(at=1), fitting, make_record(at=1))
    assert list_records(engine, where) == [fitting]


def test_hostile_text_in_a_filter_is_only_text(engine: Engine) -> None:
    store(engine, make_record())
    assert list_records(engine, RecordFilter(route="x' OR '1'='1")) == []
    assert len(list_records(engine, RecordFilter())) == 1


def test_a_record_is_found_by_its_id_and_by_its_request_id_with_content(engine: Engine) -> None:
    record = make_record(request_id="mine", content=Content("q", "a"))
    store(engine, make_record(), record)
    assert get_record(engine, record.id) == record
    assert get_record(engine, "mine") == record
    assert get_record(engine, "other") is None


def test_of_several_calls_with_one_request_id_the_newest_is_shown(engine: Engine) -> None:
    old, new = make_record(request_id="mine", at=1), make_record(request_id="mine", at=2)
    store(engine, new, old)
    assert get_record(engine, "mine") == new


def test_a_tail_gives_what_arrives_from_now_on_even_if_it_began_earlier(engine: Engine) -> None:
    store(engine, make_record(at=100))
    arriving: Iterator[list[Record]] = iter(
        [[make_record(at=50), make_record(at=200)], [], [make_record(at=1), make_record(at=1, route="other")]]
    )
    arrived: list[Record] = []

    class Enough(Exception):
        pass

    def wait() -> None:
        for batch in arriving:
            store(engine, *batch)
            arrived.extend(batch)
            return
        raise Enough

    tail = tail_records(engine, RecordFilter(route="assistant"), wait=wait)
    seen = [next(tail) for _ in range(3)]
    assert seen == arrived[:3]
    with pytest.raises(Enough):
        next(tail)
