import msgspec
import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from mainstay.identity import store
from mainstay.identity.store import KeyRow
from mainstay.store.sql import reading, writing

ROW = KeyRow("key_1", "alice", "web", ("a", "b"), b"\x00\xff" * 16, "ms-…abcd", 1)
FULL = KeyRow("key_2", "bob", "", None, b"d" * 32, "h", 2, b"o" * 32, 3, 4, 5, 6, "20/month", 7, 8)


def test_a_key_comes_back_as_it_was_stored(engine: Engine) -> None:
    with writing(engine) as connection:
        store.insert(connection, ROW)
        store.insert(connection, FULL)
    with reading(engine) as connection:
        assert store.rows(connection, revoked=True) == [ROW, FULL]
        assert store.rows(connection, revoked=False) == [ROW]
        assert store.rows_named(connection, "alice") == store.rows_named(connection, "key_1") == [ROW]


def test_an_update_changes_one_key(engine: Engine) -> None:
    changed = msgspec.structs.replace(ROW, team="ops", routes=None)
    with writing(engine) as connection:
        store.insert(connection, ROW)
        store.insert(connection, FULL)
        store.update(connection, changed)
        assert store.rows(connection, revoked=True) == [changed, FULL]


def test_the_database_itself_admits_one_living_key_of_a_name(engine: Engine) -> None:
    dead = msgspec.structs.replace(ROW, id="key_3", digest=b"3", revoked_at=9)
    twin = msgspec.structs.replace(ROW, id="key_4", digest=b"4")
    with writing(engine) as connection:
        store.insert(connection, ROW)
        store.insert(connection, dead)
    with pytest.raises(IntegrityError), writing(engine) as connection:
        store.insert(connection, twin)


def test_changes_are_counted_and_settings_keep_their_first_value(engine: Engine) -> None:
    with writing(engine) as connection:
        assert store.get_setting(connection, "keys.version") is None
        store.bump(engine, connection)
        store.bump(engine, connection)
        assert store.get_setting(connection, "keys.version") == "2"
        assert store.put_setting(engine, connection, "x", "1") == "1"
        assert store.put_setting(engine, connection, "x", "2") == "1"
