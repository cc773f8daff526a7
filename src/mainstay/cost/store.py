"""Every SQL statement of the ledger: entries, how budgets stand, and what was spent by whom.

Entries are only ever added, in the transaction that inserts their records. Does not know who asks.
"""

from collections.abc import Callable, Sequence

from sqlalchemy import BigInteger, Column, Connection, Engine, Index, MetaData, Table, Text, select

from mainstay.core.record import Record
from mainstay.cost.account import Balances
from mainstay.cost.books import balances_of, entries_of
from mainstay.store.sql import insert_many, reading

__all__ = ["Ledger", "metadata", "post", "select_entries", "spent"]

metadata = MetaData()
_entries = Table(
    "entries",
    metadata,
    Column("record_id", Text, primary_key=True),
    Column("debit", Text, primary_key=True),
    Column("credit", Text, primary_key=True),
    Column("picousd", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Index("entries_at", "at"),
    sqlite_with_rowid=False,
)
_balances = Table(
    "balances",
    metadata,
    Column("series", Text, primary_key=True),
    Column("bucket", Text, primary_key=True),
    Column("process", Text, primary_key=True),
    Column("picousd", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
_ENTRY = ("record_id", "debit", "credit", "picousd", "at")


def post(engine: Engine, connection: Connection, records: Sequence[Record]) -> None:
    """Enter what ``records`` cost into the books, in the transaction that inserts them; each once, however often."""
    paid = {record.id: record for record in records if record.charges or record.cost_usd not in (None, "0")}
    if not paid:
        return
    query = select(_entries.c.record_id).where(_entries.c.record_id.in_(list(paid))).distinct()
    for known in connection.execute(query).scalars():
        del paid[known]
    entries = [
        (entry.record_id, entry.debit, entry.credit, entry.picousd, entry.at)
        for record in paid.values()
        for entry in entries_of(record)
    ]
    insert_many(engine, connection, _entries, _ENTRY, entries)
    for (series, bucket, process), amount in balances_of(paid.values()).items():
        key = {"series": series, "bucket": bucket, "process": process}
        insert_many(engine, connection, _balances, (*key, "picousd"), [(*key.values(), 0)])
        same = [_balances.c[name] == value for name, value in key.items()]
        connection.execute(_balances.update().where(*same).values(picousd=_balances.c.picousd + amount))


def spent(connection: Connection, series: str, buckets: Sequence[str]) -> Balances:
    """Return what was spent of a series in these buckets, by bucket and process, in units of 1e-12 US dollars."""
    query = select(_balances).where(_balances.c.series == series, _balances.c.bucket.in_(list(buckets)))
    return {(row.bucket, row.process): row.picousd for row in connection.execute(query)}


def select_entries(connection: Connection, record_id: str) -> list[tuple[str, str, int]]:
    """Return the entries of a record: debit, credit and amount."""
    query = select(_entries).where(_entries.c.record_id == record_id).order_by(_entries.c.debit, _entries.c.credit)
    return [(row.debit, row.credit, row.picousd) for row in connection.execute(query)]


class Ledger:
    """The books as the counter asks for them; a ``counter.Books``.

    Args:
        engine: the database, which it only reads.
        is_complete: whether every record of a process that is gone is loaded.
    """

    def __init__(self, engine: Engine, is_complete: Callable[[], bool]) -> None:
        self._engine = engine
        self.complete = is_complete

    def spent(self, series: str, buckets: tuple[str, ...]) -> Balances:
        """Return what was spent of a series. Raises SQLAlchemyError when the database does not answer."""
        with reading(self._engine) as connection:
            return spent(connection, series, buckets)
