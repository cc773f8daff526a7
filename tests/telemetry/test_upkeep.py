from uuid import uuid4

from sqlalchemy import Engine, text

from mainstay.core.clock import wall_ms
from mainstay.core.record import Content
from mainstay.governance.content import ContentSealer
from mainstay.store.sealing import KeyedSeal
from mainstay.store.sql import reading, writing
from mainstay.telemetry.service import get_record
from mainstay.telemetry.store import insert_records
from mainstay.telemetry.upkeep import expire, reseal
from support.records import make_record

DAY = 86_400


def keyed(*tenants: str) -> tuple[KeyedSeal, dict[str, str]]:
    names = {tenant: str(uuid4()) for tenant in ("", *tenants)}
    seal = KeyedSeal()
    seal.take(dict.fromkeys(names.values(), b"k" * 32), names, enabled=True, tenant="team")
    return seal, names


def data_keys(engine: Engine) -> list[str]:
    with reading(engine) as connection:
        return list(connection.execute(text("SELECT data_key FROM contents ORDER BY record_id")).scalars())


def test_plain_content_and_that_under_the_common_key_is_sealed_with_its_tenants(engine: Engine) -> None:
    common, names = keyed()
    early = make_record(id="r1", content=Content("early", "yes"))
    ContentSealer(common).settle(early)
    rows = [early, *(make_record(id=f"r{n}", content=Content(f"asked {n}", "said")) for n in range(2, 6))]
    with writing(engine) as connection:
        insert_records(engine, connection, rows)
    assert data_keys(engine) == [names[""], "", "", "", ""]
    team = str(uuid4())
    seal = KeyedSeal()
    seal.take({team: b"t" * 32, names[""]: b"k" * 32}, {"team:web": team, "": names[""]}, enabled=True, tenant="team")
    after: str | None = ""
    counts = []
    while after is not None:
        count, after = reseal(engine, seal, ["", names[""]], after, 2)
        counts.append(count)
    assert sum(counts) == 5
    assert data_keys(engine) == [team] * 5
    record = get_record(engine, "r1", seal)
    assert record is not None
    assert record.content == Content("early", "yes")
    assert get_record(engine, "r3").content is None  # type: ignore[union-attr]  # it is there


def test_content_whose_key_is_gone_stays_and_does_not_hold_up_the_rest(engine: Engine) -> None:
    lost, names = keyed()
    gone = make_record(id="r1", content=Content("gone", ""))
    ContentSealer(lost).settle(gone)
    with writing(engine) as connection:
        insert_records(engine, connection, [gone, make_record(id="r2", content=Content("plain", ""))])
    seal, fresh = keyed("team:web")
    assert reseal(engine, seal, ["", names[""]], "") == (1, None)
    assert data_keys(engine) == [names[""], fresh["team:web"]]


def fill(engine: Engine) -> None:
    now = wall_ms()
    rows = [
        make_record(id=f"{route}{age}", route=route, at=now - age * DAY * 1000, content=Content("x", "y"))
        for route in ("a", "b")
        for age in (1, 10, 100)
    ]
    with writing(engine) as connection:
        insert_records(engine, connection, rows)


def left(engine: Engine, table: str, column: str) -> set[str]:
    with reading(engine) as connection:
        return set(connection.execute(text(f"SELECT {column} FROM {table}")).scalars())


def test_content_goes_when_it_is_due_by_its_route_and_the_record_stays(engine: Engine) -> None:
    fill(engine)
    assert expire(engine, {"a": 5 * DAY}, {}, (50 * DAY, None)) == (3, 0)
    assert left(engine, "contents", "record_id") == {"a1", "b1", "b10"}
    assert len(left(engine, "records", "id")) == 6


def test_records_go_with_their_attempts_and_content(engine: Engine) -> None:
    fill(engine)
    assert expire(engine, {}, {"b": 5 * DAY}, (None, 50 * DAY)) == (0, 3)
    for table, column in (("records", "id"), ("attempts", "record_id"), ("contents", "record_id")):
        assert left(engine, table, column) == {"a1", "a10", "b1"}


def test_without_a_time_everything_stays_and_much_goes_in_steps(engine: Engine) -> None:
    fill(engine)
    assert expire(engine, {}, {}, (None, None)) == (0, 0)
    assert expire(engine, {}, {}, (None, 0.0), most=4) == (0, 4)
    assert expire(engine, {}, {}, (None, 0.0), most=4) == (0, 2)
