"""The books in a database: entered once, never changed, and added up."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from mainstay.core.record import Attempt, Record
from mainstay.cost.store import Ledger, post, select_entries, spent
from mainstay.store.sql import migrate, open_engine, reading, writing


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    is_sqlite = request.param == "sqlite"
    made = open_engine(
        f"sqlite:///{tmp_path}/var/mainstay.db" if is_sqlite else request.getfixturevalue("postgres_url")
    )
    migrate(made)
    yield made
    made.dispose()


def record(identity: str, process: str = "w1", amount: int = 5) -> Record:
    attempts = [Attempt("m", "p", cost=amount), Attempt("n", "q", cost=2)]
    charges = {"b|x|usd|day@2026-01-01": amount + 2, "c||usd|@": amount + 2}
    cost = f"0.{amount + 2:012}"
    return Record(identity, identity, 9, key="k", process=process, attempts=attempts, charges=charges, cost_usd=cost)


def enter(engine: Engine, *records: Record) -> None:
    with writing(engine) as connection:
        post(engine, connection, records)


def test_a_record_is_entered_once_however_often_it_comes(engine: Engine) -> None:
    enter(engine, record("a"), record("b", "w2", 10))
    enter(engine, record("a"))
    enter(engine, record("b", "w2", 10), record("c"), record("c"))
    with reading(engine) as connection:
        assert select_entries(connection, "a") == [
            ("b|x|usd|day@2026-01-01", "budgets", 7),
            ("c||usd|@", "budgets", 7),
            ("key:k", "provider:p", 5),
            ("key:k", "provider:q", 2),
        ]
        assert spent(connection, "b|x|usd|day", ("2026-01-01", "2026-01-02")) == {
            ("2026-01-01", "w1"): 14,
            ("2026-01-01", "w2"): 12,
        }
        assert spent(connection, "b|x|usd|day", ("2026-01-02",)) == {}
        assert spent(connection, "c||usd|", ("",)) == {("", "w1"): 14, ("", "w2"): 12}


def test_what_cost_nothing_leaves_no_trace(engine: Engine) -> None:
    enter(engine, Record("a", "a", 9), Record("b", "b", 9, cost_usd="0"))
    with reading(engine) as connection:
        assert connection.execute(text("select count(*) from entries")).scalar() == 0


@pytest.mark.parametrize("change", ["UPDATE entries SET picousd = 0", "DELETE FROM entries"])
def test_no_entry_is_ever_changed_or_taken_away(engine: Engine, change: str) -> None:
    enter(engine, record("a"))
    with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
        connection.execute(text(change))
    with reading(engine) as connection:
        assert len(select_entries(connection, "a")) == 4


def test_when_a_transaction_fails_nothing_of_it_stands(engine: Engine) -> None:
    with pytest.raises(RuntimeError), writing(engine) as connection:
        post(engine, connection, [record("a")])
        raise RuntimeError
    with reading(engine) as connection:
        assert select_entries(connection, "a") == []
        assert spent(connection, "c||usd|", ("",)) == {}


def test_amounts_up_to_the_most_that_an_account_can_hold(engine: Engine) -> None:
    most = 9_000_000 * 10**12
    enter(engine, Record("a", "a", 9, charges={"c||usd|@": most}, cost_usd="9000000"))
    with reading(engine) as connection:
        assert spent(connection, "c||usd|", ("",)) == {("", ""): most}


def test_the_counter_reads_the_books(engine: Engine) -> None:
    enter(engine, record("a"))
    books = Ledger(engine, lambda: True)
    assert books.complete()
    assert books.spent("c||usd|", ("",)) == {("", "w1"): 7}
