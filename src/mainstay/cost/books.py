"""What each record means for the books: double entry, made from the record alone.

Pure. A record's cost is owed to providers and borne by a key; what it takes of a budget goes from what was granted to
what is used. Every entry has a debit and a credit of one amount, so the books always balance.
"""

from collections.abc import Iterable, Sequence

import msgspec

from mainstay.core.record import Record

__all__ = ["BUDGET", "Entry", "balances_of", "entries_of", "is_balanced"]

#: The account that all budgets are granted from.
BUDGET = "budgets"


class Entry(msgspec.Struct, frozen=True):
    """``picousd``, units of 1e-12 US dollars, go from the account ``credit`` to the account ``debit``."""

    record_id: str
    debit: str
    credit: str
    picousd: int
    at: int


def entries_of(record: Record) -> list[Entry]:
    """Return the entries of one record: one for each provider that it was bought of, and one for each budget."""
    owed: dict[str, int] = {}
    for attempt in record.attempts:
        if attempt.cost:
            owed[attempt.provider] = owed.get(attempt.provider, 0) + attempt.cost
    bearer = f"key:{record.key}"
    entries = [Entry(record.id, bearer, f"provider:{name}", amount, record.at) for name, amount in owed.items()]
    entries += [Entry(record.id, account, BUDGET, amount, record.at) for account, amount in record.charges.items()]
    return entries


def balances_of(records: Iterable[Record]) -> dict[tuple[str, str, str], int]:
    """Return what records add to budgets, by series, bucket and the process that spent it."""
    found: dict[tuple[str, str, str], int] = {}
    for record in records:
        for account, amount in record.charges.items():
            series, _, bucket = account.rpartition("@")
            key = (series, bucket, record.process)
            found[key] = found.get(key, 0) + amount
    return found


def is_balanced(entries: Sequence[Entry], record: Record) -> bool:
    """Whether the entries of a record say what the record says: the whole cost is owed, and no more."""
    owed = sum(entry.picousd for entry in entries if entry.credit != BUDGET)
    return owed == sum(attempt.cost or 0 for attempt in record.attempts)
