"""Questions about records: list them page by page, show one, follow new ones.

Stands between the database and whoever shows records (the command line, later the console). Does not know how
they are shown.
"""

import time
from collections.abc import Callable, Iterator

from sqlalchemy import Engine

from mainstay.core.record import Record
from mainstay.store.sealing import Seal
from mainstay.store.sql import reading
from mainstay.telemetry.store import RecordFilter, latest_seq, select_after, select_one, select_page

__all__ = ["get_record", "list_records", "tail_records"]

_PAGE = 500


def list_records(engine: Engine, where: RecordFilter, *, limit: int = 50, before: str | None = None) -> list[Record]:
    """Return up to ``limit`` records that fit ``where``, newest first, without their content.

    ``before`` is the id of the last record of the page before; an unknown one gives an empty page.
    """
    with reading(engine) as connection:
        return select_page(connection, where, limit, before)


def get_record(engine: Engine, reference: str, seal: Seal | None = None) -> Record | None:
    """Return one record with its content, by its id, or by request id (the newest, should a caller repeat its
    own). Without what opens them, sealed contents are left out.
    """
    with reading(engine) as connection:
        return select_one(connection, reference, seal)


def tail_records(
    engine: Engine, where: RecordFilter, *, wait: Callable[[], None] = lambda: time.sleep(0.25)
) -> Iterator[Record]:
    """Yield records that fit ``where`` as they arrive from now on, in the order of arrival, without end.

    ``wait`` is called whenever there is nothing new.
    """
    with reading(engine) as connection:
        seq = latest_seq(connection)
    while True:
        with reading(engine) as connection:
            records, seq = select_after(connection, where, seq, _PAGE)
        if records:
            yield from records
        else:
            wait()
