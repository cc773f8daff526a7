"""Whether the books are right: every record's cost is that of its attempts and is owed to whom they were bought of,
every budget stands where its entries put it, and nothing was entered that did not happen.

Records are read in the order of their arrival, some thousands at a time, and added up in Python's whole numbers. May
run while calls are made: what arrives meanwhile is looked at next time.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import BigInteger, ColumnElement, Connection, Engine, func, literal_column, select, text, union_all

from mainstay.cost.amounts import dollars
from mainstay.cost.books import BUDGET
from mainstay.cost.reports import Question, attempts_table, conditions, records_table
from mainstay.cost.store import metadata
from mainstay.store.sql import reading

__all__ = ["Audit", "Difference", "audit", "differences"]

_CHUNK: Final = 2000
#: Faults that are told of one by one; of further ones only the number.
_MOST: Final = 100
_PART: Final = 10**6
_PROVIDER: Final = "provider:"
_entries = metadata.tables["entries"]
_balances = metadata.tables["balances"]


class Audit(msgspec.Struct):
    """What was looked at, and what is wrong in words; ``wrong`` counts what is not told of, too."""

    records: int = 0
    entries: int = 0
    accounts: int = 0
    #: What all records cost, in units of 1e-12 US dollars.
    picousd: int = 0
    wrong: int = 0
    faults: list[str] = msgspec.field(default_factory=list)

    def note(self, fault: str) -> None:
        """Take down a fault."""
        self.wrong += 1
        if len(self.faults) < _MOST:
            self.faults.append(fault)


def audit(engine: Engine, progress: Callable[[int], None] = lambda _: None, *, kept_since: int | None = None) -> Audit:
    """Return what is wrong with the books. ``progress`` is told how many records have been looked at.

    Entries outlive the records that a rule of retention removes: of those from before ``kept_since``, wall-clock ms,
    the record may be gone.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database does not answer.
    """
    found = Audit()
    seq = 0
    while True:
        # One reader for each chunk: a long one would keep SQLite from tidying up behind the loader.
        with reading(engine) as connection:
            rows = connection.execute(_next(seq)).all()
            if not rows:
                break
            seq = rows[-1].seq
            _check(connection, rows, found)
        progress(found.records)
    with reading(engine) as connection:
        if not _is_guarded(connection):
            found.note("the database lets entries be changed: its triggers are gone; restore it from a backup")
        for record, count in connection.execute(_strays(kept_since)):
            found.note(f"{count} entries are of the record {record}, which there is not")
        for account, entered, stands in _standings(connection):
            found.accounts += 1
            if entered != stands:
                found.note(
                    f"the account {account} stands at {dollars(stands)} USD, and its entries are {dollars(entered)} USD"
                )
    return found


class Difference(msgspec.Struct, frozen=True):
    """What one model's provider says its attempts cost, and what the price list says, in 1e-12 US dollars."""

    provider: str
    model: str
    attempts: int
    reported: int
    computed: int

    @property
    def ratio(self) -> float | None:
        """How many times the price list it is; None where that says nothing."""
        return self.reported / self.computed if self.computed else None


def differences(connection: Connection, question: Question) -> list[Difference]:
    """Return how what providers report compares with the price list, the largest difference first."""
    a = attempts_table.c
    query = (
        select(a.provider, a.target, func.count(), *_sums(a.cost), *_sums(a.computed))
        .select_from(attempts_table.join(records_table, a.record_id == records_table.c.id))
        .where(conditions(question, attempts=True), a.computed.is_not(None), a.cost.is_not(None))
        .group_by(a.provider, a.target)
    )
    found = [
        Difference(provider, model, count, int(high) * _PART + int(low), int(top) * _PART + int(rest))
        for provider, model, count, high, low, top, rest in connection.execute(query)
    ]
    return sorted(found, key=lambda one: -abs(one.reported - one.computed))


def _next(seq: int) -> Any:
    c = records_table.c
    return select(c.seq, c.id, c.key, c.cost_picousd).where(c.seq > seq).order_by(c.seq).limit(_CHUNK)


def _check(connection: Connection, rows: Sequence[Any], found: Audit) -> None:
    """Check each of these records against its attempts and entries."""
    ids = [row.id for row in rows]
    owed: dict[str, dict[str, int]] = {}
    a = attempts_table.c
    for one in connection.execute(select(a.record_id, a.provider, a.cost).where(a.record_id.in_(ids), a.cost != 0)):
        of_record = owed.setdefault(one.record_id, {})
        of_record[one.provider] = of_record.get(one.provider, 0) + one.cost
    entered: dict[str, list[Any]] = {}
    for entry in connection.execute(select(_entries).where(_entries.c.record_id.in_(ids))):
        entered.setdefault(entry.record_id, []).append(entry)
        found.entries += 1
    for row in rows:
        found.records += 1
        cost = sum(owed.get(row.id, {}).values())
        found.picousd += cost
        if cost != (row.cost_picousd or 0):
            said = dollars(row.cost_picousd or 0)
            found.note(f"the record {row.id} says {said} USD, and its attempts cost {dollars(cost)} USD")
        for fault in _entry_faults(row, owed.get(row.id, {}), cost, entered.get(row.id, [])):
            found.note(f"the record {row.id}: {fault}")


def _entry_faults(row: Any, owed: dict[str, int], cost: int, entries: Sequence[Any]) -> Iterator[str]:
    bought: dict[str, int] = {}
    taken: dict[str, int] = {}
    bearer = f"key:{row.key}"
    for entry in entries:
        what = f"the entry of {dollars(entry.picousd)} USD from {entry.credit} to {entry.debit}"
        if entry.picousd <= 0:
            yield f"{what} moves nothing, or backwards"
        if entry.credit == BUDGET:
            taken[entry.debit] = taken.get(entry.debit, 0) + entry.picousd
        elif entry.debit == BUDGET:
            taken[entry.credit] = taken.get(entry.credit, 0) - entry.picousd
        elif entry.debit == bearer and entry.credit.startswith(_PROVIDER):
            bought[entry.credit] = bought.get(entry.credit, 0) + entry.picousd
        elif entry.credit == bearer and entry.debit.startswith(_PROVIDER):
            # One that puts another right goes the other way.
            bought[entry.debit] = bought.get(entry.debit, 0) - entry.picousd
        else:
            yield f"{what} is neither of the key and a provider nor of a budget"
    for account, amount in taken.items():
        if not 0 <= amount <= cost:
            yield f"{dollars(amount)} USD are taken of {account}, and the call cost {dollars(cost)} USD"
    due = {f"{_PROVIDER}{provider}": amount for provider, amount in owed.items()}
    for account in sorted(due.keys() | bought.keys()):
        if due.get(account, 0) != bought.get(account, 0):
            entered = dollars(bought.get(account, 0))
            yield f"{entered} USD are entered for {account}, and {dollars(due.get(account, 0))} USD are owed"


def _is_guarded(connection: Connection) -> bool:
    """Whether the database itself keeps entries from being changed or taken away."""
    if connection.dialect.name == "sqlite":
        query = text("SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'entries_no_%'")
        return connection.execute(query).scalar() == 2
    query = text("SELECT count(*) FROM pg_trigger WHERE tgname = 'entries_append_only' AND tgenabled <> 'D'")
    return bool(connection.execute(query).scalar())


def _strays(kept_since: int | None) -> Any:
    """Select entries of records that there are not."""
    known = select(literal_column("1")).where(records_table.c.id == _entries.c.record_id).exists()
    query = select(_entries.c.record_id, func.count()).where(~known).group_by(_entries.c.record_id)
    return query if kept_since is None else query.where(_entries.c.at >= kept_since)


def _standings(connection: Connection) -> Iterator[tuple[str, int, int]]:
    """Yield each budget's account with what was entered for it and where it stands.

    One statement sees one state of the database, whatever is loaded meanwhile.
    """
    e, b = _entries.c, _balances.c
    name = b.series.concat(literal_column("'@'")).concat(b.bucket)
    books = union_all(
        select(literal_column("1"), e.debit, *_sums(e.picousd)).where(e.credit == BUDGET).group_by(e.debit),
        select(literal_column("-1"), e.credit, *_sums(e.picousd)).where(e.debit == BUDGET).group_by(e.credit),
        select(literal_column("0"), name, *_sums(b.picousd)).group_by(name),
    )
    entered: dict[str, int] = {}
    stands: dict[str, int] = {}
    for sign, account, high, low in connection.execute(books):
        book = entered if sign else stands
        book[account] = book.get(account, 0) + (int(high) * _PART + int(low)) * (sign or 1)
    for account in sorted(entered.keys() | stands.keys()):
        yield account, entered.get(account, 0), stands.get(account, 0)


def _sums(amount: ColumnElement[int]) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    size: ColumnElement[int] = literal_column(str(_PART), BigInteger)
    return func.sum(amount // size), func.sum(amount % size)
