"""Double entry: whatever a record says, its entries balance."""

from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.record import Attempt, Record
from mainstay.cost.books import BUDGET, balances_of, entries_of, is_balanced

AMOUNTS = st.one_of(st.none(), st.integers(0, 2**60))
ATTEMPTS = st.builds(Attempt, provider=st.sampled_from(["a", "b", "c"]), cost=AMOUNTS)
ACCOUNTS = st.sampled_from(["b||usd|day@2026-01-01", "b|x@y|usd|day@2026-01-01", "c||usd|@", "d||usd|1hour@495"])
RECORDS = st.builds(
    Record,
    id=st.uuids().map(str),
    request_id=st.just("r"),
    at=st.integers(0, 2**40),
    key=st.sampled_from(["k", "l"]),
    process=st.sampled_from(["w1", "w2"]),
    attempts=st.lists(ATTEMPTS, max_size=5),
    charges=st.dictionaries(ACCOUNTS, st.integers(1, 2**60), max_size=4),
)


@given(RECORDS)
def test_the_entries_of_a_record_say_what_it_says(record: Record) -> None:
    entries = entries_of(record)
    assert is_balanced(entries, record)
    assert sum(entry.picousd for entry in entries if entry.credit != BUDGET) == sum(
        a.cost or 0 for a in record.attempts
    )
    assert sum(entry.picousd for entry in entries if entry.credit == BUDGET) == sum(record.charges.values())
    # One for each provider and each budget, so that none hides another.
    assert len({(entry.debit, entry.credit) for entry in entries}) == len(entries)
    assert all(entry.picousd > 0 and entry.debit != entry.credit for entry in entries)
    assert {entry.record_id for entry in entries} <= {record.id}


@given(st.lists(RECORDS, max_size=6))
def test_what_records_add_to_budgets_is_what_their_entries_say(records: list[Record]) -> None:
    found = balances_of(records)
    entries = [entry for record in records for entry in entries_of(record) if entry.credit == BUDGET]
    assert sum(found.values()) == sum(entry.picousd for entry in entries)
    assert {f"{series}@{bucket}" for series, bucket, _ in found} == {entry.debit for entry in entries}


def test_an_entry_that_is_missing_or_too_much_is_noticed() -> None:
    record = Record("1", "1", 5, key="k", attempts=[Attempt(provider="a", cost=3), Attempt(provider="b", cost=4)])
    entries = entries_of(record)
    assert not is_balanced(entries[1:], record)
    assert not is_balanced([*entries, entries[0]], record)
