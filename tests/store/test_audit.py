import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from mainstay.store.audit import log_size, read_entries, record_event, record_events, select_entries
from mainstay.store.sql import migrate, open_engine, reading, writing


def test_an_event_is_kept_with_its_change_or_not_at_all(engine: Engine) -> None:
    with pytest.raises(RuntimeError), writing(engine) as connection:
        record_event(engine, connection, "uid:0", "keys.create", "key:1")
        raise RuntimeError
    with reading(engine) as connection:
        assert log_size(connection) == 0


def test_events_hang_on_each_other_across_transactions(engine: Engine) -> None:
    with writing(engine) as connection:
        first = record_event(engine, connection, "uid:0", "keys.create", "key:1")
    with writing(engine) as connection:
        more = record_events(engine, connection, [("uid:0", "keys.revoke", f"key:{n}", {}) for n in (1, 2)])
    assert [entry.seq for entry in (first, *more)] == [1, 2, 3]
    assert first.hash.hex() in more[0].body
    assert more[0].hash.hex() in more[1].body
    with reading(engine) as connection:
        assert list(read_entries(connection)) == [first, *more]
        assert list(read_entries(connection, 2)) == more[1:]


@pytest.mark.parametrize("table", ["audit_events", "audit_checkpoints"])
def test_the_tables_take_no_change_and_no_deletion(engine: Engine, table: str) -> None:
    with writing(engine) as connection:
        record_event(engine, connection, "uid:0", "keys.create", "key:1")
        values = "(1, 1, x'00', x'00', x'00', x'00', 'k')"
        connection.execute(
            text(f"INSERT INTO audit_checkpoints (size, at, root, previous, frontier, signature, key) VALUES {values}")
        )
    for statement in (f"UPDATE {table} SET at = 0", f"DELETE FROM {table}"):
        with pytest.raises(DBAPIError, match="append-only"), writing(engine) as connection:
            connection.execute(text(statement))


def test_events_are_found_by_who_what_to_whom_and_when(engine: Engine) -> None:
    with writing(engine) as connection:
        record_events(
            engine,
            connection,
            [
                ("uid:0", "keys.create", "key:1", {}),
                ("key:1", "keys_more.create", "key:2", {}),
                ("key:1", "teams.create", "team:a", {}),
            ],
        )
    with reading(engine) as connection:
        assert [e.seq for e in select_entries(connection)] == [3, 2, 1]
        assert [e.seq for e in select_entries(connection, action="keys")] == [1]
        assert [e.seq for e in select_entries(connection, action="teams.create")] == [3]
        assert [e.seq for e in select_entries(connection, actor="key:1")] == [3, 2]
        assert [e.seq for e in select_entries(connection, subject="key:1")] == [1]
        assert [e.seq for e in select_entries(connection, before=3, limit=1)] == [2]
        assert select_entries(connection, until=1) == []
        assert len(select_entries(connection, since=1)) == 3


def test_the_log_is_the_same_on_postgresql(postgres_url: str) -> None:
    engine = open_engine(postgres_url)
    migrate(engine)
    with writing(engine) as connection:
        before = log_size(connection)
        record_events(engine, connection, [("uid:0", "keys.create", "key:1", {"rpm": 1})] * 3)
    with reading(engine) as connection:
        assert [entry.seq - before for entry in read_entries(connection, before)] == [1, 2, 3]
    with pytest.raises(DBAPIError, match="append-only"), writing(engine) as connection:
        connection.execute(text("TRUNCATE audit_events"))
    engine.dispose()
