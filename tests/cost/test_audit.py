"""The books are looked through: what is right passes, and whatever is put wrong is found."""

import sqlite3

import pytest
from sqlalchemy import Engine, text

from mainstay.cost.audit import Audit, audit
from mainstay.store.sql import writing
from support.records import make_record
from support.spending import START, attempt, bought, keep, open_migrated, some_records

BUDGET = "small|alice|usd|day@2026-11-02"


def books(engine: Engine) -> None:
    """Enter a call of two attempts that counts against a budget."""
    keep(engine, [bought(START, attempt("gpt", 7), attempt("haiku", 5), id="a", charges={BUDGET: 12})])


def tamper(engine: Engine, *statements: str) -> None:
    """Change the database behind the back of its triggers, and put them up again."""
    with writing(engine) as connection:
        triggers = [row.sql for row in connection.execute(text("SELECT sql FROM sqlite_master WHERE type = 'trigger'"))]
        names = [row.name for row in connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'"))]
        for name in names:
            connection.execute(text(f"DROP TRIGGER {name}"))
        for statement in (*statements, *triggers):
            connection.exec_driver_sql(statement)


def test_books_as_the_loader_makes_them_are_right(engine: Engine) -> None:
    records = some_records(300)
    for n, record in enumerate(records):
        if record.cost_usd not in (None, "0"):
            record.charges = {BUDGET: sum(one.cost or 0 for one in record.attempts)}
            record.process = f"w{n % 3}"
    keep(engine, records)
    told: list[int] = []
    found = audit(engine, told.append)
    assert (found.wrong, found.faults) == (0, [])
    assert (found.records, found.accounts) == (len(records), 1)
    assert found.picousd == sum(one.cost or 0 for record in records for one in record.attempts)
    assert found.entries > len(records)
    assert told[-1] == len(records)


def test_empty_books_are_right(engine: Engine) -> None:
    assert audit(engine) == Audit()


def test_records_without_a_price_owe_nothing(engine: Engine) -> None:
    keep(engine, [make_record(), make_record(cost_usd="0", attempts=[attempt("small", 0)])])
    assert audit(engine).faults == []


def test_an_entry_that_puts_another_right_is_counted(engine: Engine) -> None:
    books(engine)
    with writing(engine) as connection:
        for statement in (
            "INSERT INTO entries VALUES ('a', 'provider:claude', 'key:key_alice', 5, 1)",
            "UPDATE attempts SET cost = 0 WHERE target = 'haiku'",
            "UPDATE records SET cost_picousd = 7",
            f"INSERT INTO entries VALUES ('a', 'budgets', '{BUDGET}', 5, 1)",
            "UPDATE balances SET picousd = 7",
        ):
            connection.exec_driver_sql(statement)
    assert audit(engine).faults == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("UPDATE records SET cost_picousd = 11", "says 0.000000000011 USD, and its attempts cost 0.000000000012"),
        ("UPDATE attempts SET cost = 8 WHERE target = 'gpt'", "says 0.000000000012 USD, and its attempts cost 0.0000"),
        ("DELETE FROM entries WHERE credit = 'provider:claude'", "0 USD are entered for provider:claude"),
        ("UPDATE entries SET picousd = 6 WHERE credit = 'provider:claude'", "are entered for provider:claude, and"),
        ("UPDATE entries SET picousd = -5 WHERE credit = 'provider:claude'", "moves nothing, or backwards"),
        ("INSERT INTO entries VALUES ('a', 'key:mallory', 'provider:claude', 1, 1)", "is neither of the key and a"),
        ("UPDATE entries SET picousd = 13 WHERE credit = 'budgets'", "0.000000000013 USD are taken of small"),
        ("UPDATE entries SET picousd = 11 WHERE credit = 'budgets'", f"the account {BUDGET} stands at 0.000000000012"),
        ("UPDATE balances SET picousd = 3", f"the account {BUDGET} stands at 0.000000000003 USD"),
        ("DELETE FROM balances", f"the account {BUDGET} stands at 0 USD, and its entries are 0.000000000012 USD"),
        ("INSERT INTO balances VALUES ('other|usd', 'x', 'w1', 1)", "the account other|usd@x stands at"),
        ("INSERT INTO entries VALUES ('gone', 'key:k', 'provider:p', 1, 1)", "1 entries are of the record gone"),
    ],
)
def test_whatever_is_put_wrong_is_found(engine: Engine, change: str, fault: str) -> None:
    books(engine)
    assert audit(engine).wrong == 0
    tamper(engine, change)
    found = audit(engine)
    assert found.wrong == len(found.faults) >= 1
    assert any(fault in told for told in found.faults), found.faults


def test_books_that_can_be_changed_are_told_of(engine: Engine) -> None:
    books(engine)
    with writing(engine) as connection, pytest.raises(Exception, match="append-only") as refused:
        connection.execute(text("UPDATE entries SET picousd = 1"))
    assert isinstance(refused.value.__cause__, sqlite3.Error)
    with writing(engine) as connection:
        connection.execute(text("DROP TRIGGER entries_no_update"))
    assert "triggers are gone" in audit(engine).faults[0]


def test_entries_outlive_records_that_are_kept_for_a_time(engine: Engine) -> None:
    keep(engine, [bought(START, attempt("gpt", 7), id="old"), bought(START + 10, attempt("gpt", 7), id="new")])
    with writing(engine) as connection:
        for table, column in (("attempts", "record_id"), ("records", "id")):
            connection.execute(text(f"DELETE FROM {table} WHERE {column} = 'old'"))
    assert audit(engine).faults == ["1 entries are of the record old, which there is not"]
    assert audit(engine, kept_since=START + 5).faults == []
    assert audit(engine, kept_since=START).wrong == 1


def test_of_very_many_faults_the_first_are_told(engine: Engine) -> None:
    keep(engine, [bought(START + n, attempt("gpt", 7)) for n in range(150)])
    with writing(engine) as connection:
        connection.execute(text("UPDATE records SET cost_picousd = 1"))
    found = audit(engine)
    assert (found.wrong, len(found.faults)) == (150, 100)


def test_postgresql_is_looked_through_the_same(postgres_url: str) -> None:
    engine = open_migrated(postgres_url)
    try:
        keep(engine, some_records(200))
        books(engine)
        found = audit(engine)
        assert (found.faults, found.accounts) == ([], 1)
        with writing(engine) as connection:
            connection.execute(text("UPDATE balances SET picousd = 3"))
            connection.execute(text("INSERT INTO entries VALUES ('gone', 'key:k', 'provider:p', 1, 1)"))
        assert audit(engine).wrong == 2
        with engine.begin() as connection:
            connection.execute(text("DROP TRIGGER entries_append_only ON entries"))
        assert "triggers are gone" in audit(engine).faults[0]
    finally:
        engine.dispose()
